"""Stores as the rest of the mall sees them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from core.kernel.errors import Problem

StoreKind = Literal["direct", "franchise", "joint", "licensed"]
StoreState = Literal["active", "inactive", "closed"]
Service = Literal["pickup", "delivery", "express"]
CoordSys = Literal["gcj02", "wgs84", "bd09"]
OpenReason = Literal["open", "outside_hours", "closed_that_day", "temporarily_closed", "not_active", "hours_unknown"]

Span = tuple[str, str]
"""Wall-clock ``("08:00", "22:00")``. An end that is not after the start is on the next day; ``24:00`` ends a day."""

WeeklyHours = dict[str, tuple[Span, ...]]
"""Spans by the weekday on which they start (``mon`` … ``sun``). A day that is missing is a closed day."""


class DateException(msgspec.Struct, frozen=True, kw_only=True):
    """What holds on one date in place of the weekly hours: closed, or other spans."""

    closed: bool = False
    spans: tuple[Span, ...] = ()
    note: str = ""


Exceptions = dict[str, DateException]
"""By local date (``2026-02-17``)."""


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """What decides when a store is open: all that ``core.stores.hours`` looks at."""

    state: str = "active"
    zone: str = "Asia/Shanghai"
    hours: WeeklyHours = {}
    exceptions: Exceptions = {}
    closed_from: datetime | None = None
    closed_until: datetime | None = None


class StoreView(Opening, frozen=True, kw_only=True):
    """One store. ``lat``/``lng`` are GCJ-02 degrees, whatever system they were given in (``coord_sys_given``)."""

    id: int
    code: str
    name: str
    kind: str
    province: str
    city: str
    district: str
    address: str
    postcode: str
    phone: str
    lat: float | None
    lng: float | None
    coord_sys_given: str
    services: tuple[str, ...]
    closed_reason: str
    notice: str
    extra: dict[str, object]
    version: int
    created_at: datetime
    updated_at: datetime


class StoreChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What to change of a store; what is not given stays. ``lat`` and ``lng`` come together, in ``coord_sys``."""

    name: Annotated[str, Meta(examples=["上海南京东路店"])] | UnsetType = UNSET
    kind: StoreKind | UnsetType = UNSET
    state: Annotated[StoreState, Meta(description="`inactive` is not shown yet, `closed` is for good.")] | UnsetType = (
        UNSET
    )
    province: Annotated[str, Meta(examples=["上海市"])] | UnsetType = UNSET
    city: Annotated[str, Meta(examples=["上海市"])] | UnsetType = UNSET
    district: Annotated[str, Meta(examples=["黄浦区"])] | UnsetType = UNSET
    address: Annotated[str, Meta(examples=["南京东路 1 号"])] | UnsetType = UNSET
    postcode: str | UnsetType = UNSET
    phone: str | UnsetType = UNSET
    lat: Annotated[float, Meta(ge=-90, le=90, examples=[31.2304])] | UnsetType | None = UNSET
    lng: Annotated[float, Meta(ge=-180, le=180, examples=[121.4737])] | UnsetType | None = UNSET
    coord_sys: Annotated[CoordSys, Meta(description="The system of lat and lng; GCJ-02 is stored.")] = "gcj02"
    zone: Annotated[str, Meta(description="IANA time zone.", examples=["Asia/Shanghai"])] | UnsetType = UNSET
    services: Annotated[tuple[Service, ...], Meta(max_length=10)] | UnsetType = UNSET
    hours: (
        Annotated[
            WeeklyHours,
            Meta(
                max_length=7,
                description="Spans by the weekday they start on; an end not after the start is on the next day.",
                examples=[{"mon": [["08:00", "22:00"]], "fri": [["10:00", "14:00"], ["22:00", "02:00"]]}],
            ),
        ]
        | UnsetType
    ) = UNSET
    exceptions: (
        Annotated[
            Exceptions,
            Meta(
                description="By local date, in place of the weekly hours: closed, or other spans.",
                examples=[{"2027-02-06": {"closed": True, "note": "春节"}}],
            ),
        ]
        | UnsetType
    ) = UNSET
    notice: Annotated[str, Meta(description="Shown to shoppers.", examples=["今日 18:00 后外带八折"])] | UnsetType = (
        UNSET
    )
    extra: Annotated[dict[str, object], Meta(description="Facts of your own, up to 8 KiB.")] | UnsetType = UNSET


class StoreDraft(StoreChange, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A store as it comes from a form or a file.

    What is not given has its default when the store is new, and stays as it is when ``upsert_stores`` meets a store
    that is known.
    """

    code: Annotated[str, Meta(description="Your own code of the store, for ever.", examples=["SH-0001"])]
    name: Annotated[str, Meta(examples=["上海南京东路店"])]  # pyright: ignore[reportGeneralTypeIssues] - required here; fields are given by keyword, so order is free


class StoreFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which stores to list; ``None`` or empty does not filter. ``ids`` is a scope: an empty tuple matches nothing."""

    city: str = ""
    service: Service | None = None
    state: StoreState | None = None
    q: str = ""
    ids: tuple[int, ...] | None = None


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """A rectangle of GCJ-02 degrees, edges included. ``west`` > ``east`` means that it goes over the date line."""

    south: float
    north: float
    west: float
    east: float


class StorePoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a store is: all that a search by distance looks at first. ``version`` is the store's."""

    id: int
    lat: float
    lng: float
    version: int


class CityCount(msgspec.Struct, frozen=True, kw_only=True):
    province: str
    city: str
    stores: int


class Extras(msgspec.Struct, frozen=True, kw_only=True):
    """What plugins add to stores, by store and plugin; ``failed`` names the plugins that gave no answer this time."""

    by_store: dict[int, dict[str, object]] = {}
    failed: tuple[str, ...] = ()


class UpsertResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one draft, in the order of the drafts. ``rejected`` says why; nothing was written."""

    code: str
    outcome: Literal["created", "changed", "unchanged", "rejected"]
    store_id: int | None = None
    problems: tuple[Problem, ...] = ()


class OpenStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a store is open at a moment, why not, and when that changes (``None``: not as far as is known)."""

    open_now: bool
    reason: OpenReason
    next_change: datetime | None
