"""Where something came from. Every order, redemption, join and event carries it (outlook.md)."""

from __future__ import annotations

import msgspec


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """The channel, store and staff member behind an action; ``None`` where there is none."""

    channel: str = "miniprogram"
    store_id: int | None = None
    staff_id: int | None = None


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who did something, for timelines and the audit trail. ``kind``: member, staff, job, plugin, channel, system."""

    kind: str
    id: int | None = None
    name: str = ""


SYSTEM = Actor(kind="system", name="mall")
