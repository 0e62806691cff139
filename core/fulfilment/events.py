"""What has happened at the counter."""

from __future__ import annotations

from typing import ClassVar

from core.events.types import Event


class PickupVerified(Event, frozen=True, kw_only=True):
    """A pick-up code was redeemed: ``origin`` has the store and the staff member who did it."""

    name: ClassVar[str] = "pickup.verified"
    order_id: int
    number: str
    member_id: int
    pickup_id: int
