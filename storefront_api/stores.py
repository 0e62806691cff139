"""Stores as shoppers see them. Only active stores exist here."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter
from msgspec import Meta, Struct

from core.kernel.mall import Mall
from core.stores import hours, service
from core.stores.errors import StoreNotFound
from core.stores.types import CityCount, Exceptions, OpenReason, Service, StoreFilter, StoreView, WeeklyHours
from core.web import Page, Paged, paged, problems

MAX_ID = 2**63 - 1
PUBLIC = {"public": True}
TAGS = ["stores"]


class StoreCard(Struct, frozen=True, kw_only=True):
    """A store in a list. Coordinates are GCJ-02 degrees; ``next_change`` is when ``open_now`` turns over next."""

    id: int
    code: str
    name: str
    province: str
    city: str
    district: str
    address: str
    phone: str
    lat: float | None
    lng: float | None
    services: tuple[str, ...]
    notice: str
    open_now: bool
    reason: OpenReason
    next_change: datetime | None
    extra: Annotated[dict[str, object], Meta(description="What plugins add, by plugin.")] = {}
    extra_missing: Annotated[tuple[str, ...], Meta(description="Plugins that gave no answer this time.")] = ()


class StoreDetail(StoreCard, frozen=True, kw_only=True):
    """A store with its hours, in its own zone. A span whose end is not after its start ends on the next day."""

    postcode: str
    zone: str
    hours: WeeklyHours
    exceptions: Exceptions
    closed_from: datetime | None
    closed_until: datetime | None
    closed_reason: str


@get(
    "/stores", operation_id="list_stores", tags=TAGS, summary="Stores, in the default order", opt=PUBLIC,
    description="`q` keeps stores whose name, code or address has every word. By distance: see the routes of plugins.",
)  # fmt: skip
async def list_stores(
    mall: Mall,
    page: Page,
    city: Annotated[str, Parameter(max_length=64)] = "",
    wanted_service: Annotated[Service | None, Parameter(query="service", description="Only with this service.")] = None,
    q: Annotated[str, Parameter(max_length=64)] = "",
) -> Paged[StoreCard]:
    where = StoreFilter(city=city, service=wanted_service, q=q, state="active")
    after = page.after(tuple[Annotated[int, Meta(ge=0, le=MAX_ID)]])
    found = await service.list_stores(mall, where, after=after[0] if after else None, limit=page.limit + 1)
    added = await service.extras(mall, [store.id for store in found[: page.limit]])
    cards = [_card(mall, store, added.by_store.get(store.id, {}), added.failed) for store in found]
    return paged(cards, page.limit, lambda card: (card.id,))


@get(
    "/stores/{store_id:int}", operation_id="get_store", tags=TAGS, summary="One store", opt=PUBLIC,
    responses=problems(StoreNotFound),
    description="With its hours, whether it is open at this moment and when that changes.",
)  # fmt: skip
async def get_store(mall: Mall, store_id: Annotated[int, Parameter(ge=1, le=MAX_ID)]) -> StoreDetail:
    store = await service.get_store(mall, store_id)
    if store.state != "active":
        raise StoreNotFound
    added = await service.extras(mall, [store_id])
    status = hours.status(store, mall.clock.now())
    return StoreDetail(
        id=store.id, code=store.code, name=store.name, province=store.province, city=store.city,
        district=store.district, address=store.address, phone=store.phone, lat=store.lat, lng=store.lng,
        services=store.services, notice=store.notice, open_now=status.open_now, reason=status.reason,
        next_change=status.next_change, extra=added.by_store.get(store_id, {}), extra_missing=added.failed,
        postcode=store.postcode, zone=store.zone, hours=store.hours, exceptions=store.exceptions,
        closed_from=store.closed_from, closed_until=store.closed_until, closed_reason=store.closed_reason,
    )  # fmt: skip


@get("/cities", operation_id="list_cities", tags=TAGS, summary="Cities with stores, those with most first", opt=PUBLIC)
async def list_cities(mall: Mall) -> list[CityCount]:
    return await service.list_cities(mall)


def _card(mall: Mall, store: StoreView, extra: dict[str, object], missing: tuple[str, ...]) -> StoreCard:
    status = hours.status(store, mall.clock.now())
    return StoreCard(
        id=store.id, code=store.code, name=store.name, province=store.province, city=store.city,
        district=store.district, address=store.address, phone=store.phone, lat=store.lat, lng=store.lng,
        services=store.services, notice=store.notice, open_now=status.open_now, reason=status.reason,
        next_change=status.next_change, extra=extra, extra_missing=missing,
    )  # fmt: skip


handlers: list[HTTPRouteHandler] = [list_stores, get_store, list_cities]
