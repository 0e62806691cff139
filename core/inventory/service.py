"""Inventory: stock per SKU and location (behaviour.md 5.1). What the rest of the mall calls."""

from __future__ import annotations

from core.inventory.changes import adjust, receive, set_on_hand
from core.inventory.locations import (
    ensure_store_locations,
    get_location,
    list_locations,
    location_of_store,
    save_warehouse,
)
from core.inventory.queries import available, list_moves, list_stock, stores_in_stock
from core.inventory.reservations import commit, give_back, release, reserve

__all__ = [
    "adjust",
    "available",
    "commit",
    "ensure_store_locations",
    "get_location",
    "give_back",
    "list_locations",
    "list_moves",
    "list_stock",
    "location_of_store",
    "receive",
    "release",
    "reserve",
    "save_warehouse",
    "set_on_hand",
    "stores_in_stock",
]
