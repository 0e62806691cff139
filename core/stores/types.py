"""Stores as the rest of the mall sees them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

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

    name: str | UnsetType = UNSET
    kind: StoreKind | UnsetType = UNSET
    state: StoreState | UnsetType = UNSET
    province: str | UnsetType = UNSET
    city: str | UnsetType = UNSET
    district: str | UnsetType = UNSET
    address: str | UnsetType = UNSET
    postcode: str | UnsetType = UNSET
    phone: str | UnsetType = UNSET
    lat: float | UnsetType | None = UNSET
    lng: float | UnsetType | None = UNSET
    coord_sys: CoordSys = "gcj02"
    zone: str | UnsetType = UNSET
    services: tuple[Service, ...] | UnsetType = UNSET
    hours: WeeklyHours | UnsetType = UNSET
    exceptions: Exceptions | UnsetType = UNSET
    notice: str | UnsetType = UNSET
    extra: dict[str, object] | UnsetType = UNSET


class StoreDraft(StoreChange, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A store as it comes from a form or a file.

    What is not given has its default when the store is new, and stays as it is when ``upsert_stores`` meets a store
    that is known.
    """

    code: str
    name: str  # pyright: ignore[reportGeneralTypeIssues] - required here; fields are given by keyword, so order is free


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
