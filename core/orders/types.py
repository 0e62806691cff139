"""Orders as the rest of the mall sees them, and the protocol of a fulfilment method."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from core.kernel.errors import Problem
from core.kernel.i18n import Text
from core.kernel.origin import Actor, Origin
from core.pricing.types import Quote

if TYPE_CHECKING:
    from core.kernel.mall import Mall

OrderStatus = Literal["pending_payment", "cancelling", "cancelled", "paid", "completed", "closed"]
FulfilmentState = Literal["none", "partial", "done"]
RefundState = Literal["none", "partial", "full"]


class DraftLine(msgspec.Struct, frozen=True, kw_only=True):
    sku_id: int
    qty: int


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    name: str = ""
    phone: str = ""


class OrderDraft(msgspec.Struct, frozen=True, kw_only=True):
    """What a member wants to order. Read-only for guards; ``extensions``, by plugin id, is already validated."""

    member_id: int
    lines: tuple[DraftLine, ...]
    origin: Origin
    store_id: int | None
    fulfilment_method: str
    contact: Contact = Contact()
    address: dict[str, object] | None = None
    note: str = ""
    extensions: dict[str, dict[str, object]] = {}
    from_cart: bool = False


class OrderLineView(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    position: int
    sku_id: int
    product_id: int
    location_id: int | None
    sku_code: str
    title: str
    options: tuple[str, ...]
    image_url: str
    qty: int
    unit_fen: int
    amount_fen: int
    discount_fen: int
    payable_fen: int
    fulfilled_qty: int
    refunded_qty: int


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One order with its lines.

    The axes are independent: ``status``, ``fulfilment_state``, ``refund_state``, ``held``.
    """

    id: int
    number: str
    member_id: int
    kind: str
    status: OrderStatus
    fulfilment_state: FulfilmentState
    refund_state: RefundState
    held: bool
    channel: str
    store_id: int | None
    staff_id: int | None
    fulfilment_method: str
    contact_name: str
    contact_phone: str
    address: dict[str, object] | None
    note: str
    goods_fen: int
    discount_fen: int
    freight_fen: int
    payable_fen: int
    paid_fen: int
    refunded_fen: int
    pay_deadline: datetime | None
    extensions: dict[str, dict[str, object]]
    cancel_reason: str | None
    version: int
    placed_at: datetime
    paid_at: datetime | None
    completed_at: datetime | None
    cancelled_at: datetime | None
    lines: tuple[OrderLineView, ...] = ()

    @property
    def origin(self) -> Origin:
        return Origin(channel=self.channel, store_id=self.store_id, staff_id=self.staff_id)


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """A change of ``status`` that is about to happen (guards) or is happening (participants)."""

    event: str
    source: OrderStatus
    to: OrderStatus
    actor: Actor
    reason: str = ""


class FulfilmentOption(msgspec.Struct, frozen=True, kw_only=True):
    """A way the goods can reach the buyer. ``reason`` says why it is not available here and now."""

    method: str
    title: Text
    available: bool
    freight_fen: int = 0
    store_id: int | None = None
    reason: Text | None = None


class FulfilmentPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The stock location that serves an order (behaviour.md 5.1 rule 7), and the freight before adjustments."""

    location_id: int
    freight_fen: int = 0


class FulfilmentMethod(Protocol):
    """How goods reach the buyer. Found by ``code`` (``pickup``); the core's own is pick-up."""

    code: str
    title: Text

    async def plan(self, mall: Mall, draft: OrderDraft) -> FulfilmentPlan:
        """Say from where and for how much ``draft`` can be fulfilled, or refuse: no store, closed for good, no address.

        Read only. Called for quotes and, again, when the order is placed.
        """
        ...

    async def ready(self, mall: Mall, order: Order) -> None:
        """Start fulfilment: the order is paid and not held.

        Runs in the transaction that made it so; twice is harmless.
        """
        ...

    async def stopped(self, mall: Mall, order: Order) -> None:
        """Stop it: a hold was put or the order ended. Runs in that transaction; twice is harmless."""
        ...


class OrderQuote(msgspec.Struct, frozen=True, kw_only=True):
    """A quote for a draft, every reason why it could not become an order now, and the ways to get the goods."""

    quote: Quote
    problems: tuple[Problem, ...] = ()
    options: tuple[FulfilmentOption, ...] = ()
