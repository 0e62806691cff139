"""What happens to stores."""

from __future__ import annotations

from core.events.types import Event


class StoreCreated(Event, frozen=True, kw_only=True):
    """A store is new. Inventory gives it its stock location."""

    name = "store.created"
    store_id: int


class StoreChanged(Event, frozen=True, kw_only=True):
    """Something about a store is different now: details, position, hours, state, temporary close."""

    name = "store.changed"
    store_id: int
