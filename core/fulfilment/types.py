"""Pick-up as the rest of the mall sees it."""

from __future__ import annotations

from datetime import datetime

import msgspec

from core.orders.types import Order


class PickupView(msgspec.Struct, frozen=True, kw_only=True):
    """The pick-up code of an order. ``state``: issued, used, void."""

    id: int
    order_id: int
    store_id: int
    code: str
    state: str
    issued_at: datetime
    used_at: datetime | None
    used_by: int | None


class Pickup(msgspec.Struct, frozen=True, kw_only=True):
    """What staff see before and after the hand-over."""

    pickup: PickupView
    order: Order
