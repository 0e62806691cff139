"""Delivery areas: where a store delivers, and which stores deliver to a place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from core.sdk import (
    Actor,
    CoordinatesInvalid,
    FulfilmentMethod,
    FulfilmentOption,
    Mall,
    ObjectMissing,
    OrderDraft,
    StoreNotFound,
    StoreView,
    Text,
    audit,
    coords,
    db,
    hours,
    stores,
)
from plugins.nearby_stores import service
from plugins.nearby_stores.errors import AreaInvalid, AreaNotFound, StorePositionMissing
from plugins.nearby_stores.types import MAX_RADIUS_M, Area, AreaKind, Place, Served, ServeReason

DELIVERY = "delivery"
MAX_CORNERS = 500
_EDGE = 1e-7  # degrees, a centimetre: positions have 7 digits, so a point on a slanted edge may fall just beside it
_HALF_TURN = 180.0


class _Row(Struct, frozen=True, kw_only=True):
    store_id: int
    kind: AreaKind
    radius_m: int | None
    polygon: tuple[tuple[float, float], ...] | None
    fee_rule_id: str
    updated_at: datetime

    def view(self) -> Area:
        return Area(
            store_id=self.store_id,
            kind=self.kind,
            radius_m=self.radius_m,
            polygon=None if self.polygon is None else tuple(Place(lat, lng) for lat, lng in self.polygon),
            fee_rule_id=self.fee_rule_id,
            updated_at=self.updated_at,
        )


# for staff ------------------------------------------------------------------------------------------------------------


async def list_areas(
    mall: Mall, *, scope: Sequence[int] | None = None, after: int | None = None, limit: int = 20
) -> list[Area]:
    """Return areas by store id, after the store ``after``; ``scope`` keeps those of these stores."""
    found = await db.fetch(
        _Row,
        "SELECT * FROM nearby_stores_area WHERE store_id > $1 AND ($2::bigint[] IS NULL OR store_id = ANY($2)) "
        "ORDER BY store_id LIMIT $3",
        after or 0,
        None if scope is None else list(scope),
        limit,
    )
    return [row.view() for row in found]


async def get_area(mall: Mall, store_id: int) -> Area:
    """Return the area of a store. Raises ``AreaNotFound``."""
    found = (await _areas_of([store_id])).get(store_id)
    if found is None:
        raise AreaNotFound
    return found


async def set_area(  # one of radius_m and polygon
    mall: Mall,
    store_id: int,
    *,
    radius_m: int | None = None,
    polygon: Sequence[Place] | None = None,
    fee_rule_id: str = "",
    actor: Actor,
) -> Area:
    """Say where a store delivers, in place of what was said before.

    Raises ``StoreNotFound``, ``StorePositionMissing`` (a radius needs a middle) or ``AreaInvalid`` with the reason.
    """
    store = await stores.get_store(mall, store_id)
    if store.lat is None or store.lng is None:
        raise StorePositionMissing
    corners, box = _checked(store, radius_m, polygon)
    async with db.transaction():
        before = (await _areas_of([store_id])).get(store_id)
        row = await db.fetch_one(
            _Row,
            """
INSERT INTO nearby_stores_area (store_id, kind, radius_m, polygon, south, north, west, east, fee_rule_id, updated_at)
VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7, $8, $9, $10)
ON CONFLICT (store_id) DO UPDATE SET kind = excluded.kind, radius_m = excluded.radius_m, polygon = excluded.polygon,
    south = excluded.south, north = excluded.north, west = excluded.west, east = excluded.east,
    fee_rule_id = excluded.fee_rule_id, updated_at = excluded.updated_at
RETURNING *""",
            store_id,
            "radius" if corners is None else "polygon",
            radius_m,
            None if corners is None else db.json(corners),
            *box,
            fee_rule_id,
            mall.clock.now(),
        )
        assert row is not None
        area = row.view()
        audit(
            mall, actor, "nearby_stores.set_area", subject_kind="store", subject_id=store_id, store_id=store_id,
            before=before, after=area,
        )  # fmt: skip
    return area


async def remove_area(mall: Mall, store_id: int, *, actor: Actor) -> None:
    """Take a store's area away: it delivers nowhere. Raises ``AreaNotFound``."""
    async with db.transaction():
        row = await db.fetch_one(_Row, "DELETE FROM nearby_stores_area WHERE store_id = $1 RETURNING *", store_id)
        if row is None:
            raise AreaNotFound
        audit(
            mall, actor, "nearby_stores.remove_area", subject_kind="store", subject_id=store_id, store_id=store_id,
            before=row.view(),
        )  # fmt: skip


