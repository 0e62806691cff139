"""The demo's delivery areas: circles for some stores, a block of streets for one."""

from __future__ import annotations

from core.sdk import SYSTEM, Mall, stores
from plugins.nearby_stores import areas, index
from plugins.nearby_stores.types import Place

HOW_MANY = 12
RADIUS_M = 3000
_HALF = 0.02  # degrees: about two kilometres to each side


async def add(mall: Mall) -> None:
    """Give the first stores that deliver an area, unless they have one, and build the index. Twice is harmless."""
    ids = (await stores.active_ids(mall, service="delivery"))[:HOW_MANY]
    views = await stores.stores_by_ids(mall, ids)
    taken = await areas.summaries(mall, ids)
    for number, store_id in enumerate(ids):
        store = views[store_id]
        if store_id in taken or store.lat is None or store.lng is None:
            continue
        if number == 0:
            block = [
                Place(store.lat + north * _HALF, store.lng + east * _HALF)
                for north, east in ((-1, -1), (-1, 1), (1, 1), (1, -1))
            ]
            await areas.set_area(mall, store_id, polygon=block, fee_rule_id="block", actor=SYSTEM)
        else:
            await areas.set_area(mall, store_id, radius_m=RADIUS_M, fee_rule_id="near", actor=SYSTEM)
    await index.rebuild(mall)
