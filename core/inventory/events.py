"""What has happened to stock. ``origin.store_id`` is the store of the location."""

from __future__ import annotations

from typing import ClassVar

from core.events.types import Event


class StockChanged(Event, frozen=True, kw_only=True):
    """A SKU has sold out at a location, or is there again. Not said for any other change of quantity."""

    name: ClassVar[str] = "inventory.stock_changed"
    product_id: int
    sku_id: int
    location_id: int
    sold_out: bool
