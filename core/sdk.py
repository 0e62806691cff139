"""What a plugin may use: the only module of the core that plugins import (besides ``core.testing``).

``API_VERSION`` is the version of this list and of the hooks; a minor version only adds. The services of the domains
are the modules ``catalog``, ``stores``, ``inventory``, ``members``, ``orders`` and ``payments``; SQL on a plugin's own
tables goes through ``db``.
"""

from __future__ import annotations

from core import db
from core.cache import RateLimited, ResponseCache, invalidate, rate_limit
from core.carts.types import CartLineView
from core.catalog import service as catalog
from core.catalog.events import ProductChanged
from core.catalog.types import ProductCard, ProductFilter, ProductView, SellableSku, SkuView
from core.events import Event, defer, emit
from core.events.audit import record as audit
from core.fulfilment.events import PickupVerified
from core.hookspecs import hookimpl
from core.inventory import service as inventory
from core.inventory.errors import OutOfStock
from core.inventory.events import StockChanged
from core.inventory.types import LocationView, StockLevel, StockView
from core.kernel.clock import Clock
from core.kernel.contracts import EventHandler, Job, NotificationChannel, ObjectMissing, Permission
from core.kernel.errors import Conflict, Invalid, MallError, NotFound, Problem, Unavailable
from core.kernel.i18n import Lang, Text
from core.kernel.ids import new_code, new_digits, new_number, new_token, token_hash
from core.kernel.mall import Mall
from core.kernel.money import BP_ONE, allocate, percent_of, share_of_units, yuan
from core.kernel.origin import SYSTEM, Actor, Origin
from core.kernel.secrets import Secret
from core.members import service as members
from core.members.events import MemberJoined
from core.members.types import IdentityProvider, JoinSource, MemberSessionView, MemberView, Proof
from core.orders import service as orders
from core.orders.errors import (
    OrderHeld,
    OrderNotFound,
    OrderRefused,
    PriceChanged,
    TransitionRefused,
    WrongStatus,
    named_status,
)
from core.orders.events import OrderCancelled, OrderCompleted, OrderFulfilled, OrderPaid, OrderPlaced
from core.orders.types import (
    Contact,
    DraftLine,
    FulfilmentMethod,
    FulfilmentOption,
    FulfilmentPlan,
    Order,
    OrderDraft,
    OrderLineView,
    Transition,
)
from core.payments import service as payments
from core.payments.errors import NothingToPay, PaymentNotFound, ReferenceUsed
from core.payments.events import PaymentCaptured
from core.payments.types import Capture, ChannelState, Payer, PaymentProvider, PaymentView, Prepared
from core.plugin_host.config import plugin_config
from core.plugin_host.manifest import API_VERSION, Plugin
from core.pricing.types import Adjustment, Quote, QuoteLine, Stage
from core.staff.types import StaffSessionView
from core.stores import coords, hours
from core.stores import service as stores
from core.stores.errors import CoordinatesInvalid, StoreNotFound
from core.stores.events import StoreChanged, StoreCreated
from core.stores.types import (
    Box,
    CoordSys,
    DateException,
    Opening,
    OpenReason,
    OpenStatus,
    Service,
    StoreDraft,
    StoreFilter,
    StorePoint,
    StoreView,
)
from core.web.auth import need_scope
from core.web.idempotency import RequestKey
from core.web.pagination import Page, Paged, decode_cursor, encode_cursor, paged
from core.web.problems import problems

__all__ = [
    "API_VERSION",
    "BP_ONE",
    "SYSTEM",
    "Actor",
    "Adjustment",
    "Box",
    "Capture",
    "CartLineView",
    "ChannelState",
    "Clock",
    "Conflict",
    "Contact",
    "CoordSys",
    "CoordinatesInvalid",
    "DateException",
    "DraftLine",
    "Event",
    "EventHandler",
    "FulfilmentMethod",
    "FulfilmentOption",
    "FulfilmentPlan",
    "IdentityProvider",
    "Invalid",
    "Job",
    "JoinSource",
    "Lang",
    "LocationView",
    "Mall",
    "MallError",
    "MemberJoined",
    "MemberSessionView",
    "MemberView",
    "NotFound",
    "NothingToPay",
    "NotificationChannel",
    "ObjectMissing",
    "OpenReason",
    "OpenStatus",
    "Opening",
    "Order",
    "OrderCancelled",
    "OrderCompleted",
    "OrderDraft",
    "OrderFulfilled",
    "OrderHeld",
    "OrderLineView",
    "OrderNotFound",
    "OrderPaid",
    "OrderPlaced",
    "OrderRefused",
    "Origin",
    "OutOfStock",
    "Page",
    "Paged",
    "Payer",
    "PaymentCaptured",
    "PaymentNotFound",
    "PaymentProvider",
    "PaymentView",
    "Permission",
    "PickupVerified",
    "Plugin",
    "Prepared",
    "PriceChanged",
    "Problem",
    "ProductCard",
    "ProductChanged",
    "ProductFilter",
    "ProductView",
    "Proof",
    "Quote",
    "QuoteLine",
    "RateLimited",
    "ReferenceUsed",
    "RequestKey",
    "ResponseCache",
    "Secret",
    "SellableSku",
    "Service",
    "SkuView",
    "StaffSessionView",
    "Stage",
    "StockChanged",
    "StockLevel",
    "StockView",
    "StoreChanged",
    "StoreCreated",
    "StoreDraft",
    "StoreFilter",
    "StoreNotFound",
    "StorePoint",
    "StoreView",
    "Text",
    "Transition",
    "TransitionRefused",
    "Unavailable",
    "WrongStatus",
    "allocate",
    "audit",
    "catalog",
    "coords",
    "db",
    "decode_cursor",
    "defer",
    "emit",
    "encode_cursor",
    "hookimpl",
    "hours",
    "invalidate",
    "inventory",
    "members",
    "named_status",
    "need_scope",
    "new_code",
    "new_digits",
    "new_number",
    "new_token",
    "orders",
    "paged",
    "payments",
    "percent_of",
    "plugin_config",
    "problems",
    "rate_limit",
    "share_of_units",
    "stores",
    "token_hash",
    "yuan",
]
