"""Stores as staff keep them. A store outside of a person's scope looks like one that is not there."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from litestar import get, patch, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter
from msgspec import Meta, Struct

from core.kernel.mall import Mall
from core.staff.types import StaffSessionView
from core.stores import hours, service
from core.stores.errors import (
    AllStoresNeeded,
    CloseInvalid,
    StoreCodeTaken,
    StoreInvalid,
    StoreNotFound,
    StoreVersionConflict,
)
from core.stores.types import (
    CityCount,
    Exceptions,
    OpenStatus,
    Service,
    StoreChange,
    StoreDraft,
    StoreFilter,
    StoreState,
    StoreView,
    WeeklyHours,
)
from core.web import Page, Paged, paged, problems

MAX_ID = 2**63 - 1
TAGS = ["stores"]
READ, WRITE = {"permission": "stores.read"}, {"permission": "stores.write"}
CHANGED = problems(StoreInvalid, StoreNotFound, StoreVersionConflict)
StoreId = Annotated[int, Parameter(ge=1, le=MAX_ID)]
Version = Annotated[int, Meta(ge=1, le=2**31 - 1, description="The version that was read; another one answers 409.")]


class StoreRow(Struct, frozen=True, kw_only=True):
    """A store, whether it is open now, what plugins add (by plugin), and the plugins that gave no answer this time."""

    store: StoreView
    opening: OpenStatus
    extra: dict[str, object]
    extra_missing: tuple[str, ...] = ()


class StoreEdit(StoreChange, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fields left out stay as they are."""

    version: Version


class HoursEdit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole week and all date exceptions, in place of what was there."""

    version: Version
    hours: Annotated[WeeklyHours, Meta(max_length=7, examples=[{"mon": [["08:00", "22:00"]]}])]
    exceptions: Annotated[Exceptions, Meta(examples=[{"2027-02-06": {"closed": True, "note": "春节"}}])] = {}


class NoticeEdit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shoppers read on the store's page; empty takes it away."""

    version: Version
    notice: Annotated[str, Meta(max_length=2000, examples=["今日 18:00 后外带八折"])]


