"""What shoppers ask: which stores are near, and which deliver here."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter
from msgspec import Struct

from core.sdk import (
    CoordinatesInvalid,
    CoordSys,
    Mall,
    Paged,
    Service,
    StoreNotFound,
    decode_cursor,
    paged,
    plugin_config,
    problems,
)
from plugins.nearby_stores import areas, service
from plugins.nearby_stores.types import MAX_RADIUS_M, NearbyStore, NearbyStoresConfig, Served, Wanted

MAX_LIMIT = 50
MAX_ID = 2**63 - 1
PUBLIC = {"public": True}
TAGS = ["nearby stores"]

Lat = Annotated[float | None, Parameter(ge=-90, le=90, description="Latitude in degrees.")]
Lng = Annotated[float | None, Parameter(ge=-180, le=180, description="Longitude in degrees.")]
Coord = Annotated[
    CoordSys,
    Parameter(description="The system of the position given: gcj02 (WeChat, AMap), wgs84 (GPS) or bd09 (Baidu)."),
]


class Serving(Struct, frozen=True, kw_only=True):
    """The stores asked about, each with whether it delivers to the place and why."""

    items: list[Served]


@get(
    "/stores", operation_id="nearby_stores_list", tags=TAGS, summary="The nearest stores", opt=PUBLIC,
    responses=problems(CoordinatesInvalid),
    description="Sorted by distance in metres, then id. Without a position: the stores of `city` (all without it) in "
    "the default order, `distance_m` null. Positions in the answer are GCJ-02.",
)  # fmt: skip
async def list_nearby(
    mall: Mall,
    lat: Lat = None,
    lng: Lng = None,
    coord: Coord = "gcj02",
    radius_m: Annotated[int | None, Parameter(ge=1, le=MAX_RADIUS_M, description="How far to look.")] = None,
    city: Annotated[str, Parameter(max_length=64, description="Used without a position only.")] = "",
    wanted_service: Annotated[Service | None, Parameter(query="service", description="Only with this service.")] = None,
    open_now: Annotated[bool, Parameter(description="Only stores that are open at this moment.")] = False,
    sku: Annotated[
        int | None, Parameter(ge=1, le=MAX_ID, description="Only stores that have this SKU (its id) in stock.")
    ] = None,
    limit: Annotated[int, Parameter(ge=1, le=MAX_LIMIT)] = 20,
    cursor: Annotated[str | None, Parameter(description="`next_cursor` of the page before.")] = None,
) -> Paged[NearbyStore]:
    config: NearbyStoresConfig = plugin_config(mall, "nearby_stores")
    wanted = Wanted(
        place=service.place_of(lat, lng, coord),
        radius_m=radius_m or config.default_radius_m,
        city=city,
        service=wanted_service,
        open_now=open_now,
        sku_id=sku,
    )
    after = None if cursor is None else decode_cursor(cursor, service.Position)
    return paged(await service.find(mall, wanted, after=after, limit=limit + 1), limit, service.position_of)


@get(
    "/serves", operation_id="nearby_stores_serves", tags=TAGS, summary="Who delivers here", opt=PUBLIC,
    responses=problems(CoordinatesInvalid, StoreNotFound),
    description="With `store`: whether this store delivers to the place, and why or why not. Without: the stores that "
    "do, the nearest first. A place on the edge of an area is inside.",
)  # fmt: skip
async def serves(
    mall: Mall,
    lat: Annotated[float, Parameter(ge=-90, le=90, description="Latitude in degrees.")],
    lng: Annotated[float, Parameter(ge=-180, le=180, description="Longitude in degrees.")],
    coord: Coord = "gcj02",
    store: Annotated[int | None, Parameter(ge=1, le=MAX_ID, description="Ask about this store only.")] = None,
) -> Serving:
    place = service.place_of(lat, lng, coord)
    assert place is not None
    if store is not None:
        return Serving(items=[await areas.serves(mall, place, store_id=store)])
    return Serving(items=await areas.serving(mall, place))


handlers: list[HTTPRouteHandler | Any] = [list_nearby, serves]
