"""What nearby_stores talks about. Positions are GCJ-02 degrees; distances whole metres."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from core.sdk import OpenReason, Service

MAX_RADIUS_M = 50_000
AreaKind = Literal["radius", "polygon"]
ServeReason = Literal[
    "inside_radius", "inside_polygon", "outside_radius", "outside_polygon", "no_area", "no_delivery", "no_position"
]


class NearbyStoresConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the mall decides: how far to look when a shopper does not say."""

    default_radius_m: Annotated[int, Meta(ge=1, le=MAX_RADIUS_M)] = 5000


class Place(Struct, frozen=True):
    """A point on Earth in GCJ-02."""

    lat: float
    lng: float


class Wanted(Struct, frozen=True, kw_only=True):
    """What a shopper looks for. Without ``place`` the stores of ``city`` (all, if empty) in the default order."""

    place: Place | None = None
    radius_m: int = MAX_RADIUS_M
    city: str = ""
    service: Service | None = None
    open_now: bool = False
    sku_id: int | None = None


class NearbyStore(Struct, frozen=True, kw_only=True):
    """One store of the answer. ``distance_m`` is null where the shopper gave no position."""

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
    distance_m: int | None
    open_now: bool
    reason: OpenReason
    next_change: datetime | None


class Area(Struct, frozen=True, kw_only=True):
    """Where a store delivers: within a radius of itself, or inside a polygon of corners in GCJ-02."""

    store_id: int
    kind: AreaKind
    radius_m: int | None
    polygon: tuple[Place, ...] | None
    fee_rule_id: str
    updated_at: datetime


class Served(Struct, frozen=True, kw_only=True):
    """Whether one store delivers to a place, and why. ``fee_rule_id`` names the delivery fee rule where it does."""

    store_id: int
    code: str
    name: str
    serves: bool
    reason: ServeReason
    fee_rule_id: str | None
    distance_m: int | None
    open_now: bool


class IndexReport(Struct, frozen=True, kw_only=True):
    """What a check found, and repaired, between the index and the database. ``rebuilt``: it was not usable at all."""

    stores: int
    missing: int
    misplaced: int
    surplus: int
    rebuilt: bool = False
