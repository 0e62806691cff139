"""From a wish to an order: quote it, then place it once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec
import structlog

from core import db
from core.carts import service as carts
from core.events import defer, emit
from core.inventory import service as inventory
from core.inventory.errors import OutOfStock
from core.inventory.types import Want
from core.kernel.contracts import ObjectMissing
from core.kernel.errors import MallError, PluginUnavailable, Problem
from core.kernel.ids import new_number
from core.kernel.mall import Mall
from core.kernel.money import yuan
from core.kernel.origin import Actor
from core.orders import lifecycle, queries
from core.orders.errors import (
    CartChanged,
    ExtensionInvalid,
    ExtensionUnknown,
    MemberLimitReached,
    MethodUnknown,
    OrderEmpty,
    OrderRefused,
    OrderTooLong,
    PriceChanged,
    QuantityTooLarge,
    RequestKeyReused,
)
from core.orders.events import OrderPlaced
from core.orders.types import (
    FulfilmentMethod,
    FulfilmentOption,
    FulfilmentPlan,
    Order,
    OrderDraft,
    OrderQuote,
)
from core.payments import service as payments
from core.pricing import service as pricing
from core.pricing.types import Quote

MAX_LINES = 100
MAX_QTY = 999
log = structlog.get_logger("mall.placing")
CANCEL_JOB = "orders.cancel_unpaid"


async def quote(mall: Mall, draft: OrderDraft) -> OrderQuote:
    """Price a draft and say everything that stands in its way. Orders nothing; a failing plugin's part is left out.

    Raises ``OrderEmpty``, ``OrderTooLong``, ``ExtensionUnknown`` or ``ExtensionInvalid`` for what cannot be priced.
    """
    draft = check_shape(mall, draft)
    plans = await _plans(mall, draft)
    chosen = plans.get(draft.fulfilment_method)
    problems: list[Problem] = []
    plan = FulfilmentPlan(location_id=0)
    if isinstance(chosen, FulfilmentPlan):
        plan = chosen
    else:
        problems.append(chosen or MethodUnknown(method=draft.fulfilment_method).as_problem())
    priced, found = await _priced(mall, draft, plan, placing=False)
    problems += found
    if plan.location_id:
        problems += await _short(mall, priced, plan.location_id)
    answers = await mall.hooks.lenient("order_guard", mall=mall, draft=draft, quote=priced)
    problems += [problem for _, said in answers.given for problem in said]
    problems += [PluginUnavailable(plugin=plugin_id).as_problem() for plugin_id in answers.failed]
    return OrderQuote(quote=priced, problems=tuple(problems), options=await _options(mall, draft, plans))


async def _short(mall: Mall, priced: Quote, location_id: int) -> list[Problem]:
    """Say which lines there is not enough stock for now. Placing does not ask this: it reserves, or is refused."""
    free = await inventory.available(mall, [line.sku_id for line in priced.lines], location_id)
    return [
        OutOfStock(
            sku=line.sku_code,
            title=line.title,
            sku_id=line.sku_id,
            location_id=location_id,
            wanted=line.qty,
            available=left,
        ).as_problem()
        for line in priced.lines
        if (left := free.get(line.sku_id)) is not None and left < line.qty
    ]


async def _plans(mall: Mall, draft: OrderDraft) -> dict[str, FulfilmentPlan | Problem]:
    """Ask every fulfilment method for its plan; one that fails is not available, and the others still are."""
    plans: dict[str, FulfilmentPlan | Problem] = {}
    for code, owner, method in mall.objects.all(FulfilmentMethod):
        try:
            async with asyncio.timeout(mall.hooks.timeout_s):
                plans[code] = await method.plan(mall, draft)
        except MallError as refusal:
            plans[code] = refusal.as_problem()
        except Exception:
            log.exception("fulfilment method failed", method=code, owner=owner)
            plans[code] = PluginUnavailable(plugin=owner).as_problem()
    return plans


async def _options(
    mall: Mall, draft: OrderDraft, plans: Mapping[str, FulfilmentPlan | Problem]
) -> tuple[FulfilmentOption, ...]:
    """Return the ways to get the goods of ``draft``: every method that is there, then what plugins propose."""
    options = [
        FulfilmentOption(
            method=code,
            title=method.title,
            available=isinstance(plan := plans[code], FulfilmentPlan),
            freight_fen=plan.freight_fen if isinstance(plan, FulfilmentPlan) else 0,
            store_id=draft.store_id,
            reason=None if isinstance(plan, FulfilmentPlan) else plan.message,
        )
        for code, _, method in mall.objects.all(FulfilmentMethod)
        if code in plans
    ]
    answers = await mall.hooks.lenient("fulfilment_options", mall=mall, draft=draft)
    return (*options, *(option for _, said in answers.given for option in said))


async def place_order(mall: Mall, draft: OrderDraft, *, expected_total_fen: int, request_key: str) -> Order:
    """Turn ``draft`` into an order awaiting payment, once per member and ``request_key``.

    Refuses with ``OrderRefused`` (every reason at once), ``PriceChanged`` (with the new quote), ``OutOfStock`` or
    ``RequestKeyReused``; nothing is written then. A repeat of a key answers the order that it made.
    Locks: stock rows by (sku, location), then plugin rows. UNIQUE (member_id, request_key) settles two calls at once.
    """
    wish = queries.fingerprint(draft, expected_total_fen)
    try:
        return await _place_once(mall, check_shape(mall, draft), expected_total_fen, request_key=request_key, wish=wish)
    except MallError:
        # A repeat must answer the order it made, even where a new order would be refused by now (sold out, price
        # changed). Asked only after a refusal: the common path pays no round trip for it.
        earlier = await _earlier(draft.member_id, request_key, wish)
        if earlier is None:
            raise
        return earlier


async def _place_once(
    mall: Mall, draft: OrderDraft, expected_total_fen: int, *, request_key: str, wish: bytes
) -> Order:
    try:
        method = mall.objects.get(FulfilmentMethod, draft.fulfilment_method)
    except ObjectMissing as exc:
        raise MethodUnknown(method=draft.fulfilment_method) from exc
    plan = await method.plan(mall, draft)
    priced, problems = await _priced(mall, draft, plan, placing=True)
    if not problems and priced.payable_fen != expected_total_fen:
        raise PriceChanged(
            now_fen=priced.payable_fen,
            seen_fen=expected_total_fen,
            now=yuan(priced.payable_fen),
            seen=yuan(expected_total_fen),
            quote=msgspec.to_builtins(priced),
        )
    answers = await mall.hooks.strict("order_guard", mall=mall, draft=draft, quote=priced)
    problems += [problem for _, said in answers for problem in said]
    if problems:
        raise OrderRefused(problems=problems)

    now = mall.clock.now()
    deadline = now + timedelta(minutes=mall.settings.mall_pay_minutes) if priced.payable_fen else None
    async with db.transaction():
        await _refuse_over_member_limits(mall, draft, priced)
        order = await queries.insert(
            draft, priced, number=new_number("M", now, mall.settings.mall_zone), request_key=request_key,
            request_hash=wish, location_id=plan.location_id, pay_deadline=deadline, now=now,
        )  # fmt: skip
        if order is not None:
            await _claim(mall, order, draft)
    if order is None:
        earlier = await _earlier(draft.member_id, request_key, wish)
        assert earlier is not None
        return earlier
    return order if order.payable_fen and not mall.hooks.has("order_placing") else await _reread(order)


async def _claim(mall: Mall, order: Order, draft: OrderDraft) -> None:
    """Take everything the order needs, in its transaction: stock, plugins' parts, and what must happen later."""
    wants = [
        Want(order_line_id=line.id, sku_id=line.sku_id, location_id=line.location_id, qty=line.qty)
        for line in order.lines
        if line.location_id is not None
    ]
    await inventory.reserve(mall, order.id, wants, expires_at=order.pay_deadline)
    if draft.from_cart:
        ordered = {line.sku_id: line.qty for line in draft.lines}
        if not await carts.take_ordered(mall, draft.member_id, ordered):
            raise CartChanged
    await mall.hooks.strict("order_placing", mall=mall, order=order, draft=draft)
    emit(mall, OrderPlaced(origin=order.origin, order_id=order.id, number=order.number, member_id=order.member_id,
                           payable_fen=order.payable_fen))  # fmt: skip
    if order.pay_deadline is not None:
        # A little late on purpose: the queue counts from the start of the transaction, and a job that comes before the
        # deadline has nothing to do.
        defer(mall, CANCEL_JOB, {"order_id": order.id}, at=order.pay_deadline + timedelta(seconds=2))
    else:
        await payments.settle_zero(mall, order.id, origin=order.origin)
        buyer = Actor(kind="member", id=order.member_id)
        await lifecycle.transition(mall, order, "pay", actor=buyer, reason="zero", guarded=False)


