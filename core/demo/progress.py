"""How demo data and imports say how far they are."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called now and then: ``done`` of ``total`` things of ``step`` are there. A new ``step`` starts a new bar."""

    def __call__(self, step: str, done: int, total: int) -> None: ...