# for shoppers ---------------------------------------------------------------------------------------------------------


async def serving(mall: Mall, place: Place, *, limit: int = 50) -> list[Served]:
    """Return the active stores that deliver to ``place``, by distance, then id."""
    near = [point.id for _, point in await service.points_near(mall, place, MAX_RADIUS_M, service=DELIVERY)]
    found = await db.fetch(
        _Row,
        """
SELECT * FROM nearby_stores_area
WHERE (kind = 'radius' AND store_id = ANY($1))
   OR (kind = 'polygon' AND $2 BETWEEN south - $4 AND north + $4 AND $3 BETWEEN west - $4 AND east + $4)""",
        near,
        place.lat,
        place.lng,
        _EDGE,
    )
    views = await stores.stores_by_ids(mall, [row.store_id for row in found])
    answers = [
        _served(mall, views[row.store_id], row.view(), place)
        for row in found
        if row.store_id in views and views[row.store_id].state == "active"
    ]
    return sorted((a for a in answers if a.serves), key=lambda a: (a.distance_m or 0, a.store_id))[:limit]


async def serves(mall: Mall, place: Place, *, store_id: int) -> Served:
    """Say whether one active store delivers to ``place``, and why or why not. Raises ``StoreNotFound``."""
    store = await stores.get_store(mall, store_id)
    if store.state != "active":
        raise StoreNotFound
    return _served(mall, store, (await _areas_of([store_id])).get(store_id), place)


async def summaries(mall: Mall, store_ids: Sequence[int]) -> Mapping[int, dict[str, object]]:
    """Return what a list of stores shows of their areas: one statement a page."""
    found = await db.rows(
        "SELECT store_id, kind, radius_m, fee_rule_id FROM nearby_stores_area WHERE store_id = ANY($1)", list(store_ids)
    )
    return {
        r["store_id"]: {"area": {"kind": r["kind"], "radius_m": r["radius_m"], "fee_rule_id": r["fee_rule_id"]}}
        for r in found
    }


async def delivery_option(mall: Mall, draft: OrderDraft) -> FulfilmentOption | None:
    """Say whether the goods of ``draft`` can be delivered to its address: by its store, or else by the nearest one.

    ``None`` where the address has no position: then this plugin knows nothing.
    """
    place = _place_in(draft.address or {})
    if place is None:
        return None
    if draft.store_id:
        found = [await serves(mall, place, store_id=draft.store_id)]
    else:
        found = await serving(mall, place, limit=1)
    served = next((answer for answer in found if answer.serves), None)
    store_id = served.store_id if served else draft.store_id
    option = FulfilmentOption(method=DELIVERY, title=_TITLE, available=False, store_id=store_id)
    if served is None:
        reason = found[0].reason if found else "outside_radius"
        return _with_reason(option, _REASONS[reason])
    try:
        # A protocol is a fine key of the registry, though type checkers want a class that can be made.
        mall.objects.get(FulfilmentMethod, DELIVERY)  # type: ignore[type-abstract]
    except ObjectMissing:
        return _with_reason(option, _NOT_OFFERED)
    return FulfilmentOption(method=DELIVERY, title=_TITLE, available=True, store_id=store_id)


_TITLE = Text("同城配送", "Local delivery")
_NOT_OFFERED = Text("商城尚未开通同城配送。", "This mall does not deliver yet.")
_TOO_FAR = Text("地址不在配送范围内。", "The address is outside the delivery area.")
_NO_DELIVERY = Text("这家门店不提供配送。", "This store does not deliver.")
_REASONS: dict[ServeReason, Text] = {
    "outside_radius": _TOO_FAR,
    "outside_polygon": _TOO_FAR,
    "no_area": _NO_DELIVERY,
    "no_delivery": _NO_DELIVERY,
    "no_position": _NO_DELIVERY,
}


def _with_reason(option: FulfilmentOption, reason: Text) -> FulfilmentOption:
    return FulfilmentOption(
        method=option.method, title=option.title, available=False, store_id=option.store_id, reason=reason
    )


