"""What inventory adds to a mall when it boots."""

from __future__ import annotations

from core.inventory.locations import location_of_store
from core.kernel.contracts import EventHandler
from core.kernel.mall import Mall
from core.stores.events import StoreCreated


def register(mall: Mall) -> None:
    """Add the event handlers of inventory."""
    handler = EventHandler("inventory.location_of_new_store", StoreCreated, _make_location)
    mall.objects.add(EventHandler, handler.name, handler)


async def _make_location(mall: Mall, event: StoreCreated) -> None:
    # A convenience for stock takers: whoever needs the location first would make it anyway.
    await location_of_store(mall, event.store_id)
