"""The one way an order changes its status, and the holds that stop it from being fulfilled."""

from __future__ import annotations

from core import db
from core.events import audit, emit
from core.inventory import service as inventory
from core.kernel.errors import Problem
from core.kernel.i18n import Text
from core.kernel.mall import Mall
from core.kernel.origin import Actor, Origin
from core.orders import queries
from core.orders.errors import (
    HoldNotFound,
    NotYetFulfilled,
    OrderHeld,
    OrderNotFound,
    TransitionRefused,
    WrongStatus,
    named_status,
)
from core.orders.events import OrderCancelled, OrderCompleted, OrderPaid
from core.orders.states import step
from core.orders.types import FulfilmentMethod, Order, Transition


async def locked(order_id: int) -> Order:
    """Lock and read an order; raises ``OrderNotFound``. Must run in a transaction."""
    order = await queries.lock(order_id)
    if order is None:
        raise OrderNotFound(number=order_id)
    return order


async def transition(
    mall: Mall,
    order: Order,
    event: str,
    *,
    actor: Actor,
    reason: str = "",
    guarded: bool = True,
    paid_fen: int = 0,
) -> Order:
    """Move a locked order one step and let everyone take part, in the running transaction.

    Refuses with ``WrongStatus``, or with ``TransitionRefused`` and every reason of every plugin. ``guarded=False`` is
    for money that has arrived: nobody may refuse it (behaviour.md 5.5 rule 8).
    """
    db.assert_transaction()
    allowed = step(event, order.status)
    if allowed is None:
        raise WrongStatus(**named_status(order.status), event=event)
    if event == "complete":
        if order.fulfilment_state != "done":
            raise NotYetFulfilled
        await refuse_if_held(order)
    change = Transition(event=event, source=order.status, to=allowed.to, actor=actor, reason=reason)
    if guarded:
        await _ask_guards(mall, order, change)
    now = mall.clock.now()
    moved = await queries.move(
        order, event=event, to=allowed.to, stamp=allowed.stamp, now=now, actor_kind=actor.kind, actor_id=actor.id,
        actor_name=actor.name, paid_fen=paid_fen, reason=reason,
    )  # fmt: skip
    if not moved:
        raise WrongStatus(**named_status(order.status), event=event)
    after = await queries.by_id(order.id)
    assert after is not None
    assert after.status == allowed.to
    if actor.kind == "staff":
        audit.record(
            mall, actor, f"order.{event}", subject_kind="order", subject_id=order.number, store_id=order.store_id,
            before={"status": order.status}, after={"status": after.status, "reason": reason},
        )  # fmt: skip
    await _effects(mall, after, change)
    await mall.hooks.strict("order_transitioning", mall=mall, order=after, transition=change)
    return after


async def _ask_guards(mall: Mall, order: Order, change: Transition) -> None:
    answers = await mall.hooks.strict("order_transition_guard", mall=mall, order=order, transition=change)
    problems = [problem for _, found in answers for problem in found]
    if problems:
        raise TransitionRefused(problems=problems)


async def _effects(mall: Mall, order: Order, change: Transition) -> None:
    """What the core itself does with a step."""
    origin = _origin(order, change.actor)
    if change.to == "paid":
        if not order.held:
            await _method(mall, order).ready(mall, order)
        emit(mall, OrderPaid(origin=origin, order_id=order.id, number=order.number, member_id=order.member_id,
                             paid_fen=order.paid_fen))  # fmt: skip
    elif change.to == "cancelled":
        await inventory.release(mall, order.id)
        await _end_holds(mall, order)
        emit(mall, OrderCancelled(origin=origin, order_id=order.id, number=order.number, member_id=order.member_id,
                                  reason=change.reason))  # fmt: skip
    elif change.to == "completed":
        emit(mall, OrderCompleted(origin=origin, order_id=order.id, number=order.number, member_id=order.member_id,
                                  paid_fen=order.paid_fen))  # fmt: skip
    elif change.to == "closed":
        await inventory.release(mall, order.id)
        await _end_holds(mall, order)
        await _method(mall, order).stopped(mall, order)


async def _end_holds(mall: Mall, order: Order) -> None:
    """An order that has ended holds nothing any more."""
    if order.held:
        await db.execute(
            "UPDATE order_hold SET released_at = $2 WHERE order_id = $1 AND released_at IS NULL",
            order.id,
            mall.clock.now(),
        )
        await db.execute("UPDATE orders SET held = false WHERE id = $1", order.id)


