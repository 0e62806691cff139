"""Money that arrives, and orders that are cancelled while it does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec
import pytest

from core import db
from core.inventory.audit import broken
from core.kernel.contracts import Job
from core.kernel.errors import PluginUnavailable, Problem
from core.kernel.i18n import Text
from core.kernel.mall import Mall
from core.kernel.origin import SYSTEM, Actor
from core.orders import cancelling, lifecycle
from core.orders import service as orders
from core.orders.errors import HoldNotFound, NotYetFulfilled, OrderNotFound, TransitionRefused, WrongStatus
from core.orders.types import Order
from core.payments import service as payments
from core.payments.errors import NothingToPay, PayTimeOver, ProviderMissing
from core.payments.types import Capture, ChannelState, Payer, PaymentProvider, PaymentView, Prepared
from core.sdk import hookimpl
from core.testing import builders, races
from core.testing.clock import FrozenClock
from core.testing.pytest_plugin import MakeMall
from core.testing.shop import Shop, a_shop

RunJob = Callable[..., Awaitable[None]]


class Channel:
    """A payment channel in memory that says what the test tells it to: an outside system, not code of the mall."""

    code = "till"
    title = Text("测试", "Till")

    def __init__(self) -> None:
        self.says: ChannelState | Exception = ChannelState(state="closed")
        self.prepared = 0
        self.lives: timedelta | None = None

    async def available(self, mall: Mall, *, store_id: int | None, fulfilment_method: str) -> bool:
        return True

    async def prepare(self, mall: Mall, payment: PaymentView, payer: Payer) -> Prepared:
        db.assert_no_transaction()
        self.prepared += 1
        expires_at = None if self.lives is None else mall.clock.now() + self.lives
        return Prepared(action={"pay": payment.number}, expires_at=expires_at)

    async def query(self, mall: Mall, payment: PaymentView) -> ChannelState:
        db.assert_no_transaction()
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    close = query


@pytest.fixture
def channel(mall: Mall) -> Channel:
    made = Channel()
    mall.objects.add(PaymentProvider, made.code, made)
    return made


def capture_of(mall: Mall, payment: PaymentView, **over: object) -> Capture:
    facts = {
        "payment_number": payment.number, "amount_fen": payment.amount_fen, "currency": "CNY",
        "channel_txn_id": f"T{payment.number}", "captured_at": mall.clock.now(), **over,
    }  # fmt: skip
    return Capture(**facts)  # type: ignore[arg-type]


async def pay(mall: Mall, shop: Shop, order: Order) -> PaymentView:
    return await orders.start_payment(mall, order, provider="till", payer=Payer(member_id=shop.member.id))


async def apply(mall: Mall, capture: Capture) -> str:
    return await orders.apply_capture(mall, capture, provider="till", actor=SYSTEM)


async def status_of(order: Order) -> str:
    return await db.value("SELECT status FROM orders WHERE id = $1", order.id)


async def test_captured_money_pays_the_order_and_issues_the_code(mall: Mall, channel: Channel) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    payment = await pay(mall, shop, order)

    assert await apply(mall, capture_of(mall, payment)) == "paid"

    after = await orders.get(mall, order.number)
    assert (after.status, after.paid_fen) == ("paid", 1000)
    assert await db.value("SELECT count(*) FROM pickup_code WHERE order_id = $1 AND state = 'issued'", order.id) == 1


async def test_paying_again_answers_the_open_attempt(mall: Mall, channel: Channel) -> None:
    shop = await a_shop(mall)
    order = await shop.order()

    outcomes = await races.run_together(4, lambda: pay(mall, shop, order))

    assert [o.error for o in outcomes if not o.ok] == []
    assert len({o.value.number for o in outcomes}) == 1
    assert await db.value("SELECT count(*) FROM payment") == 1


async def test_the_same_news_ten_times_at_once_counts_once(mall: Mall, channel: Channel) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    payment = await pay(mall, shop, order)

    outcomes = await races.run_together(10, lambda: apply(mall, capture_of(mall, payment)))

    assert sorted(o.value or "" for o in outcomes) == ["paid", *["repeat"] * 9]
    assert await db.value("SELECT paid_fen FROM orders WHERE id = $1", order.id) == 1000
    assert await db.value("SELECT count(*) FROM event WHERE name = 'order.paid'") == 1


@pytest.mark.parametrize("wrong", [{"amount_fen": 999}, {"currency": "USD"}])
async def test_another_amount_or_currency_pays_nothing_and_asks_a_person(
    mall: Mall, channel: Channel, wrong: dict[str, object]
) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    payment = await pay(mall, shop, order)

    assert await apply(mall, capture_of(mall, payment, **wrong)) == "mismatch"

    assert await status_of(order) == "pending_payment"
    assert await db.value("SELECT kind FROM staff_task") == "payment_mismatch"


async def test_money_for_an_unknown_number_becomes_one_task(mall: Mall, channel: Channel) -> None:
    shop = await a_shop(mall)
    payment = await pay(mall, shop, await shop.order())
    stray = capture_of(mall, payment, payment_number="P00000000", channel_txn_id="T1")

    assert [await apply(mall, stray), await apply(mall, stray)] == ["orphan", "orphan"]

    assert await db.value("SELECT count(*) FROM staff_task WHERE kind = 'orphan_payment'") == 1


async def test_money_for_a_cancelled_order_is_recorded_and_asks_a_person(mall: Mall, channel: Channel) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    payment = await pay(mall, shop, order)
    await orders.cancel(mall, order.id, actor=SYSTEM, reason="buyer")

    assert await apply(mall, capture_of(mall, payment)) == "late"

    assert await status_of(order) == "cancelled"
    assert await db.value("SELECT captured_fen FROM payment") == 1000
    assert await db.value("SELECT kind FROM staff_task") == "late_payment"
    assert await shop.stock_now() == (5, 0)


async def test_a_second_payment_is_recorded_and_asks_a_person(mall: Mall, channel: Channel) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    first = await pay(mall, shop, order)
    await payments.mark_closed(first.id, mall.clock.now())
    second = await pay(mall, shop, order)
    await apply(mall, capture_of(mall, second))

    assert await apply(mall, capture_of(mall, first)) == "duplicate"

    assert await db.value("SELECT kind FROM staff_task") == "duplicate_payment"
    assert await db.value("SELECT paid_fen FROM orders WHERE id = $1", order.id) == 1000


async def test_a_paid_order_cannot_be_paid_or_cancelled(mall: Mall, channel: Channel) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    await apply(mall, capture_of(mall, await pay(mall, shop, order)))

    with pytest.raises(NothingToPay):
        await pay(mall, shop, order)
    with pytest.raises(WrongStatus):
        await orders.cancel(mall, order.id, actor=SYSTEM, reason="buyer")


async def test_somebody_elses_order_looks_like_none(mall: Mall, channel: Channel) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    stranger = await builders.a_member(mall)

    with pytest.raises(OrderNotFound):
        await orders.pay_with(mall, order.number, provider="till", payer=Payer(member_id=stranger.id))
    with pytest.raises(OrderNotFound):
        await orders.cancel_own(mall, order.number, member_id=stranger.id, reason="x")


async def test_an_unknown_way_to_pay_is_named(mall: Mall) -> None:
    shop = await a_shop(mall)

    with pytest.raises(ProviderMissing):
        await pay(mall, shop, await shop.order())


async def test_cancelling_gives_the_stock_back_once(mall: Mall) -> None:
    shop = await a_shop(mall)
    order = await shop.order()

    outcomes = await races.run_together(4, lambda: orders.cancel(mall, order.id, actor=SYSTEM, reason="buyer"))

    assert [o.error for o in outcomes if not o.ok] == []
    assert {o.value.status for o in outcomes} == {"cancelled"}
    assert await shop.stock_now() == (5, 0)
    assert await db.value("SELECT count(*) FROM event WHERE name = 'order.cancelled'") == 1


async def test_while_the_channel_cannot_be_asked_the_stock_stays_reserved(mall: Mall, channel: Channel) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    await pay(mall, shop, order)
    channel.says = ConnectionError("no route")

    assert (await orders.cancel(mall, order.id, actor=SYSTEM, reason="buyer")).status == "cancelling"
    assert await shop.stock_now() == (5, 1)

    channel.says = ChannelState(state="closed")
    assert (await orders.cancel(mall, order.id, actor=SYSTEM, reason="buyer")).status == "cancelled"
    assert await shop.stock_now() == (5, 0)


async def test_cancelling_finds_out_that_the_money_was_faster(mall: Mall, channel: Channel) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    payment = await pay(mall, shop, order)
    channel.says = ChannelState(state="captured", capture=capture_of(mall, payment))

    after = await orders.cancel(mall, order.id, actor=Actor(kind="member", id=shop.member.id), reason="buyer")

    assert after.status == "paid"
    assert await shop.stock_now() == (5, 1)


async def test_cancel_and_pay_at_once_end_in_one_of_the_two(mall: Mall, channel: Channel) -> None:
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


async def test_after_the_time_to_pay_no_payment_is_opened(mall: Mall, channel: Channel, clock: FrozenClock) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    clock.advance(timedelta(minutes=31))

    with pytest.raises(PayTimeOver):
        await pay(mall, shop, order)


async def test_a_hold_stops_the_code_until_it_is_released(mall: Mall, channel: Channel) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    async with db.transaction():
        held = await lifecycle.locked(order.id)
        await orders.put_hold(mall, held, plugin_id="group", code="forming", reason=Text("未成团", "group not full"))
    await apply(mall, capture_of(mall, await pay(mall, shop, order)))
    live = "SELECT count(*) FROM pickup_code WHERE order_id = $1 AND state = 'issued'"
    assert await db.value(live, order.id) == 0

    async with db.transaction():
        held = await lifecycle.locked(order.id)
        await orders.release_hold(mall, held, plugin_id="group", code="forming")

    assert await db.value(live, order.id) == 1


async def test_money_stays_recorded_when_a_plugin_fails_to_take_part_and_is_settled_later(
    make_mall: MakeMall, run_job: RunJob
) -> None:
    class Fragile:
        broken = True

        @hookimpl
        async def order_transitioning(self) -> None:
            if self.broken:
                raise RuntimeError

    fragile = Fragile()
    mall = await make_mall(extra={"fragile": fragile})
    made = Channel()
    mall.objects.add(PaymentProvider, made.code, made)
    shop = await a_shop(mall)
    order = await shop.order()
    payment = await pay(mall, shop, order)

    assert await apply(mall, capture_of(mall, payment)) == "recorded"

    assert await db.value("SELECT captured_fen FROM payment") == 1000
    assert await status_of(order) == "pending_payment"
    assert await db.value("SELECT kind || ' ' || state FROM staff_task") == "capture_stuck open"
    with pytest.raises(PluginUnavailable):
        await orders.cancel(mall, order.id, actor=SYSTEM, reason="pay_timeout")
    with pytest.raises(NothingToPay):
        await pay(mall, shop, order)
    assert await shop.stock_now() == (5, 1)

    fragile.broken = False
    await run_job(mall, "orders.settle_captured", {"order_id": order.id})

    assert await status_of(order) == "paid"
    assert await db.value("SELECT kind || ' ' || state FROM staff_task") == "capture_stuck done"
    assert await db.value("SELECT paid_fen FROM orders WHERE id = $1", order.id) == 1000


async def test_a_quote_names_a_guard_that_fails(make_mall: MakeMall) -> None:
    class Broken:
        @hookimpl
        async def order_guard(self) -> None:
            raise RuntimeError

    mall = await make_mall(extra={"broken": Broken()})
    shop = await a_shop(mall)

    found = await orders.quote(mall, shop.draft())

    assert [p.code for p in found.problems] == ["plugin.unavailable"]


async def test_what_staff_do_to_an_order_stands_in_the_audit_trail(mall: Mall) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    staff = await builders.a_staff(mall, ["orders.write"], None)

    await orders.cancel(mall, order.id, actor=staff.actor, reason="sold out")

    row = await db.row("SELECT action, subject_id, actor_id FROM audit_entry")
    assert row is not None
    assert tuple(row) == ("order.cancel", order.number, staff.staff_id)


async def test_another_transaction_for_a_paid_number_is_more_money_and_asks_a_person(
    mall: Mall, channel: Channel
) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    payment = await pay(mall, shop, order)
    await apply(mall, capture_of(mall, payment))

    assert await apply(mall, capture_of(mall, payment, channel_txn_id="T2", amount_fen=7)) == "duplicate"

    task = await db.row("SELECT kind, subject_id, details FROM staff_task")
    assert task is not None
    assert (task["kind"], task["subject_id"]) == ("duplicate_payment", "till:T2")
    assert msgspec.json.decode(task["details"])["amount_fen"] == 7


async def test_a_channel_whose_plugin_is_gone_ends_by_hand(
    mall: Mall, channel: Channel, clock: FrozenClock, run_job: RunJob
) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    await pay(mall, shop, order)
    mall.objects.remove_owner("core")  # as after an uninstall: nobody answers for the code any more
    mall.objects.add(PaymentProvider, "other", Channel())
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


async def test_the_reason_of_who_began_to_cancel_stays(mall: Mall, channel: Channel, run_job: RunJob) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    await pay(mall, shop, order)
    channel.says = ConnectionError("no route")
    await orders.cancel(mall, order.id, actor=Actor(kind="member", id=shop.member.id), reason="changed my mind")
    channel.says = ChannelState(state="closed")

    await run_job(mall, "orders.sweep_unpaid", {})

    assert await db.value("SELECT cancel_reason FROM orders WHERE id = $1", order.id) == "changed my mind"


async def test_an_expired_answer_of_the_channel_is_not_handed_out_again(
    mall: Mall, channel: Channel, clock: FrozenClock
) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    channel.lives = timedelta(minutes=5)
    first = await pay(mall, shop, order)
    assert (await pay(mall, shop, order)).number == first.number
    assert channel.prepared == 1
    clock.advance(timedelta(minutes=10))

    again = await pay(mall, shop, order)

    assert (again.number, channel.prepared) == (first.number, 2)
    assert again.expires_at is not None
    assert again.expires_at > clock.now()


async def test_once_paid_the_other_attempts_are_closed_at_their_channels(
    mall: Mall, channel: Channel, run_job: RunJob
) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    other = Channel()
    other.code = "counter"
    mall.objects.add(PaymentProvider, "counter", other)
    await pay(mall, shop, order)
    counter = await orders.start_payment(mall, order, provider="counter", payer=Payer(member_id=shop.member.id))
    await orders.apply_capture(mall, capture_of(mall, counter), provider="counter", actor=SYSTEM)
    assert await db.value("SELECT count(*) FROM pgqueuer WHERE entrypoint = 'orders.close_attempts'") == 1

    await run_job(mall, "orders.close_attempts", {"order_id": order.id})

    states = await db.rows("SELECT provider, state FROM payment ORDER BY provider")
    assert [tuple(s) for s in states] == [("counter", "captured"), ("till", "closed")]


async def test_two_payments_while_a_plugin_fails_are_one_payment_and_one_duplicate(
    make_mall: MakeMall, run_job: RunJob
) -> None:
    class Fragile:
        broken = True

        @hookimpl
        async def order_transitioning(self) -> None:
            if self.broken:
                raise RuntimeError

    fragile = Fragile()
    mall = await make_mall(extra={"fragile": fragile})
    shop = await a_shop(mall)
    order = await shop.order()
    attempts: dict[str, PaymentView] = {}
    for code in ("till", "counter"):
        made = Channel()
        made.code = code
        mall.objects.add(PaymentProvider, code, made)
        attempts[code] = await orders.start_payment(mall, order, provider=code, payer=Payer(member_id=shop.member.id))

    async def capture(code: str) -> str:
        return await orders.apply_capture(mall, capture_of(mall, attempts[code]), provider=code, actor=SYSTEM)

    assert await capture("till") == "recorded"
    fragile.broken = False
    assert await capture("counter") == "paid"
    await run_job(mall, "orders.settle_captured", {"order_id": order.id})

    tasks = await db.rows("SELECT kind, state, subject_id FROM staff_task ORDER BY kind")
    till = attempts["till"].number
    assert [tuple(t) for t in tasks] == [("capture_stuck", "done", till), ("duplicate_payment", "open", till)]
    assert await db.value("SELECT paid_fen FROM orders WHERE id = $1", order.id) == 1000


async def test_one_broken_provider_does_not_hide_the_others(mall: Mall, channel: Channel) -> None:
    class Broken(Channel):
        async def available(self, mall: Mall, *, store_id: int | None, fulfilment_method: str) -> bool:
            raise RuntimeError

    mall.objects.add(PaymentProvider, "broken", Broken())
    shop = await a_shop(mall)

    assert [code for code, _ in await orders.methods(mall, await shop.order())] == ["till"]


async def test_an_order_is_not_completed_before_its_goods_are_handed_over(mall: Mall, channel: Channel) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    await apply(mall, capture_of(mall, await pay(mall, shop, order)))

    with pytest.raises(NotYetFulfilled):
        async with db.transaction():
            await orders.transition(mall, await orders.locked(order.id), "complete", actor=SYSTEM)

    async with db.transaction():
        await orders.transition(mall, await orders.locked(order.id), "close", actor=SYSTEM)
    assert await shop.stock_now() == (5, 0)
    assert await broken() == []


async def test_staff_release_a_hold_whose_plugin_is_gone(mall: Mall, channel: Channel) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    async with db.transaction():
        held = await lifecycle.locked(order.id)
        await orders.put_hold(mall, held, plugin_id="group", code="forming", reason=Text("未成团", "group not full"))
    await apply(mall, capture_of(mall, await pay(mall, shop, order)))
    staff = await builders.a_staff(mall, ["orders.write"], None)
    current = await orders.get(mall, order.number)

    with pytest.raises(HoldNotFound):
        await orders.release_by_hand(mall, current, plugin_id="group", code="other", actor=staff.actor, reason="gone")
    after = await orders.release_by_hand(
        mall, current, plugin_id="group", code="forming", actor=staff.actor, reason="the plugin is gone"
    )

    assert not after.held
    assert await db.value("SELECT count(*) FROM pickup_code WHERE state = 'issued'") == 1
    assert await db.value("SELECT action FROM audit_entry WHERE action = 'order.release_hold'") == "order.release_hold"


async def test_a_notification_that_was_not_handled_is_given_out_again(mall: Mall) -> None:
    async def store() -> int | None:
        return await payments.store_notification(
            mall, provider="till", event_id="E1", headers={}, body=b"{}", verified=True
        )

    first = await store()
    assert first is not None
    assert await store() == first
    await payments.settle_notification(mall, first, "paid")

    assert await store() is None
