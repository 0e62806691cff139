"""Stock for staff: what lies where, what moved, receiving and correcting.

Staff with a store scope see and change the locations of their stores only; everything else, warehouses too, looks as
if it were not there.
"""

from __future__ import annotations

from typing import Annotated

from litestar import get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter
from msgspec import Meta, Struct

from core.inventory import service as inventory
from core.inventory.errors import (
    BelowReserved,
    CodeTaken,
    LocationUnknown,
    NeedsAllStores,
    PlaceUnclear,
    QuantityInvalid,
    ReasonMissing,
    RequestKeyReused,
    StockUnknown,
)
from core.inventory.types import LocationKind, LocationView, MoveView, StockLevel, StockView
from core.kernel.mall import Mall
from core.staff.types import StaffSessionView
from core.web import OutOfScope, Page, Paged, RequestKey, need_scope, paged, problems

TAGS = ["inventory"]
READ = {"permission": "inventory.read"}
WRITE = {"permission": "inventory.write"}
Id = Annotated[int | None, Parameter(ge=1)]
MOST = 100_000_000


class _Place(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One SKU at one place: give ``store_id`` or ``location_id``."""

    sku_id: Annotated[int, Meta(ge=1, examples=[17])]
    store_id: Annotated[int, Meta(ge=1, examples=[1])] | None = None
    location_id: Annotated[int, Meta(ge=1)] | None = None
    ref: Annotated[str, Meta(max_length=64, description="Your document.", examples=["delivery 8812"])] = ""


class Receipt(_Place, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Goods that have arrived."""

    qty: Annotated[int, Meta(ge=1, le=MOST, description="Whole units.", examples=[24])]
    reason: Annotated[str, Meta(max_length=200)] = ""


class Adjustment(_Place, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A correction: the count (``to``) or the difference (``delta``), and why."""

    reason: Annotated[str, Meta(min_length=1, max_length=200, examples=["Stocktake"])]
    to: Annotated[int, Meta(ge=0, le=MOST)] | None = None
    delta: Annotated[int, Meta(ge=-MOST, le=MOST)] | None = None


class Warehouse(Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=128, examples=["Central warehouse"])]
    priority: Annotated[int, Meta(ge=-1000, le=1000, description="Higher is asked first.")] = 0


@get("/inventory/locations", operation_id="list_locations", tags=TAGS, summary="Locations, by id", opt=READ)
async def list_locations(
    mall: Mall, staff: StaffSessionView, page: Page, kind: LocationKind | None = None, store_id: Id = None
) -> Paged[LocationView]:
    after = page.after(tuple[int])
    found = await inventory.list_locations(
        mall, kind=kind, store_id=store_id, scope=staff.scope(), after_id=after[0] if after else 0, limit=page.limit + 1
    )
    return paged(found, page.limit, lambda location: (location.id,))


@put(
    "/inventory/warehouses/{code:str}", operation_id="save_warehouse", tags=TAGS, summary="Make or rename a warehouse",
    opt=WRITE, responses=problems(CodeTaken, NeedsAllStores),
    description="Stores have their location by themselves. Needs a scope of all stores.",
)  # fmt: skip
async def save_warehouse(
    mall: Mall,
    staff: StaffSessionView,
    code: Annotated[str, Parameter(pattern="^[A-Za-z0-9_.-]{1,64}$")],
    data: Warehouse,
) -> LocationView:
    if staff.scope() is not None:
        raise NeedsAllStores
    return await inventory.save_warehouse(mall, code=code, name=data.name, priority=data.priority, actor=staff.actor)


@get(
    "/inventory/stock", operation_id="list_stock", tags=TAGS, summary="Stock, one row a SKU and location", opt=READ,
    description="SKUs that never had stock at a location have no row there.",
)  # fmt: skip
async def list_stock(
    mall: Mall,
    *,
    staff: StaffSessionView,
    page: Page,
    store_id: Id = None,
    location_id: Id = None,
    sku_id: Id = None,
    product_id: Id = None,
    at_most: Annotated[int | None, Parameter(ge=0, description="Only rows with no more than this available.")] = None,
) -> Paged[StockView]:
    after = page.after(tuple[int])
    found = await inventory.list_stock(
        mall, store_id=store_id, location_id=location_id, sku_id=sku_id, product_id=product_id, at_most=at_most,
        scope=staff.scope(), after_id=after[0] if after else 0, limit=page.limit + 1,
    )  # fmt: skip
    return paged(found, page.limit, lambda stock: (stock.id,))


@get(
    "/inventory/moves", operation_id="list_stock_moves", tags=TAGS, summary="What moved, the newest first", opt=READ,
    description="Append-only: `on_hand` of a stock row is the sum of its moves. Handing goods over is `commit`, with "
    "`ref` `order:<id>`.",
)  # fmt: skip
async def list_stock_moves(
    mall: Mall,
    *,
    staff: StaffSessionView,
    page: Page,
    store_id: Id = None,
    location_id: Id = None,
    sku_id: Id = None,
    ref: Annotated[str | None, Parameter(max_length=64)] = None,
) -> Paged[MoveView]:
    before = page.after(tuple[int])
    found = await inventory.list_moves(
        mall, store_id=store_id, location_id=location_id, sku_id=sku_id, ref=ref, scope=staff.scope(),
        before_id=before[0] if before else None, limit=page.limit + 1,
    )  # fmt: skip
    return paged(found, page.limit, lambda move: (move.id,))


@post(
    "/inventory/receipts", operation_id="receive_stock", tags=TAGS, summary="Book goods that have arrived", opt=WRITE,
    responses=problems(PlaceUnclear, LocationUnknown, StockUnknown, QuantityInvalid, RequestKeyReused, OutOfScope),
)  # fmt: skip
async def receive_stock(mall: Mall, staff: StaffSessionView, request_key: RequestKey, data: Receipt) -> StockLevel:
    return await inventory.receive(
        mall, data.sku_id, await _location(mall, staff, data), qty=data.qty, actor=staff.actor, ref=data.ref,
        reason=data.reason, request_key=request_key,
    )  # fmt: skip


@post(
    "/inventory/adjustments", operation_id="adjust_stock", tags=TAGS, summary="Correct what is on hand", opt=WRITE,
    description="Refused when orders hold more than would be left.",
    responses=problems(
        PlaceUnclear, LocationUnknown, StockUnknown, QuantityInvalid, ReasonMissing, BelowReserved, RequestKeyReused,
        OutOfScope,
    ),
)  # fmt: skip
async def adjust_stock(mall: Mall, staff: StaffSessionView, request_key: RequestKey, data: Adjustment) -> StockLevel:
    return await inventory.adjust(
        mall, data.sku_id, await _location(mall, staff, data), to=data.to, delta=data.delta, reason=data.reason,
        actor=staff.actor, ref=data.ref, request_key=request_key,
    )  # fmt: skip


async def _location(mall: Mall, staff: StaffSessionView, data: _Place) -> int:
    """Return the place that a body names, if it is one of the caller's."""
    if data.store_id is not None and data.location_id is None:
        need_scope(staff, data.store_id)
        return await inventory.location_of_store(mall, data.store_id)
    if data.location_id is None or data.store_id is not None:
        raise PlaceUnclear
    return (await inventory.get_location(mall, data.location_id, scope=staff.scope())).id


handlers: list[HTTPRouteHandler] = [
    list_locations,
    save_warehouse,
    list_stock,
    list_stock_moves,
    receive_stock,
    adjust_stock,
]
