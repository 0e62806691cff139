"""Find the nearest stores. Candidates may come from the index or from the database: the answer is the same."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from core.sdk import (
    CoordinatesInvalid,
    CoordSys,
    Mall,
    Service,
    StorePoint,
    StoreView,
    coords,
    hours,
    inventory,
    stores,
)
from plugins.nearby_stores import index
from plugins.nearby_stores.geo import box_around, distance_m
from plugins.nearby_stores.types import NearbyStore, Place, Wanted

LAG = timedelta(minutes=15)
"""How old a change may be that the index has not heard of: younger ones are always looked at in the database."""

Position = tuple[int, int]
"""Where a store stands in the answer: distance in metres (0 without a place), store id. What a cursor holds."""


async def find(mall: Mall, wanted: Wanted, *, after: Position | None = None, limit: int) -> list[NearbyStore]:
    """Return up to ``limit`` active stores behind ``after``, by distance, then id.

    The whole order is known before the filters drop anything, so pages join without a gap or a repeat.
    """
    ordered = await _ordered(mall, wanted)
    if wanted.sku_id is not None:
        stocked = await inventory.stores_in_stock(mall, wanted.sku_id)  # None: stock is no limit anywhere
        ordered = [at for at in ordered if stocked is None or at[1] in stocked]
    if after is not None:
        ordered = [at for at in ordered if at > after]
    now = mall.clock.now()
    step = limit * 3 if wanted.open_now else limit
    found: list[NearbyStore] = []
    for start in range(0, len(ordered), step):
        chunk = ordered[start : start + step]
        views = await stores.stores_by_ids(mall, [store_id for _, store_id in chunk])
        for distance, store_id in chunk:
            store = views.get(store_id)
            if store is None:
                continue
            if wanted.open_now and not hours.open_now(store, now):
                continue
            status = hours.status(store, now)
            shown = distance if wanted.place is not None else None
            found.append(
                NearbyStore(
                    id=store.id, code=store.code, name=store.name, province=store.province, city=store.city,
                    district=store.district, address=store.address, phone=store.phone, lat=store.lat, lng=store.lng,
                    services=store.services, notice=store.notice, distance_m=shown,
                    open_now=status.open_now, reason=status.reason, next_change=status.next_change,
                )
            )  # fmt: skip
            if len(found) == limit:
                return found
    return found


def position_of(store: NearbyStore) -> Position:
    """Return where ``store`` stands in the answer, for the cursor."""
    return store.distance_m or 0, store.id


def place_of(lat: float | None, lng: float | None, system: CoordSys) -> Place | None:
    """Return the shopper's position in GCJ-02, ``None`` if there is none. Raises ``CoordinatesInvalid``."""
    if lat is None and lng is None:
        return None
    if lat is None or lng is None:
        raise CoordinatesInvalid
    return Place(*coords.to_gcj02(lat, lng, system))


async def points_near(
    mall: Mall, place: Place, radius_m: int, *, service: Service | None = None
) -> list[tuple[int, StorePoint]]:
    """Return the active stores within ``radius_m`` of ``place`` with their distances, by distance, then id."""
    candidates = await index.candidates(mall, place.lat, place.lng, radius_m)
    points = await stores.active_points(
        mall,
        box=box_around(place.lat, place.lng, radius_m),
        service=service,
        ids=candidates,
        or_changed_since=mall.clock.now() - LAG,
    )
    near = [(distance_m(place.lat, place.lng, point.lat, point.lng), point) for point in points]
    return sorted((n for n in near if n[0] <= radius_m), key=lambda n: (n[0], n[1].id))


async def _ordered(mall: Mall, wanted: Wanted) -> Sequence[Position]:
    if wanted.place is None:
        return [(0, store_id) for store_id in await stores.active_ids(mall, city=wanted.city, service=wanted.service)]
    near = await points_near(mall, wanted.place, wanted.radius_m, service=wanted.service)
    return [(distance, point.id) for distance, point in near]


def distance_to(place: Place, store: StoreView) -> int | None:
    """Return the distance from ``place`` to ``store`` in whole metres; ``None`` where it has no position."""
    if store.lat is None or store.lng is None:
        return None
    return distance_m(place.lat, place.lng, store.lat, store.lng)