class CloseStore(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Without ``since`` from now on, without ``until`` until it is reopened."""

    since: datetime | None = None
    until: datetime | None = None
    reason: Annotated[str, Meta(max_length=200, pattern="^[^\x00]*$", examples=["设备检修"])] = ""


def _in_scope(staff: StaffSessionView, store_id: int) -> None:
    if not staff.in_scope(store_id):
        raise StoreNotFound


@get("/stores", operation_id="list_stores", tags=TAGS, summary="Stores of the caller's scope, all states", opt=READ)
async def list_stores(
    mall: Mall,
    staff: StaffSessionView,
    page: Page,
    city: Annotated[str, Parameter(max_length=64)] = "",
    wanted_service: Annotated[Service | None, Parameter(query="service", description="Only with this service.")] = None,
    store_state: Annotated[StoreState | None, Parameter(query="state")] = None,
    q: Annotated[str, Parameter(max_length=64, description="Every word must be in name, code or address.")] = "",
) -> Paged[StoreRow]:
    where = StoreFilter(city=city, service=wanted_service, state=store_state, q=q, ids=staff.scope())
    after = page.after(tuple[Annotated[int, Meta(ge=0, le=MAX_ID)]])
    found = await service.list_stores(mall, where, after=after[0] if after else None, limit=page.limit + 1)
    return paged(await _rows(mall, found), page.limit, lambda row: (row.store.id,))


@post(
    "/stores", operation_id="create_store", tags=TAGS, summary="Make a store", opt=WRITE,
    responses=problems(AllStoresNeeded, StoreInvalid, StoreCodeTaken),
    description="For staff of all stores. It gets its stock location by itself. `code` stays for ever.",
)  # fmt: skip
async def create_store(mall: Mall, staff: StaffSessionView, data: StoreDraft) -> StoreView:
    if staff.scope() is not None:
        raise AllStoresNeeded
    return await service.create_store(mall, data, actor=staff.actor)


@get(
    "/stores/{store_id:int}", operation_id="get_store", tags=TAGS, summary="One store", opt=READ,
    responses=problems(StoreNotFound),
)  # fmt: skip
async def get_store(mall: Mall, staff: StaffSessionView, store_id: StoreId) -> StoreRow:
    _in_scope(staff, store_id)
    return (await _rows(mall, [await service.get_store(mall, store_id)]))[0]


@patch(
    "/stores/{store_id:int}", operation_id="update_store", tags=TAGS, summary="Change a store", opt=WRITE,
    responses=CHANGED,
)  # fmt: skip
async def update_store(mall: Mall, staff: StaffSessionView, store_id: StoreId, data: StoreEdit) -> StoreView:
    _in_scope(staff, store_id)
    return await service.update_store(mall, store_id, data, version=data.version, actor=staff.actor)


@put(
    "/stores/{store_id:int}/hours", operation_id="set_store_hours", tags=TAGS, summary="Set the opening hours",
    opt=WRITE, responses=CHANGED,
    description="A span whose end is not after its start ends on the next day; `24:00` ends a day. A date exception "
    "replaces the spans that start on that date.",
)  # fmt: skip
async def set_store_hours(mall: Mall, staff: StaffSessionView, store_id: StoreId, data: HoursEdit) -> StoreView:
    _in_scope(staff, store_id)
    change = StoreChange(hours=data.hours, exceptions=data.exceptions)
    return await service.update_store(mall, store_id, change, version=data.version, actor=staff.actor)


@put(
    "/stores/{store_id:int}/notice", operation_id="set_store_notice", tags=TAGS, summary="Set the notice",
    opt=WRITE, responses=CHANGED,
)  # fmt: skip
async def set_store_notice(mall: Mall, staff: StaffSessionView, store_id: StoreId, data: NoticeEdit) -> StoreView:
    _in_scope(staff, store_id)
    change = StoreChange(notice=data.notice)
    return await service.update_store(mall, store_id, change, version=data.version, actor=staff.actor)


@post(
    "/stores/{store_id:int}/close", operation_id="close_store", tags=TAGS, summary="Close a store for a while",
    status_code=200, opt=WRITE, responses=problems(CloseInvalid, StoreNotFound),
    description="Replaces a temporary close that is there already. It wins over all opening hours.",
)  # fmt: skip
async def close_store(mall: Mall, staff: StaffSessionView, store_id: StoreId, data: CloseStore) -> StoreView:
    _in_scope(staff, store_id)
    return await service.close_temporarily(
        mall, store_id, since=data.since, until=data.until, reason=data.reason, actor=staff.actor
    )


@post(
    "/stores/{store_id:int}/reopen", operation_id="reopen_store", tags=TAGS, summary="Lift a temporary close",
    status_code=200, opt=WRITE, responses=problems(StoreNotFound),
    description="Harmless when there is none.",
)  # fmt: skip
async def reopen_store(mall: Mall, staff: StaffSessionView, store_id: StoreId) -> StoreView:
    _in_scope(staff, store_id)
    return await service.reopen(mall, store_id, actor=staff.actor)


@get("/cities", operation_id="list_cities", tags=TAGS, summary="Cities with active stores", opt=READ)
async def list_cities(mall: Mall) -> list[CityCount]:
    return await service.list_cities(mall)


async def _rows(mall: Mall, found: list[StoreView]) -> list[StoreRow]:
    added = await service.extras(mall, [store.id for store in found])
    now = mall.clock.now()
    return [
        StoreRow(
            store=store,
            opening=hours.status(store, now),
            extra=added.by_store.get(store.id, {}),
            extra_missing=added.failed,
        )
        for store in found
    ]


handlers: list[HTTPRouteHandler] = [
    list_stores,
    create_store,
    get_store,
    update_store,
    set_store_hours,
    set_store_notice,
    close_store,
    reopen_store,
    list_cities,
]