async def _reread(order: Order) -> Order:
    after = await queries.by_id(order.id)
    assert after is not None
    return after


async def _earlier(member_id: int, request_key: str, wish: bytes) -> Order | None:
    found = await queries.by_request_key(member_id, request_key)
    if found is None:
        return None
    order, made_for = found
    if made_for != wish:
        raise RequestKeyReused
    return order


async def _priced(mall: Mall, draft: OrderDraft, plan: FulfilmentPlan, *, placing: bool) -> tuple[Quote, list[Problem]]:
    priced = await pricing.quote(
        mall,
        member_id=draft.member_id,
        lines=[(line.sku_id, line.qty) for line in draft.lines],
        store_id=draft.store_id,
        origin=draft.origin,
        fulfilment_method=draft.fulfilment_method,
        freight_fen=plan.freight_fen,
        extensions=draft.extensions,
        placing=placing,
    )
    return priced.quote, list(priced.problems)


def check_shape(mall: Mall, draft: OrderDraft) -> OrderDraft:
    """Merge lines of one SKU and validate the extensions by their plugins' structs; raises ``Invalid`` refusals."""
    if not draft.lines:
        raise OrderEmpty
    wanted: dict[int, int] = {}
    for line in draft.lines:
        wanted[line.sku_id] = wanted.get(line.sku_id, 0) + line.qty
    if len(wanted) > MAX_LINES:
        raise OrderTooLong(limit=MAX_LINES)
    if any(qty > MAX_QTY for qty in wanted.values()):
        raise QuantityTooLarge(limit=MAX_QTY)
    lines = tuple(msgspec.structs.replace(draft.lines[0], sku_id=sku_id, qty=qty) for sku_id, qty in wanted.items())
    checked = {plugin_id: _extension(mall, plugin_id, given) for plugin_id, given in draft.extensions.items()}
    return msgspec.structs.replace(draft, lines=lines, extensions=checked)


