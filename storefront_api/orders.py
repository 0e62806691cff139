"""Orders as shoppers see them: quote, place, pay, follow, cancel."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter
from msgspec import Meta, Struct

from core.fulfilment import pickup
from core.fulfilment.errors import NoCode
from core.inventory.errors import OutOfStock
from core.kernel import request as request_info
from core.kernel.errors import Problem
from core.kernel.i18n import Lang
from core.kernel.mall import Mall
from core.kernel.origin import Origin
from core.members import service as members
from core.members.types import MemberSessionView
from core.orders import service as orders
from core.orders.errors import (
    CartChanged,
    OrderEmpty,
    OrderNotFound,
    OrderRefused,
    PriceChanged,
    QuantityTooLarge,
    RequestKeyReused,
    TransitionRefused,
    WrongStatus,
)
from core.orders.placing import MAX_QTY
from core.orders.service import OrderFilter
from core.orders.types import Contact, DraftLine, Order, OrderDraft
from core.payments.errors import ChannelUnreachable, NothingToPay, PayTimeOver, ProviderMissing, ProviderNotOffered
from core.payments.types import Payer, PaymentView
from core.pricing import service as pricing
from core.pricing.types import Quote
from core.web import Page, Paged, RequestKey, paged, problems

TAGS = ["orders"]


class Line(Struct, frozen=True, forbid_unknown_fields=True):
    """How many of which SKU."""

    sku_id: Annotated[int, Meta(ge=1, description="Id of a SKU of the menu.", examples=[17])]
    qty: Annotated[int, Meta(ge=1, le=MAX_QTY, description="Whole units.", examples=[1])]


class ContactIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Who picks up or receives the goods."""

    name: Annotated[str, Meta(max_length=64)] = ""
    phone: Annotated[str, Meta(max_length=20, pattern=r"^\+?[0-9 \-]*$")] = ""


