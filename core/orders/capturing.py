"""What arriving money means for an order (behaviour.md 5.5): it is recorded, whatever happens next."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from typing import Any, Literal

import structlog

from core import db
from core.events import defer, emit
from core.kernel.mall import Mall
from core.kernel.origin import SYSTEM, Actor, Origin
from core.orders import lifecycle
from core.orders.types import Order
from core.payments import service as payments
from core.payments import tasks
from core.payments.events import PaymentCaptured
from core.payments.tasks import TaskKind
from core.payments.types import Capture, ChannelState, PaymentProvider, PaymentView

log = structlog.get_logger("mall.capturing")

SETTLE_JOB = "orders.settle_captured"
CLOSE_JOB = "orders.close_attempts"
RETRY_S = 60
CHANNEL_S = 10.0
UNPAID = ("pending_payment", "cancelling")
STUCK: TaskKind = "capture_stuck"
_SUBJECT = 64

CaptureResult = Literal["paid", "recorded", "repeat", "duplicate", "late", "mismatch", "orphan"]


async def apply_capture(mall: Mall, capture: Capture, *, provider: str, actor: Actor) -> CaptureResult:
    """Record verified money and move its order on; safe to repeat, from any number of callers at once.

    Only a provider that verified the news may call this. Unknown numbers, other amounts, second payments and money for
    cancelled orders become staff tasks. ``repeat`` is the same transaction of the channel again. ``recorded`` says that
    a plugin which takes part in the change of the order failed, and that the change is tried again. Locks: order,
    payment.
    """
    known = await payments.by_number(capture.payment_number)
    if known is None or known.provider != provider:
        await _orphan(mall, capture, provider)
        return "orphan"
    async with db.transaction():
        order = await lifecycle.locked(known.order_id)
        payment = await payments.lock(capture.payment_number)
        if payment.state == "captured":
            return await _again(mall, order, payment, capture)
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
            await _task(mall, STUCK, order, captured)
            later = mall.clock.now() + timedelta(seconds=RETRY_S)
            defer(mall, SETTLE_JOB, {"order_id": order.id}, at=later)
            return "recorded"


async def settle_captured(mall: Mall, order_id: int, *, actor: Actor) -> Order:
    """Move on an order whose money is recorded but could not move it when it came; otherwise change nothing.

    Every captured attempt gets its due: the first pays, a further one becomes a ``duplicate_payment`` task.
    """
    async with db.transaction():
        order = await lifecycle.locked(order_id)
        for payment in await payments.of_order(order_id):
            if payment.state != "captured":
                continue
            if order.status in UNPAID or await tasks.is_open(STUCK, subject_kind="payment", subject_id=payment.number):
                await _for_order(mall, order, payment, actor)
                await tasks.settle(mall, STUCK, subject_kind="payment", subject_id=payment.number)
                order = await lifecycle.locked(order_id)
        return order


async def settle_with_channel(mall: Mall, payment: PaymentView, *, close: bool, actor: Actor) -> str:
    """Ask the channel about an open payment (and close it there if asked to); apply what it says.

    Returns ``captured``, ``closed``, ``open``, or ``unknown`` when the channel does not answer within 10 s or its
    plugin is not there. Never inside a transaction.
    """
    db.assert_no_transaction()
    try:
        how = mall.objects.get(PaymentProvider, payment.provider, even_inactive=True)
        async with asyncio.timeout(CHANNEL_S):
            said: ChannelState = await (how.close if close else how.query)(mall, payment)
    except Exception:
        log.exception("channel did not answer", provider=payment.provider, payment=payment.number)
        return "unknown"
    if said.state == "captured":
        if said.capture is None:
            log.error("channel says captured and not what", provider=payment.provider, payment=payment.number)
            return "unknown"
        await apply_capture(mall, said.capture, provider=payment.provider, actor=actor)
    elif said.state == "closed":
        await payments.mark_closed(payment.id, mall.clock.now())
    return said.state


async def run_settle(mall: Mall, payload: dict[str, Any]) -> None:
    """The deferred job: raises while it still fails, so that the job runner tries again."""
    await settle_captured(mall, int(payload["order_id"]), actor=SYSTEM)


async def run_close(mall: Mall, payload: dict[str, Any]) -> None:
    """Close the attempts that are still open once an order is paid: nobody shall be able to pay twice."""
    for payment in await payments.of_order(int(payload["order_id"])):
        if payment.state in payments.OPEN_STATES:
            said = await settle_with_channel(mall, payment, close=True, actor=SYSTEM)
            if said in ("unknown", "open"):
                raise RuntimeError(f"{payment.number} is not closed at its channel yet")  # the runner tries again


async def _for_order(mall: Mall, order: Order, captured: PaymentView, actor: Actor) -> CaptureResult:
    if order.status in UNPAID:
        await lifecycle.transition(
            mall, order, "pay", actor=actor, reason=captured.provider, guarded=False, paid_fen=captured.captured_fen
        )
        others = await payments.of_order(order.id)
        if any(p.state in payments.OPEN_STATES for p in others):
            defer(mall, CLOSE_JOB, {"order_id": order.id}, at=mall.clock.now())
        return "paid"
    late = order.status == "cancelled"
    await _task(mall, "late_payment" if late else "duplicate_payment", order, captured)
    return "late" if late else "duplicate"


async def _again(mall: Mall, order: Order, payment: PaymentView, capture: Capture) -> CaptureResult:
    """The payment is captured already: the same transaction is a repeat, another one is more money."""
    if payment.channel_txn_id == capture.channel_txn_id:
        return "repeat"
    await tasks.raise_task(
        mall, "duplicate_payment", subject_kind="channel_txn", subject_id=_subject(payment.provider, capture),
        store_id=order.store_id,
        details={
            "order": order.number, "payment": payment.number, "amount_fen": capture.amount_fen,
            "channel_txn_id": capture.channel_txn_id,
        },
    )  # fmt: skip
    return "duplicate"


async def _mismatch(mall: Mall, order: Order, payment: PaymentView, capture: Capture) -> CaptureResult:
    await payments.mark_mismatch(payment.number)
    await tasks.raise_task(
        mall, "payment_mismatch", subject_kind="channel_txn", subject_id=_subject(payment.provider, capture),
        store_id=order.store_id,
        details={
            "order": order.number, "payment": payment.number, "expected_fen": payment.amount_fen,
            "got_fen": capture.amount_fen, "expected_currency": payment.currency, "got_currency": capture.currency,
            "channel_txn_id": capture.channel_txn_id,
        },
    )  # fmt: skip
    return "mismatch"


async def _orphan(mall: Mall, capture: Capture, provider: str) -> None:
    await tasks.raise_task(
        mall, "orphan_payment", subject_kind="channel_txn", subject_id=_subject(provider, capture),
        store_id=capture.store_id,
        details={
            "number": capture.payment_number, "amount_fen": capture.amount_fen,
            "channel_txn_id": capture.channel_txn_id,
        },
    )  # fmt: skip


async def _task(mall: Mall, kind: TaskKind, order: Order, payment: PaymentView) -> None:
    await tasks.raise_task(
        mall, kind, subject_kind="payment", subject_id=payment.number, store_id=order.store_id,
        details={"order": order.number, "amount_fen": payment.captured_fen},
    )  # fmt: skip


def _subject(provider: str, capture: Capture) -> str:
    """Name a transaction of a channel within the width of the column, never two by one name."""
    name = f"{provider}:{capture.channel_txn_id}"
    return name if len(name) <= _SUBJECT else f"{provider[:20]}:{hashlib.sha256(name.encode()).hexdigest()[:32]}"