def _method(mall: Mall, order: Order) -> FulfilmentMethod:
    """The order's own method, even if its plugin is off now: old work is finished."""
    return mall.objects.get(FulfilmentMethod, order.fulfilment_method, even_inactive=True)


def _origin(order: Order, actor: Actor) -> Origin:
    staff_id = actor.id if actor.kind == "staff" else order.staff_id
    return Origin(channel=order.channel, store_id=order.store_id, staff_id=staff_id)


async def put_hold(mall: Mall, order: Order, *, plugin_id: str, code: str, reason: Text) -> None:
    """Stop a locked order from being fulfilled until the hold is released; the same hold twice is one hold.

    Refuses with ``WrongStatus`` for an order that has ended.
    """
    db.assert_transaction()
    if order.status not in ("pending_payment", "paid"):
        raise WrongStatus(**named_status(order.status), event="hold")
    put = await db.value(
        "INSERT INTO order_hold (order_id, plugin_id, code, reason_zh, reason_en, created_at) "
        "VALUES ($1, $2, $3, $4, $5, $6) "
        "ON CONFLICT (order_id, plugin_id, code) WHERE released_at IS NULL DO NOTHING RETURNING id",
        order.id, plugin_id, code, reason.zh, reason.en, mall.clock.now(),
    )  # fmt: skip
    if put is None:
        return
    await db.execute("UPDATE orders SET held = true, version = version + 1 WHERE id = $1", order.id)
    await queries.note(
        order.id, "hold", actor_kind="plugin", actor_id=None, actor_name=plugin_id, now=mall.clock.now(),
        details={"code": code, "zh": reason.zh, "en": reason.en},
    )  # fmt: skip
    await _method(mall, order).stopped(mall, order)


async def release_hold(mall: Mall, order: Order, *, plugin_id: str, code: str) -> None:
    """Release a hold of a locked order; when it was the last and the order is paid, fulfilment starts."""
    db.assert_transaction()
    now = mall.clock.now()
    released = await db.value(
        "UPDATE order_hold SET released_at = $4 WHERE order_id = $1 AND plugin_id = $2 AND code = $3 "
        "AND released_at IS NULL RETURNING id",
        order.id, plugin_id, code, now,
    )  # fmt: skip
    if released is None:
        return
    still_held = await db.value(
        "UPDATE orders SET held = EXISTS (SELECT 1 FROM order_hold WHERE order_id = $1 AND released_at IS NULL), "
        "version = version + 1 WHERE id = $1 RETURNING held",
        order.id,
    )
    await queries.note(
        order.id,
        "release_hold",
        actor_kind="plugin",
        actor_id=None,
        actor_name=plugin_id,
        now=now,
        details={"code": code},
    )
    if not still_held and order.status == "paid":
        after = await queries.by_id(order.id)
        assert after is not None
        await _method(mall, after).ready(mall, after)


async def release_by_hand(mall: Mall, order: Order, *, plugin_id: str, code: str, actor: Actor, reason: str) -> Order:
    """Release a hold in the place of its plugin, which is off, gone or wrong; for staff, with a reason, audited.

    Refuses with ``HoldNotFound``. Opens its transaction.
    """
    async with db.transaction():
        current = await locked(order.id)
        live = await db.value(
            "SELECT 1 FROM order_hold WHERE order_id = $1 AND plugin_id = $2 AND code = $3 AND released_at IS NULL",
            order.id, plugin_id, code,
        )  # fmt: skip
        if live is None:
            raise HoldNotFound(plugin=plugin_id, hold=code)
        audit.record(
            mall, actor, "order.release_hold", subject_kind="order", subject_id=order.number, store_id=order.store_id,
            before={"plugin": plugin_id, "hold": code}, after={"reason": reason},
        )  # fmt: skip
        await release_hold(mall, current, plugin_id=plugin_id, code=code)
        return await locked(order.id)


async def hold_problems(order_id: int) -> list[Problem]:
    """Return the live holds of an order as problems."""
    found = await db.rows(
        "SELECT plugin_id, code, reason_zh, reason_en FROM order_hold "
        "WHERE order_id = $1 AND released_at IS NULL ORDER BY id",
        order_id,
    )
    return [
        Problem(code=f"{r['plugin_id']}.{r['code']}", message=Text(r["reason_zh"], r["reason_en"]), details={})
        for r in found
    ]


async def refuse_if_held(order: Order) -> None:
    """Raise ``OrderHeld`` with every reason while a hold is live."""
    if order.held:
        raise OrderHeld(problems=await hold_problems(order.id))