def _place_in(address: Mapping[str, object]) -> Place | None:
    """Return the position of an order's address (``lat``, ``lng`` in GCJ-02), if it has one that can be used."""
    lat, lng = address.get("lat"), address.get("lng")
    if not isinstance(lat, int | float) or not isinstance(lng, int | float):
        return None
    try:
        return service.place_of(float(lat), float(lng), "gcj02")
    except CoordinatesInvalid:
        return None


def _served(mall: Mall, store: StoreView, area: Area | None, place: Place) -> Served:
    distance = service.distance_to(place, store)
    reason = _reason(store, area, place, distance)
    yes = reason in ("inside_radius", "inside_polygon")
    return Served(
        store_id=store.id,
        code=store.code,
        name=store.name,
        serves=yes,
        reason=reason,
        fee_rule_id=(area.fee_rule_id or None) if yes and area is not None else None,
        distance_m=distance,
        open_now=hours.open_now(store, mall.clock.now()),
    )


def _reason(store: StoreView, area: Area | None, place: Place, distance: int | None) -> ServeReason:
    if DELIVERY not in store.services:
        return "no_delivery"
    if area is None:
        return "no_area"
    if area.polygon is not None:
        return "inside_polygon" if covers(area.polygon, place) else "outside_polygon"
    if distance is None:
        return "no_position"
    return "inside_radius" if distance <= (area.radius_m or 0) else "outside_radius"


# shapes ---------------------------------------------------------------------------------------------------------------


def covers(corners: Sequence[Place], place: Place) -> bool:
    """Say whether ``place`` is inside the polygon of ``corners``; a point on an edge or a corner is inside."""
    from shapely import Point  # noqa: PLC0415 - with numpy 30 MB, which a web worker without delivery does not pay

    shape, point = _polygon(corners), Point(place.lng, place.lat)
    return bool(shape.covers(point)) or shape.exterior.distance(point) <= _EDGE


def _polygon(corners: Sequence[Place]) -> Any:
    from shapely import Polygon  # noqa: PLC0415 - as above

    return Polygon([(corner.lng, corner.lat) for corner in corners])


def _checked(
    store: StoreView, radius_m: int | None, polygon: Sequence[Place] | None
) -> tuple[list[tuple[float, float]] | None, tuple[float | None, ...]]:
    """Return the corners as they are kept and the box around them; raises ``AreaInvalid``."""
    if (radius_m is None) == (polygon is None):
        raise AreaInvalid(zh="请填写半径或多边形之一。", en="give either a radius or a polygon.")
    if polygon is None:
        if not 1 <= (radius_m or 0) <= MAX_RADIUS_M:
            raise AreaInvalid(
                zh=f"半径须在 1 到 {MAX_RADIUS_M} 米之间。", en=f"the radius is 1 to {MAX_RADIUS_M} metres."
            )
        return None, (None, None, None, None)
    corners = list(polygon)
    if len(corners) > 1 and corners[0] == corners[-1]:
        corners.pop()  # GeoJSON closes its rings; here the last edge goes without saying
    if not 3 <= len(corners) <= MAX_CORNERS:  # noqa: PLR2004 - a triangle
        raise AreaInvalid(zh=f"多边形须有 3 到 {MAX_CORNERS} 个顶点。", en=f"a polygon has 3 to {MAX_CORNERS} corners.")
    for corner in corners:
        coords.check(corner.lat, corner.lng)
    lats, lngs = [c.lat for c in corners], [c.lng for c in corners]
    if max(lngs) - min(lngs) > _HALF_TURN:
        raise AreaInvalid(zh="多边形不能跨越 180 度经线。", en="a polygon cannot go over the date line.")
    if any((service.distance_to(corner, store) or 0) > MAX_RADIUS_M for corner in corners):
        raise AreaInvalid(
            zh=f"多边形的顶点离门店不能超过 {MAX_RADIUS_M} 米。",
            en=f"a corner is more than {MAX_RADIUS_M} metres from the store.",
        )
    shape = _polygon(corners)
    if not shape.is_valid or shape.area == 0:
        raise AreaInvalid(
            zh="多边形的边不能相交,面积不能为零。", en="its edges must not cross, and it must have an inside."
        )
    return [(c.lat, c.lng) for c in corners], (min(lats), max(lats), min(lngs), max(lngs))


async def _areas_of(store_ids: Sequence[int]) -> dict[int, Area]:
    found = await db.fetch(_Row, "SELECT * FROM nearby_stores_area WHERE store_id = ANY($1)", list(store_ids))
    return {row.store_id: row.view() for row in found}
