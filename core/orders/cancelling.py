"""Cancelling an unpaid order: by its buyer, by staff, or because the time to pay is over (behaviour.md 5.5)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog

from core import db
from core.events import audit
from core.kernel.contracts import Job
from core.kernel.errors import MallError
from core.kernel.mall import Mall
from core.kernel.origin import SYSTEM, Actor
from core.orders import lifecycle, queries
from core.orders.capturing import CLOSE_JOB, SETTLE_JOB, run_close, run_settle, settle_captured, settle_with_channel
from core.orders.errors import OrderNotFound, WrongStatus, named_status
from core.orders.placing import CANCEL_JOB
from core.orders.types import Order
from core.payments import service as payments
from core.payments import tasks
from core.payments.types import PaymentView

log = structlog.get_logger("mall.cancelling")

SWEEP_LIMIT = 200
ASK_LIMIT = 20  # a channel that does not answer takes ten seconds each
STUCK_MINUTES = 15


async def cancel(mall: Mall, order_id: int, *, actor: Actor, reason: str) -> Order:
    """Cancel an unpaid order and give its stock back, or leave it ``cancelling`` while a channel cannot be asked.

    Every open payment is closed at its channel first; one that turns out to be paid makes the order paid instead.
    The answer's status says what happened: cancelled, cancelling (the sweep tries again) or paid. Cancelling a
    cancelled order is harmless. Plugins may refuse what the buyer or staff want, not that the time to pay is over.
    """
    db.assert_no_transaction()
    async with db.transaction():
        order = await lifecycle.locked(order_id)
        if order.status == "cancelled":
            return order
        attempts = await payments.of_order(order.id)
        paid = _has_money(order, attempts)
        still_open = [p for p in attempts if p.state in payments.OPEN_STATES]
        guarded = actor.kind in ("member", "staff") and order.status == "pending_payment"
        if not paid and not still_open:
            return await _cancelled(mall, order, actor=actor, reason=reason, guarded=guarded)
        if not paid and order.status != "cancelling":
            order = await lifecycle.transition(mall, order, "start_cancel", actor=actor, reason=reason, guarded=guarded)
    if paid:
        return await settle_captured(mall, order_id, actor=actor)
    for payment in still_open:
        await settle_with_channel(mall, payment, close=True, actor=actor)
    return await _finish(mall, order_id, actor=actor, reason=reason)


async def cancel_on_request(mall: Mall, order_id: int, *, actor: Actor, reason: str) -> Order:
    """Cancel because a person asks for it; refuses with ``WrongStatus`` when the money was faster."""
    after = await cancel(mall, order_id, actor=actor, reason=reason)
    if after.status == "paid":
        raise WrongStatus(**named_status(after.status), event="cancel")
    return after


async def _cancelled(mall: Mall, order: Order, *, actor: Actor, reason: str, guarded: bool = False) -> Order:
    """Take the last step; the reason is the one of who began it."""
    first = (order.cancel_reason if order.status == "cancelling" else None) or reason
    after = await lifecycle.transition(mall, order, "cancel", actor=actor, reason=first, guarded=guarded)
    await tasks.settle(mall, "cancel_stuck", subject_kind="order", subject_id=order.number)
    return after


async def close_by_hand(mall: Mall, order: Order, *, actor: Actor, reason: str) -> Order:
    """Cancel an order that stays ``cancelling``, because a person knows that its payments will not be paid any more.

    For staff, when a channel cannot be asked (its plugin is gone). Money that comes all the same becomes a
    ``late_payment`` task. Refuses with ``WrongStatus`` unless the order is ``cancelling``, and when money is recorded.
    """
    async with db.transaction():
        order = await lifecycle.locked(order.id)
        attempts = await payments.of_order(order.id)
        if order.status != "cancelling" or _has_money(order, attempts):
            raise WrongStatus(**named_status(order.status), event="close_by_hand")
        for payment in attempts:
            if payment.state in payments.OPEN_STATES:
                await payments.mark_closed(payment.id, mall.clock.now())
        await queries.note(
            order.id, "close_by_hand", actor_kind=actor.kind, actor_id=actor.id, actor_name=actor.name,
            now=mall.clock.now(), details={"reason": reason},
        )  # fmt: skip
        audit.record(mall, actor, "order.close_by_hand", subject_kind="order", subject_id=order.number,
                     store_id=order.store_id, after={"reason": reason})  # fmt: skip
        return await _cancelled(mall, order, actor=actor, reason=reason)


def _has_money(order: Order, attempts: list[PaymentView]) -> bool:
    """Say whether money is recorded that could not move the order when it came: such an order is not cancelled."""
    return order.status in ("pending_payment", "cancelling") and any(p.state == "captured" for p in attempts)


async def _finish(mall: Mall, order_id: int, *, actor: Actor, reason: str) -> Order:
    async with db.transaction():
        order = await lifecycle.locked(order_id)
        attempts = await payments.of_order(order.id)
        open_still = any(p.state in payments.OPEN_STATES for p in attempts)
        if order.status != "cancelling" or open_still or _has_money(order, attempts):
            return order
        return await _cancelled(mall, order, actor=actor, reason=reason)


async def cancel_own(mall: Mall, number: str, *, member_id: int, reason: str) -> Order:
    """Cancel the member's own order, like ``cancel_on_request``; somebody else's is ``OrderNotFound``."""
    order = await queries.by_number(number, member_id=member_id)
    if order is None:
        raise OrderNotFound(number=number)
    return await cancel_on_request(mall, order.id, actor=Actor(kind="member", id=member_id), reason=reason)


async def _cancel_if_due(mall: Mall, order_id: int) -> None:
    due = await db.value(
        "SELECT id FROM orders WHERE id = $1 "
        "AND (status = 'cancelling' OR (status = 'pending_payment' AND pay_deadline <= $2))",
        order_id,
        mall.clock.now(),
    )
    if due is None:
        return
    try:
        await cancel(mall, order_id, actor=SYSTEM, reason="pay_timeout")
    except MallError as refusal:
        log.warning("order not cancelled", order_id=order_id, code=refusal.code)
    except Exception:
        log.exception("order not cancelled", order_id=order_id)  # the next one still gets its turn


async def run_cancel(mall: Mall, payload: dict[str, Any]) -> None:
    """The deferred job of one order."""
    await _cancel_if_due(mall, int(payload["order_id"]))


async def sweep(mall: Mall, payload: dict[str, Any]) -> None:
    """The safety net: find by query what is overdue, whatever became of its deferred job.

    Orders whose time is over come first; those that wait for a channel take turns, so that none starves another.
    """
    now = mall.clock.now()
    overdue = await db.rows(
        "SELECT id FROM orders WHERE status = 'pending_payment' AND pay_deadline <= $1 ORDER BY pay_deadline LIMIT $2",
        now,
        SWEEP_LIMIT,
    )
    waiting = await db.rows("SELECT id FROM orders WHERE status = 'cancelling' ORDER BY random() LIMIT $1", ASK_LIMIT)
    for r in (*overdue, *waiting):
        await _cancel_if_due(mall, r["id"])
    stuck = await db.rows(
        "SELECT DISTINCT o.number, o.store_id FROM orders o JOIN order_timeline t ON t.order_id = o.id "
        "WHERE o.status = 'cancelling' AND t.event = 'start_cancel' AND t.at <= $1 AND NOT EXISTS "
        "(SELECT FROM staff_task s WHERE s.kind = 'cancel_stuck' AND s.subject_id = o.number) LIMIT $2",
        now - timedelta(minutes=STUCK_MINUTES),
        SWEEP_LIMIT,
    )
    for r in stuck:
        await tasks.raise_task(
            mall, "cancel_stuck", subject_kind="order", subject_id=r["number"], store_id=r["store_id"],
            details={"order": r["number"], "minutes": STUCK_MINUTES},
        )  # fmt: skip


JOBS = (
    Job(name=CANCEL_JOB, run=run_cancel),
    Job(name=SETTLE_JOB, run=run_settle),
    Job(name=CLOSE_JOB, run=run_close),
    Job(name="orders.sweep_unpaid", run=sweep, cron="* * * * *", max_runtime_s=55),
)
