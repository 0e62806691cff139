"""Stock as the rest of the mall sees it. Quantities are whole units."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

LocationKind = Literal["store", "warehouse"]
MoveKind = Literal["receive", "adjust", "commit", "return"]


class Want(msgspec.Struct, frozen=True):
    """What one order line needs from one location."""

    order_line_id: int
    sku_id: int
    location_id: int
    qty: int


class LocationView(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    kind: LocationKind
    store_id: int | None
    code: str
    name: str
    priority: int


class StockView(msgspec.Struct, frozen=True, kw_only=True):
    """One SKU at one location. ``available`` = on hand − reserved, never shown below 0."""

    id: int
    sku_id: int
    sku_code: str
    product_id: int
    title: str
    location_id: int
    location_name: str
    store_id: int | None
    on_hand: int
    reserved: int
    available: int
    backorder: bool


class MoveView(msgspec.Struct, frozen=True, kw_only=True):
    """One change of what is on hand: ``after`` = ``before`` + ``qty``."""

    id: int
    sku_id: int
    sku_code: str
    location_id: int
    store_id: int | None
    kind: MoveKind
    qty: int
    before: int
    after: int
    ref: str
    reason: str
    actor_kind: str
    actor_id: int | None
    at: datetime


class StockLevel(msgspec.Struct, frozen=True, kw_only=True):
    """What a stock row holds after a change."""

    sku_id: int
    location_id: int
    on_hand: int
    reserved: int
