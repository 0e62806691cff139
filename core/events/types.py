"""The base of domain events."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from core.kernel.origin import Origin


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that has happened, in the past tense. ``name`` (``order.placed``) is stable for ever.

    ``origin`` carries channel, store and staff; ``at`` is filled by ``emit`` and ``event_id`` on delivery.
    """

    name: ClassVar[str] = ""
    origin: Origin = Origin()
    at: datetime | None = None
    event_id: int = 0
