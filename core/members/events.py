"""What happens to members."""

from __future__ import annotations

from typing import ClassVar

from core.events.types import Event


class MemberJoined(Event, frozen=True, kw_only=True):
    """Someone signed in for the first time. ``origin`` is the member's source."""

    name: ClassVar[str] = "member.joined"
    member_id: int
