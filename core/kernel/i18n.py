"""Sentences in the two languages of the mall. Chinese is the default; English is asked for by ``Accept-Language``."""

from __future__ import annotations

from typing import Literal

import msgspec

Lang = Literal["zh-CN", "en"]
DEFAULT_LANG: Lang = "zh-CN"


class Text(msgspec.Struct, frozen=True):
    """One sentence or label in both languages."""

    zh: str
    en: str

    def pick(self, lang: Lang) -> str:
        return self.en if lang == "en" else self.zh


def negotiate(accept_language: str | None, default: Lang = DEFAULT_LANG) -> Lang:
    """Pick the language a caller asks for (RFC 9110, 12.5.4): of those the mall speaks, the one of the highest q."""
    best: tuple[float, Lang] | None = None
    for part in (accept_language or "")[:200].split(","):
        tag, _, parameter = part.strip().partition(";")
        lang: Lang | None = "en" if tag[:2].lower() == "en" else "zh-CN" if tag[:2].lower() == "zh" else None
        if lang is None:
            continue
        try:
            q = float(parameter.strip().removeprefix("q=") or 1)
        except ValueError:
            q = 0.0
        if q > 0 and (best is None or q > best[0]):
            best = (q, lang)
    return best[1] if best else default
