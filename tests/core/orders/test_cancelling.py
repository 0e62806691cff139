"""Orders that are cancelled, also while money arrives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec
import pytest

from core import db
from core.kernel.contracts import Job
from core.kernel.errors import Problem
from core.kernel.i18n import Text
from core.kernel.mall import Mall
from core.kernel.origin import SYSTEM, Actor
from core.orders import cancelling
from core.orders import service as orders
from core.orders.errors import TransitionRefused, WrongStatus
from core.orders.types import Order, Transition
from core.payments.errors import NothingToPay
from core.payments.types import ChannelState, PaymentProvider, PaymentView
from core.sdk import hookimpl
from core.testing import builders, races
from core.testing.clock import FrozenClock
from core.testing.pytest_plugin import MakeMall
from core.testing.shop import a_shop
from core.testing.till import Till, a_till, apply, capture_of, pay, status_of

RunJob = Callable[..., Awaitable[None]]


@pytest.fixture
def till(mall: Mall) -> Till:
    return a_till(mall)


async def test_a_paid_order_cannot_be_paid_or_cancelled(mall: Mall, till: Till) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    await apply(mall, capture_of(mall, await pay(mall, shop, order)))

    with pytest.raises(NothingToPay):
        await pay(mall, shop, order)
    with pytest.raises(WrongStatus):
        await orders.cancel(mall, order.id, actor=SYSTEM, reason="buyer")


async def test_cancelling_gives_the_stock_back_once(mall: Mall) -> None:
    shop = await a_shop(mall)
    order = await shop.order()

    outcomes = await races.run_together(4, lambda: orders.cancel(mall, order.id, actor=SYSTEM, reason="buyer"))

    assert [o.error for o in outcomes if not o.ok] == []
    assert {o.value.status for o in outcomes} == {"cancelled"}
    assert await shop.stock_now() == (5, 0)
    assert await db.value("SELECT count(*) FROM event WHERE name = 'order.cancelled'") == 1


async def test_while_the_channel_cannot_be_asked_the_stock_stays_reserved(mall: Mall, till: Till) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    await pay(mall, shop, order)
    till.says = ConnectionError("no route")

    assert (await orders.cancel(mall, order.id, actor=SYSTEM, reason="buyer")).status == "cancelling"
    assert await shop.stock_now() == (5, 1)

    till.says = ChannelState(state="closed")
    assert (await orders.cancel(mall, order.id, actor=SYSTEM, reason="buyer")).status == "cancelled"
    assert await shop.stock_now() == (5, 0)


async def test_cancelling_finds_out_that_the_money_was_faster(mall: Mall, till: Till) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    payment = await pay(mall, shop, order)
    till.says = ChannelState(state="captured", capture=capture_of(mall, payment))

    after = await orders.cancel(mall, order.id, actor=Actor(kind="member", id=shop.member.id), reason="buyer")

    assert after.status == "paid"
    assert await shop.stock_now() == (5, 1)


async def test_cancel_and_pay_at_once_end_in_one_of_the_two(mall: Mall, till: Till) -> None:
    for attempt in range(5):
        shop = await a_shop(mall)
        order = await shop.order(key=f"key-{attempt:05d}")
        payment = await pay(mall, shop, order)

        async def either(first: int, order: Order = order, payment: PaymentView = payment) -> object:
            if first == 0:
                return await orders.cancel(mall, order.id, actor=SYSTEM, reason="buyer")
            return await apply(mall, capture_of(mall, payment))

        outcomes = await races.run_together(2, either)

        # A cancel that comes after the money says so; nothing else may fail.
        assert [o.error for o in outcomes if not o.ok and not isinstance(o.error, WrongStatus)] == []
        status = await status_of(order)
        captured = await db.value("SELECT captured_fen FROM payment WHERE id = $1", payment.id)
        tasks = await db.value("SELECT count(*) FROM staff_task WHERE subject_id = $1", payment.number)
        assert captured == 1000
        assert (status, tasks, await shop.stock_now()) in [("paid", 0, (5, 1)), ("cancelled", 1, (5, 0))]


async def test_the_due_query_cancels_what_is_overdue_and_nothing_else(mall: Mall, clock: FrozenClock, run_job) -> None:
    shop = await a_shop(mall)
    due = await shop.order(key="key-00001")
    clock.advance(timedelta(minutes=20))
    fresh = await shop.order(key="key-00002")
    clock.advance(timedelta(minutes=11))

    await run_job(mall, "orders.sweep_unpaid", {})

    assert (await status_of(due), await status_of(fresh)) == ("cancelled", "pending_payment")
    assert await db.value("SELECT cancel_reason FROM orders WHERE id = $1", due.id) == "pay_timeout"
    assert await shop.stock_now() == (5, 1)


async def test_the_deferred_job_of_an_order_stands_in_the_queue_with_it(mall: Mall) -> None:
    shop = await a_shop(mall)
    order = await shop.order()

    assert mall.objects.get(Job, "orders.cancel_unpaid").cron is None
    queued = await db.row("SELECT entrypoint, payload, execute_after - now() AS wait FROM pgqueuer")
    assert queued is not None
    assert (queued["entrypoint"], msgspec.json.decode(bytes(queued["payload"]))) == (
        "orders.cancel_unpaid",
        {"order_id": order.id},
    )
    assert order.pay_deadline is not None
    assert queued["wait"] >= order.pay_deadline - mall.clock.now() - timedelta(seconds=1)


async def test_a_channel_whose_plugin_is_gone_ends_by_hand(
    mall: Mall, till: Till, clock: FrozenClock, run_job: RunJob
) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    await pay(mall, shop, order)
    mall.objects.remove_owner("core")  # as after an uninstall: nobody answers for the code any more
    mall.objects.add(PaymentProvider, "other", Till())
    clock.advance(timedelta(minutes=31))
    sweep = Job(name="sweep", run=cancelling.sweep)

    await sweep.run(mall, {})
    assert await status_of(order) == "cancelling"
    assert await db.value("SELECT count(*) FROM staff_task") == 0
    clock.advance(timedelta(minutes=16))
    await sweep.run(mall, {})
    assert await db.value("SELECT kind || ' ' || state FROM staff_task") == "cancel_stuck open"
    assert await db.value("SELECT count(*) FROM pgqueuer") == 1  # the order's own: an outage does not multiply jobs

    staff = await builders.a_staff(mall, ["payments.confirm"], None)
    after = await orders.close_by_hand(
        mall, await orders.get(mall, order.number), actor=staff.actor, reason="plugin uninstalled"
    )

    assert (after.status, after.cancel_reason) == ("cancelled", "pay_timeout")
    assert await shop.stock_now() == (5, 0)
    assert await db.value("SELECT kind || ' ' || state FROM staff_task") == "cancel_stuck done"


async def test_a_guard_can_refuse_the_buyer_and_not_the_clock(
    make_mall: MakeMall, clock: FrozenClock, run_job: RunJob
) -> None:
    class Never:
        @hookimpl
        async def order_transition_guard(self) -> list[Problem]:
            return [Problem(code="never.no", message=Text("不行", "no"))]

    mall = await make_mall(extra={"never": Never()})
    shop = await a_shop(mall)
    order = await shop.order()

    with pytest.raises(TransitionRefused):
        await orders.cancel(mall, order.id, actor=Actor(kind="member", id=shop.member.id), reason="buyer")
    clock.advance(timedelta(minutes=31))
    await run_job(mall, "orders.sweep_unpaid", {})

    assert await status_of(order) == "cancelled"


async def test_the_reason_of_who_began_to_cancel_stays(mall: Mall, till: Till, run_job: RunJob) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    await pay(mall, shop, order)
    till.says = ConnectionError("no route")
    await orders.cancel(mall, order.id, actor=Actor(kind="member", id=shop.member.id), reason="changed my mind")
    till.says = ChannelState(state="closed")

    await run_job(mall, "orders.sweep_unpaid", {})

    assert await db.value("SELECT cancel_reason FROM orders WHERE id = $1", order.id) == "changed my mind"


async def test_who_asks_to_cancel_is_told_that_the_money_was_faster(mall: Mall, till: Till) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    till.says = ChannelState(state="captured", capture=capture_of(mall, await pay(mall, shop, order)))

    with pytest.raises(WrongStatus) as refused:
        await orders.cancel_own(mall, order.number, member_id=shop.member.id, reason="buyer")

    assert refused.value.details["status"] == "paid"
    assert await status_of(order) == "paid"


async def test_an_order_with_recorded_money_is_not_closed_by_hand(make_mall: MakeMall) -> None:
    class Fragile:
        @hookimpl
        async def order_transitioning(self, transition: Transition) -> None:
            if transition.event == "pay":
                raise RuntimeError

    mall = await make_mall(extra={"fragile": Fragile()})
    till = a_till(mall)
    shop = await a_shop(mall)
    order = await shop.order()
    payment = await pay(mall, shop, order)
    till.says = ConnectionError("no route")
    assert (await orders.cancel(mall, order.id, actor=SYSTEM, reason="buyer")).status == "cancelling"
    assert await apply(mall, capture_of(mall, payment)) == "recorded"
    staff = await builders.a_staff(mall, ["payments.confirm"], None)

    with pytest.raises(WrongStatus):
        await orders.close_by_hand(mall, await orders.get(mall, order.number), actor=staff.actor, reason="gone")

    assert await status_of(order) == "cancelling"
    assert await shop.stock_now() == (5, 1)
