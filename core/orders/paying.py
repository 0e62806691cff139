"""Paying for an order, and what arriving money means for it (behaviour.md 5.5)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

import structlog

from core import db
from core.events import defer, emit
from core.kernel.contracts import ObjectMissing
from core.kernel.errors import MallError
from core.kernel.mall import Mall
from core.kernel.origin import SYSTEM, Actor, Origin
from core.orders import lifecycle, queries
from core.orders.errors import OrderNotFound
from core.orders.types import Order
from core.payments import service as payments
from core.payments import tasks
from core.payments.errors import ChannelUnreachable, NothingToPay, PayTimeOver, ProviderMissing, ProviderNotOffered
from core.payments.events import PaymentCaptured
from core.payments.tasks import TaskKind
from core.payments.types import Capture, ChannelState, Payer, PaymentProvider, PaymentView

log = structlog.get_logger("mall.paying")

SETTLE_JOB = "orders.settle_captured"
RETRY_S = 60
STUCK: TaskKind = "capture_stuck"

CaptureResult = Literal["paid", "recorded", "repeat", "duplicate", "late", "mismatch", "orphan"]


async def methods(mall: Mall, order: Order) -> list[tuple[str, PaymentProvider]]:
    """Return the ways this order can be paid now, by code."""
    return [
        (code, provider)
        for code, _, provider in mall.objects.all(PaymentProvider)
        if await provider.available(mall, store_id=order.store_id, fulfilment_method=order.fulfilment_method)
    ]


async def start_payment(mall: Mall, order: Order, *, provider: str, payer: Payer) -> PaymentView:
    """Open a payment with a provider, or return the open one; the answer says what the shopper does next.

    Refuses with ``ProviderMissing``, ``ProviderNotOffered``, ``NothingToPay``, ``PayTimeOver`` or
    ``ChannelUnreachable`` (the order stays as it is). The attempt is committed before the channel is called.
    """
    db.assert_no_transaction()
    try:
        how = mall.objects.get(PaymentProvider, provider)
    except ObjectMissing as exc:
        raise ProviderMissing(provider=provider) from exc
    if not await how.available(mall, store_id=order.store_id, fulfilment_method=order.fulfilment_method):
        raise ProviderNotOffered(provider=provider)
    async with db.transaction():
        current = await lifecycle.locked(order.id)
        if current.status != "pending_payment":
            raise NothingToPay(status=current.status)
        if current.pay_deadline is not None and current.pay_deadline <= mall.clock.now():
            raise PayTimeOver
        if any(p.state == "captured" for p in await payments.of_order(current.id)):
            raise NothingToPay(status="paid")
        attempt = await payments.open_attempt(
            mall, current.id, provider=provider, amount_fen=current.payable_fen - current.paid_fen,
            origin=current.origin, expires_at=current.pay_deadline,
        )  # fmt: skip
    if attempt.state == "pending" and attempt.client_action is not None:
        return attempt
    try:
        prepared = await how.prepare(mall, attempt, payer)
    except MallError:
        raise
    except Exception as exc:
        log.exception("prepare failed", provider=provider, payment=attempt.number)
        raise ChannelUnreachable from exc
    after = await payments.set_prepared(attempt.id, prepared)
    return after or await payments.by_number(attempt.number) or attempt


async def apply_capture(mall: Mall, capture: Capture, *, provider: str, actor: Actor) -> CaptureResult:
    """Record verified money and move its order on; safe to repeat, from any number of callers at once.

    Only a provider that verified the news may call this. Unknown numbers, other amounts, second payments and money for
    cancelled orders become staff tasks; money is recorded whatever happens next: ``recorded`` says that a plugin which
    takes part in the change failed, and that the change is tried again. Locks: order, payment.
    """
    known = await payments.by_number(capture.payment_number)
    if known is None or known.provider != provider:
        await _orphan(mall, capture, provider)
        return "orphan"
    async with db.transaction():
        order = await lifecycle.locked(known.order_id)
        payment = await payments.lock(capture.payment_number)
        if payment.state == "captured":
            return "repeat"
        if (capture.amount_fen, capture.currency) != (payment.amount_fen, payment.currency):
            return await _mismatch(mall, order, payment, capture)
        captured = await payments.mark_captured(capture)
        assert captured is not None
        origin = Origin(
            channel=order.channel,
            store_id=capture.store_id or order.store_id,
            staff_id=capture.staff_id or order.staff_id,
        )
        emit(mall, PaymentCaptured(origin=origin, payment_id=captured.id, number=captured.number, order_id=order.id,
                                   provider=provider, amount_fen=captured.captured_fen))  # fmt: skip
        try:
            async with db.savepoint():
                return await _for_order(mall, order, captured, actor)
        except Exception:
            # Somebody who takes part in the change failed. The money is here all the same: it stays recorded, a person
            # is told, and the job tries again (behaviour.md 5.5 rule 4).
            log.exception("captured money could not move its order", payment=captured.number, order=order.number)
            await tasks.raise_task(
                mall, STUCK, subject_kind="payment", subject_id=captured.number, store_id=order.store_id,
                details={"order": order.number, "amount_fen": captured.captured_fen},
            )  # fmt: skip
            later = mall.clock.now() + timedelta(seconds=RETRY_S)
            defer(mall, SETTLE_JOB, {"order_id": order.id}, at=later)
            return "recorded"


async def settle_captured(mall: Mall, order_id: int, *, actor: Actor) -> Order:
    """Move on an order whose money is recorded but could not move it when it came; otherwise change nothing."""
    async with db.transaction():
        order = await lifecycle.locked(order_id)
        if order.status not in ("pending_payment", "cancelling"):
            return order
        captured = next((p for p in await payments.of_order(order.id) if p.state == "captured"), None)
        if captured is None:
            return order
        await _for_order(mall, order, captured, actor)
        await tasks.settle(mall, STUCK, subject_kind="payment", subject_id=captured.number)
        return await lifecycle.locked(order_id)


async def run_settle(mall: Mall, payload: dict[str, Any]) -> None:
    """The deferred job: raises while it still fails, so that the job runner tries again."""
    await settle_captured(mall, int(payload["order_id"]), actor=SYSTEM)


async def _for_order(mall: Mall, order: Order, captured: PaymentView, actor: Actor) -> CaptureResult:
    if order.status in ("pending_payment", "cancelling"):
        await lifecycle.transition(
            mall, order, "pay", actor=actor, reason=captured.provider, guarded=False, paid_fen=captured.captured_fen
        )
        return "paid"
    late = order.status == "cancelled"
    await tasks.raise_task(
        mall, "late_payment" if late else "duplicate_payment", subject_kind="payment", subject_id=captured.number,
        store_id=order.store_id, details={"order": order.number, "amount_fen": captured.captured_fen},
    )  # fmt: skip
    return "late" if late else "duplicate"


async def _mismatch(mall: Mall, order: Order, payment: PaymentView, capture: Capture) -> CaptureResult:
    await payments.mark_mismatch(payment.number)
    await tasks.raise_task(
        mall, "payment_mismatch", subject_kind="payment", subject_id=payment.number, store_id=order.store_id,
        details={
            "order": order.number, "expected_fen": payment.amount_fen, "got_fen": capture.amount_fen,
            "expected_currency": payment.currency, "got_currency": capture.currency,
            "channel_txn_id": capture.channel_txn_id,
        },
    )  # fmt: skip
    return "mismatch"


async def _orphan(mall: Mall, capture: Capture, provider: str) -> None:
    await tasks.raise_task(
        mall, "orphan_payment", subject_kind="channel_txn", subject_id=f"{provider}:{capture.channel_txn_id}"[:64],
        store_id=capture.store_id, details={"number": capture.payment_number, "amount_fen": capture.amount_fen},
    )  # fmt: skip


async def settle_with_channel(mall: Mall, payment: PaymentView, *, close: bool, actor: Actor) -> str:
    """Ask the channel about an open payment (and close it there if asked to); apply what it says.

    Returns ``captured``, ``closed``, ``open`` or ``unknown``. Never inside a transaction.
    """
    db.assert_no_transaction()
    how = mall.objects.get(PaymentProvider, payment.provider, even_inactive=True)
    try:
        said: ChannelState = await (how.close if close else how.query)(mall, payment)
    except Exception:
        log.exception("channel did not answer", provider=payment.provider, payment=payment.number)
        return "unknown"
    if said.state == "captured" and said.capture is not None:
        await apply_capture(mall, said.capture, provider=payment.provider, actor=actor)
    elif said.state == "closed":
        await payments.mark_closed(payment.id, mall.clock.now())
    return said.state


async def pay_with(mall: Mall, number: str, *, provider: str, payer: Payer) -> PaymentView:
    """Find the caller's order by number and start a payment for it; a foreign order is ``OrderNotFound``."""
    order = await queries.by_number(number, member_id=payer.member_id)
    if order is None:
        raise OrderNotFound(number=number)
    return await start_payment(mall, order, provider=provider, payer=payer)
