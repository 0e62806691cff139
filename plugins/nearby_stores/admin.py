"""What staff do: say where a store delivers."""

from __future__ import annotations

from typing import Annotated

from litestar import delete, get, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter
from msgspec import Meta, Struct

from core.sdk import (
    CoordinatesInvalid,
    CoordSys,
    Mall,
    Page,
    Paged,
    StaffSessionView,
    StoreNotFound,
    coords,
    paged,
    problems,
)
from plugins.nearby_stores import areas
from plugins.nearby_stores.errors import AreaInvalid, AreaNotFound, StorePositionMissing
from plugins.nearby_stores.types import MAX_RADIUS_M, Area, Place

READ = {"permission": "nearby_stores.read"}
WRITE = {"permission": "nearby_stores.write"}
TAGS = ["nearby stores"]
MAX_ID = 2**63 - 1
StoreId = Annotated[int, Parameter(ge=1, le=MAX_ID)]


class Corner(Struct, frozen=True, forbid_unknown_fields=True):
    """A corner of a polygon."""

    lat: Annotated[float, Meta(ge=-90, le=90, examples=[31.2304])]
    lng: Annotated[float, Meta(ge=-180, le=180, examples=[121.4737])]


class SetArea(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Either ``radius_m`` around the store, or ``polygon``: its corners in order, in the system ``coord``."""

    radius_m: Annotated[int, Meta(ge=1, le=MAX_RADIUS_M, description="Around the store.", examples=[3000])] | None = (
        None
    )
    polygon: Annotated[tuple[Corner, ...], Meta(max_length=areas.MAX_CORNERS + 1)] | None = None
    coord: CoordSys = "gcj02"
    fee_rule_id: Annotated[str, Meta(max_length=64, description="Names the delivery fee rule.", examples=["near"])] = ""


@get("/areas", operation_id="nearby_stores_list_areas", tags=TAGS, summary="Delivery areas, by store", opt=READ)
async def list_areas(mall: Mall, staff: StaffSessionView, page: Page) -> Paged[Area]:
    after = page.after(tuple[Annotated[int, Meta(ge=0, le=MAX_ID)]])
    found = await areas.list_areas(mall, scope=staff.scope(), after=after[0] if after else None, limit=page.limit + 1)
    return paged(found, page.limit, lambda area: (area.store_id,))


@get(
    "/areas/{store_id:int}", operation_id="nearby_stores_get_area", tags=TAGS, summary="The delivery area of a store",
    opt=READ, responses=problems(StoreNotFound, AreaNotFound),
)  # fmt: skip
async def get_area(mall: Mall, staff: StaffSessionView, store_id: StoreId) -> Area:
    _in_scope(staff, store_id)
    return await areas.get_area(mall, store_id)


@put(
    "/areas/{store_id:int}", operation_id="nearby_stores_set_area", tags=TAGS, summary="Say where a store delivers",
    opt=WRITE, responses=problems(AreaInvalid, CoordinatesInvalid, StoreNotFound, StorePositionMissing),
    description="Replaces what was said before. The store delivers only if it also has the service `delivery`.",
)  # fmt: skip
async def set_area(mall: Mall, staff: StaffSessionView, store_id: StoreId, data: SetArea) -> Area:
    _in_scope(staff, store_id)
    corners = None
    if data.polygon is not None:
        corners = [Place(*coords.to_gcj02(c.lat, c.lng, data.coord)) for c in data.polygon]
    return await areas.set_area(
        mall, store_id, radius_m=data.radius_m, polygon=corners, fee_rule_id=data.fee_rule_id, actor=staff.actor
    )


@delete(
    "/areas/{store_id:int}", operation_id="nearby_stores_remove_area", tags=TAGS, summary="Stop a store's deliveries",
    opt=WRITE, responses=problems(StoreNotFound, AreaNotFound),
)  # fmt: skip
async def remove_area(mall: Mall, staff: StaffSessionView, store_id: StoreId) -> None:
    _in_scope(staff, store_id)
    await areas.remove_area(mall, store_id, actor=staff.actor)


def _in_scope(staff: StaffSessionView, store_id: int) -> None:
    """A store of others looks like one that is not there."""
    if not staff.in_scope(store_id):
        raise StoreNotFound


handlers: list[HTTPRouteHandler] = [list_areas, get_area, set_area, remove_area]
