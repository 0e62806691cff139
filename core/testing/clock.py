"""A clock that stands still until a test moves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)  # Saturday, 10:00 in Shanghai


class FrozenClock:
    """Say the same moment until ``set`` or ``advance`` is called."""

    def __init__(self, at: datetime = START) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    def set(self, at: datetime) -> None:
        """Move to ``at``, which must be aware."""
        if at.tzinfo is None:
            raise ValueError("the clock wants an aware moment")
        self._at = at.astimezone(UTC)

    def advance(self, by: timedelta) -> datetime:
        """Move by ``by`` and return the new moment."""
        self._at += by
        return self._at