class Wish(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the shopper wants to order. Give ``lines``, or ``from_cart`` to take the cart's selected lines."""

    lines: Annotated[tuple[Line, ...], Meta(max_length=100)] = ()
    from_cart: bool = False
    store_id: Annotated[int, Meta(ge=1, description="The store to pick up from.", examples=[1])] | None = None
    fulfilment_method: Annotated[str, Meta(max_length=32, examples=["pickup"])] = "pickup"
    contact: ContactIn = ContactIn()
    note: Annotated[str, Meta(max_length=200, description="A wish to the shop.", examples=["少冰"])] = ""
    extensions: Annotated[
        dict[str, dict[str, Any]], Meta(description="What plugins need to know, by plugin id.", max_length=20)
    ] = {}


class Submit(Wish, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A wish with the total that the shopper saw."""

    expected_total_fen: Annotated[
        int, Meta(ge=0, description="`payable_fen` of the quote that was shown; another total is 409.", examples=[3200])
    ]


class Pay(Struct, frozen=True, forbid_unknown_fields=True):
    provider: Annotated[str, Meta(max_length=32, description="A `provider` of `GET …/payment-methods`.")]


class Reason(Struct, frozen=True, forbid_unknown_fields=True):
    """Why; shown to the shop."""

    reason: Annotated[str, Meta(max_length=64)] = "buyer"


class ReasonView(Struct, frozen=True):
    code: str
    message: str
    details: dict[str, Any]


class QuoteLineView(Struct, frozen=True, kw_only=True):
    sku_id: int
    product_id: int
    title: str
    options: tuple[str, ...]
    image_url: str
    qty: int
    unit_fen: int
    amount_fen: int
    payable_fen: int


class PriceStep(Struct, frozen=True, kw_only=True):
    """One step of how the price came about. ``skipped`` says why a proposal changed nothing."""

    stage: str | None
    plugin_id: str
    code: str
    label: str | None
    amount_fen: int
    skipped: str | None
    payable_fen: int


class OptionView(Struct, frozen=True, kw_only=True):
    """A way to get the goods, and why it is not available for this wish."""

    method: str
    title: str
    available: bool
    freight_fen: int
    store_id: int | None
    reason: str | None


class QuoteView(Struct, frozen=True, kw_only=True):
    """A price with everything that made it. ``payable_fen`` = goods + discount (≤ 0) + freight."""

    lines: tuple[QuoteLineView, ...]
    goods_fen: int
    discount_fen: int
    freight_fen: int
    payable_fen: int
    explanation: tuple[PriceStep, ...]
    can_be_placed: bool
    problems: tuple[ReasonView, ...]
    fulfilment_options: tuple[OptionView, ...]


class OrderLineOut(Struct, frozen=True, kw_only=True):
    sku_id: int
    product_id: int
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


class OrderView(Struct, frozen=True, kw_only=True):
    """An order. ``status``, ``fulfilment_state``, ``refund_state`` and ``held`` are independent of each other."""

    number: str
    status: str
    fulfilment_state: str
    refund_state: str
    held: bool
    store_id: int | None
    fulfilment_method: str
    contact_name: str
    contact_phone: str
    note: str
    lines: tuple[OrderLineOut, ...]
    goods_fen: int
    discount_fen: int
    freight_fen: int
    payable_fen: int
    paid_fen: int
    pay_deadline: datetime | None
    cancel_reason: str | None
    placed_at: datetime
    paid_at: datetime | None
    completed_at: datetime | None
    cancelled_at: datetime | None
    extra: dict[str, Any] = {}
    extra_missing: Annotated[tuple[str, ...], Meta(description="Plugins that gave no answer this time.")] = ()


class StepView(Struct, frozen=True, kw_only=True):
    event: str
    status_from: str | None
    status_to: str | None
    by: str
    at: datetime


class EffectView(Struct, frozen=True, kw_only=True):
    """One price effect, as it was when the order was placed."""

    plugin_id: str
    stage: str
    label: str
    amount_fen: int


class OrderDetailView(OrderView, frozen=True, kw_only=True):
    """An order with its price effects, its timeline, and why it is held."""

    adjustments: tuple[EffectView, ...]
    timeline: tuple[StepView, ...]
    holds: tuple[ReasonView, ...]


class MethodView(Struct, frozen=True, kw_only=True):
    provider: str
    title: str


class PaymentOut(Struct, frozen=True, kw_only=True):
    """One attempt to pay. ``action`` tells the client what to do next."""

    number: str
    provider: str
    state: str
    amount_fen: int
    action: dict[str, Any] | None
    expires_at: datetime | None


class PickupCodeView(Struct, frozen=True, kw_only=True):
    """Show ``code`` at the counter. ``state``: issued, used."""

    code: str
    state: str
    store_id: int
    issued_at: datetime
    used_at: datetime | None


def reasons(found: tuple[Problem, ...], lang: Lang) -> tuple[ReasonView, ...]:
    return tuple(ReasonView(code=p.code, message=p.message.pick(lang), details=p.details) for p in found)


def view(order: Order, extra: dict[str, Any] | None = None, missing: tuple[str, ...] = ()) -> OrderView:
    values = {**msgspec.structs.asdict(order), "extra": extra or {}, "extra_missing": missing}
    return msgspec.convert(values, OrderView, from_attributes=True)


def explanation(quote: Quote, lang: Lang) -> tuple[PriceStep, ...]:
    return tuple(
        PriceStep(
            stage=step.stage, plugin_id=step.plugin_id, code=step.code,
            label=step.label.pick(lang) if step.label else None,
            amount_fen=step.amount_fen, skipped=step.skipped, payable_fen=step.payable_fen,
        )
        for step in pricing.explain(quote)
    )  # fmt: skip


def payment_view(payment: PaymentView) -> PaymentOut:
    return PaymentOut(
        number=payment.number, provider=payment.provider, state=payment.state, amount_fen=payment.amount_fen,
        action=payment.client_action, expires_at=payment.expires_at,
    )  # fmt: skip


async def _draft(mall: Mall, member: MemberSessionView, data: Wish) -> OrderDraft:
    lines = tuple(DraftLine(sku_id=line.sku_id, qty=line.qty) for line in data.lines)
    if data.from_cart:
        from core.carts import service as carts  # noqa: PLC0415 - only this branch needs the cart

        selected = await carts.selected(mall, member.member_id)
        lines = tuple(DraftLine(sku_id=sku_id, qty=qty) for sku_id, qty in selected)
    return OrderDraft(
        member_id=member.member_id,
        lines=lines,
        origin=Origin(channel=member.channel, store_id=data.store_id),
        store_id=data.store_id,
        fulfilment_method=data.fulfilment_method,
        contact=Contact(name=data.contact.name, phone=data.contact.phone),
        note=data.note,
        extensions=data.extensions,
        from_cart=data.from_cart,
    )


@post(
    "/quotes", operation_id="quote_order", tags=TAGS, summary="Price a wish", status_code=200,
    description="Prices lines (or the cart) for a store, writes nothing, and lists everything that stands in the way.",
    responses=problems(OrderEmpty),
)  # fmt: skip
async def quote_order(mall: Mall, member: MemberSessionView, lang: Lang, data: Wish) -> QuoteView:
    found = await orders.quote(mall, await _draft(mall, member, data))
    quote = found.quote
    return QuoteView(
        lines=tuple(
            QuoteLineView(
                sku_id=line.sku_id, product_id=line.product_id, title=line.title, options=line.options,
                image_url=line.image_url, qty=line.qty, unit_fen=line.unit_fen, amount_fen=line.amount_fen,
                payable_fen=line.left_fen,
            )
            for line in quote.lines
        ),
        goods_fen=quote.goods_fen, discount_fen=quote.discount_fen, freight_fen=quote.freight_fen,
        payable_fen=quote.payable_fen, explanation=explanation(quote, lang), can_be_placed=not found.problems,
        problems=reasons(found.problems, lang),
        fulfilment_options=tuple(
            OptionView(
                method=o.method, title=o.title.pick(lang), available=o.available, freight_fen=o.freight_fen,
                store_id=o.store_id, reason=o.reason.pick(lang) if o.reason else None,
            )
            for o in found.options
        ),
    )  # fmt: skip


@post(
    "/orders", operation_id="place_order", tags=TAGS, summary="Place an order",
    description="Reserves the stock and waits for payment until `pay_deadline`. Send the total that the shopper saw "
    "and an `Idempotency-Key`: sending both again answers the same order.",
    responses=problems(
        OrderEmpty, OrderRefused, PriceChanged, OutOfStock, RequestKeyReused, CartChanged, QuantityTooLarge
    ),
)  # fmt: skip
async def place_order(mall: Mall, member: MemberSessionView, request_key: RequestKey, data: Submit) -> OrderView:
    draft = await _draft(mall, member, data)
    order = await orders.place_order(mall, draft, expected_total_fen=data.expected_total_fen, request_key=request_key)
    return view(order)


@get("/orders", operation_id="list_orders", tags=TAGS, summary="My orders, newest first")
async def list_orders(
    mall: Mall,
    member: MemberSessionView,
    page: Page,
    status: Annotated[str | None, Parameter(max_length=16, description="Only orders with this status.")] = None,
) -> Paged[OrderView]:
    after = page.after(tuple[int])
    found = await orders.find(
        mall, OrderFilter(member_id=member.member_id, status=status), after_id=after[0] if after else None,
        limit=page.limit + 1,
    )  # fmt: skip
    cut = paged(found, page.limit, lambda order: (order.id,))
    extra = await orders.extras(mall, [order.id for order in cut.items])
    return Paged(
        items=[view(order, extra.by_order.get(order.id), extra.failed) for order in cut.items],
        next_cursor=cut.next_cursor,
    )


@get(
    "/orders/{number:str}", operation_id="get_order", tags=TAGS, summary="One of my orders, with its timeline",
    responses=problems(OrderNotFound),
)  # fmt: skip
async def get_order(mall: Mall, member: MemberSessionView, lang: Lang, number: str) -> OrderDetailView:
    order = await orders.get(mall, number, member_id=member.member_id)
    found = await orders.detail(mall, order)
    return OrderDetailView(
        **msgspec.structs.asdict(view(order, found.extra, found.extra_missing)),
        adjustments=tuple(
            EffectView(
                plugin_id=a.plugin_id, stage=a.stage, label=a.label_en if lang == "en" else a.label_zh,
                amount_fen=a.amount_fen,
            )
            for a in found.adjustments
        ),
        timeline=tuple(
            StepView(event=t.event, status_from=t.status_from, status_to=t.status_to, by=t.actor_kind, at=t.at)
            for t in found.timeline
        ),
        holds=reasons(found.holds, lang),
    )  # fmt: skip


@post(
    "/orders/{number:str}/cancel", operation_id="cancel_order", tags=TAGS, summary="Cancel an unpaid order",
    status_code=200,
    description="Gives the stock back. The answer's `status` is `cancelled`, or `cancelling` while a payment channel "
    "is being asked. 409 when the money was faster: the order is paid.",
    responses=problems(OrderNotFound, WrongStatus, TransitionRefused),
)  # fmt: skip
async def cancel_order(mall: Mall, member: MemberSessionView, number: str, data: Reason) -> OrderView:
    return view(await orders.cancel_own(mall, number, member_id=member.member_id, reason=data.reason))


@delete(
    "/orders/{number:str}", operation_id="hide_order", tags=TAGS, summary="Take an ended order out of my list",
    description="The shop keeps the order; orders that have not ended stay in the list.",
    responses=problems(OrderNotFound),
)  # fmt: skip
async def hide_order(mall: Mall, member: MemberSessionView, number: str) -> None:
    await orders.hide(mall, await orders.get(mall, number, member_id=member.member_id))


@get(
    "/orders/{number:str}/payment-methods", operation_id="list_payment_methods", tags=["payments"],
    summary="How this order can be paid", responses=problems(OrderNotFound),
)  # fmt: skip
async def list_payment_methods(mall: Mall, member: MemberSessionView, lang: Lang, number: str) -> list[MethodView]:
    order = await orders.get(mall, number, member_id=member.member_id)
    return [MethodView(provider=code, title=p.title.pick(lang)) for code, p in await orders.methods(mall, order)]


@post(
    "/orders/{number:str}/payments", operation_id="start_payment", tags=["payments"], summary="Start to pay an order",
    description="Opens one payment with a provider, or answers the one that is open; `action` says what to do next.",
    responses=problems(
        OrderNotFound, ProviderMissing, ProviderNotOffered, NothingToPay, PayTimeOver, ChannelUnreachable
    ),
)  # fmt: skip
async def start_payment(mall: Mall, member: MemberSessionView, number: str, data: Pay) -> PaymentOut:
    identities = await members.identities(mall, member.member_id)
    payer = Payer(member_id=member.member_id, identities=identities, ip=request_info.current.get().ip)
    return payment_view(await orders.pay_with(mall, number, provider=data.provider, payer=payer))


@get(
    "/orders/{number:str}/pickup-code", operation_id="get_pickup_code", tags=["pickup"], summary="The pick-up code",
    description="There from the moment the order is paid and not held.",
    responses=problems(OrderNotFound, NoCode),
)  # fmt: skip
async def get_pickup_code(mall: Mall, member: MemberSessionView, number: str) -> PickupCodeView:
    order = await orders.get(mall, number, member_id=member.member_id)
    code = await pickup.code_of(order)
    return PickupCodeView(
        code=code.code, state=code.state, store_id=code.store_id, issued_at=code.issued_at, used_at=code.used_at
    )


handlers: list[HTTPRouteHandler] = [
    quote_order, place_order, list_orders, get_order, cancel_order, hide_order, list_payment_methods, start_payment,
    get_pickup_code,
]  # fmt: skip