def _extension(mall: Mall, plugin_id: str, given: dict[str, object]) -> dict[str, object]:
    kind: type[Any] | None = mall.plugins.extensions().get(plugin_id) if mall.plugins is not None else None
    if kind is None:
        raise ExtensionUnknown(plugin=plugin_id)
    try:
        return msgspec.to_builtins(msgspec.convert(given, kind))
    except msgspec.ValidationError as exc:
        raise ExtensionInvalid(plugin=plugin_id, reason=str(exc)) from exc


async def _refuse_over_member_limits(mall: Mall, draft: OrderDraft, priced: Quote) -> None:
    """Hold products with a limit per member to it, counting live orders; two orders at once wait for each other."""
    limited = {line.product_id: line for line in priced.lines if line.max_per_member}
    if not limited:
        return
    await db.execute("SELECT pg_advisory_xact_lock(hashtextextended('member_limit', $1))", draft.member_id)
    bought = {
        r["product_id"]: r["qty"]
        for r in await db.rows(
            "SELECT l.product_id, sum(l.qty - l.refunded_qty)::int AS qty "
            "FROM order_line l JOIN orders o ON o.id = l.order_id "
            "WHERE o.member_id = $1 AND l.product_id = ANY($2) AND o.status <> 'cancelled' GROUP BY l.product_id",
            draft.member_id,
            list(limited),
        )
    }
    problems: list[Problem] = []
    for product_id, line in limited.items():
        wanted = sum(one.qty for one in priced.lines if one.product_id == product_id)
        already = bought.get(product_id, 0)
        if already + wanted > line.max_per_member:
            refusal = MemberLimitReached(title=line.title, limit=line.max_per_member, bought=already)
            problems.append(refusal.as_problem())
    if problems:
        raise OrderRefused(problems=problems)
