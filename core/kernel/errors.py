"""What the mall says when it refuses. A ``MallError`` is an answer: a status, a stable code and a sentence.

Each refusal is a class with its code and its sentence in Chinese and English; the sentences may name details in
braces. ``core/web/problems.py`` turns them into ``application/problem+json`` (RFC 9457).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from core.kernel.i18n import Lang, Text


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One reason among several, as a guard gives it: a stable ``code``, a sentence, and facts a client can use."""

    code: str
    message: Text
    details: dict[str, object] = {}


class MallError(Exception):
    """The root of all refusals. Subclasses set ``code`` (``family.reason``), ``status``, ``zh`` and ``en``."""

    code: ClassVar[str] = "mall.error"
    status: ClassVar[int] = 400
    zh: ClassVar[str] = "请求无法完成。"
    en: ClassVar[str] = "The request cannot be completed."
    retry_after_s: int | None = None

    def __init__(self, *, problems: Sequence[Problem] = (), retry_after_s: int | None = None, **details: Any) -> None:
        self.problems = tuple(problems)
        self.details: dict[str, Any] = details
        self.retry_after_s = retry_after_s if retry_after_s is not None else type(self).retry_after_s
        super().__init__(self.sentence("en"))

    def sentence(self, lang: Lang) -> str:
        """Return the sentence for a person, with the details filled in; a ``Text`` among them in the same language."""
        template = self.en if lang == "en" else self.zh
        return template.format_map(
            _Details({k: v.pick(lang) if isinstance(v, Text) else v for k, v in self.details.items()})
        )

    def as_problem(self) -> Problem:
        return Problem(
            code=self.code, message=Text(self.sentence("zh-CN"), self.sentence("en")), details=dict(self.details)
        )


class _Details(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


class NotFound(MallError):
    """Family root: a thing is not there, or not the caller's. Both look the same from outside."""

    code = "mall.not_found"
    status = 404
    zh = "没有找到。"
    en = "Not found."


class Invalid(MallError):
    """Family root: the input cannot be used."""

    code = "mall.invalid"
    status = 400
    zh = "输入无效:{reason}"
    en = "The input cannot be used: {reason}"


class Conflict(MallError):
    """Family root: the present state does not allow it."""

    code = "mall.conflict"
    status = 409
    zh = "当前状态不允许此操作。"
    en = "The present state does not allow this."


class Unavailable(MallError):
    """Family root: something the mall needs is away for the moment; the same call may work later."""

    code = "mall.unavailable"
    status = 503
    retry_after_s = 5
    zh = "服务暂时不可用,请稍后再试。"
    en = "The service is unavailable for the moment; try again shortly."


class PluginUnavailable(Unavailable):
    """A plugin that must agree has failed; nothing was written."""

    code = "plugin.unavailable"
    zh = "插件 {plugin} 暂时不可用,请稍后再试。"
    en = "The plugin {plugin} is unavailable for the moment; try again shortly."
