"""Money that arrives: recorded once, whatever happens next."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import pytest

from core import db
from core.kernel.errors import PluginUnavailable
from core.kernel.mall import Mall
from core.kernel.origin import SYSTEM
from core.orders import service as orders
from core.payments import service as payments
from core.payments.errors import NothingToPay
from core.payments.types import Payer, PaymentProvider, PaymentView
from core.sdk import hookimpl
from core.testing import races
from core.testing.pytest_plugin import MakeMall
from core.testing.shop import a_shop
from core.testing.till import Till, a_till, apply, capture_of, pay, status_of

RunJob = Callable[..., Awaitable[None]]


@pytest.fixture
def till(mall: Mall) -> Till:
    return a_till(mall)


async def test_captured_money_pays_the_order_and_issues_the_code(mall: Mall, till: Till) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    payment = await pay(mall, shop, order)

    assert await apply(mall, capture_of(mall, payment)) == "paid"

    after = await orders.get(mall, order.number)
    assert (after.status, after.paid_fen) == ("paid", 1000)
    assert await db.value("SELECT count(*) FROM pickup_code WHERE order_id = $1 AND state = 'issued'", order.id) == 1


async def test_the_same_news_ten_times_at_once_counts_once(mall: Mall, till: Till) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    payment = await pay(mall, shop, order)

    outcomes = await races.run_together(10, lambda: apply(mall, capture_of(mall, payment)))

    assert sorted(o.value or "" for o in outcomes) == ["paid", *["repeat"] * 9]
    assert await db.value("SELECT paid_fen FROM orders WHERE id = $1", order.id) == 1000
    assert await db.value("SELECT count(*) FROM event WHERE name = 'order.paid'") == 1


@pytest.mark.parametrize("wrong", [{"amount_fen": 999}, {"currency": "USD"}])
async def test_another_amount_or_currency_pays_nothing_and_asks_a_person(
    mall: Mall, till: Till, wrong: dict[str, object]
) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    payment = await pay(mall, shop, order)

    assert await apply(mall, capture_of(mall, payment, **wrong)) == "mismatch"

    assert await status_of(order) == "pending_payment"
    assert await db.value("SELECT kind FROM staff_task") == "payment_mismatch"


async def test_money_for_an_unknown_number_becomes_one_task(mall: Mall, till: Till) -> None:
    shop = await a_shop(mall)
    payment = await pay(mall, shop, await shop.order())
    stray = capture_of(mall, payment, payment_number="P00000000", channel_txn_id="T1")

    assert [await apply(mall, stray), await apply(mall, stray)] == ["orphan", "orphan"]

    assert await db.value("SELECT count(*) FROM staff_task WHERE kind = 'orphan_payment'") == 1


async def test_money_for_a_cancelled_order_is_recorded_and_asks_a_person(mall: Mall, till: Till) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    payment = await pay(mall, shop, order)
    await orders.cancel(mall, order.id, actor=SYSTEM, reason="buyer")

    assert await apply(mall, capture_of(mall, payment)) == "late"

    assert await status_of(order) == "cancelled"
    assert await db.value("SELECT captured_fen FROM payment") == 1000
    assert await db.value("SELECT kind FROM staff_task") == "late_payment"
    assert await shop.stock_now() == (5, 0)


async def test_a_second_payment_is_recorded_and_asks_a_person(mall: Mall, till: Till) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    first = await pay(mall, shop, order)
    await payments.mark_closed(first.id, mall.clock.now())
    second = await pay(mall, shop, order)
    await apply(mall, capture_of(mall, second))

    assert await apply(mall, capture_of(mall, first)) == "duplicate"

    assert await db.value("SELECT kind FROM staff_task") == "duplicate_payment"
    assert await db.value("SELECT paid_fen FROM orders WHERE id = $1", order.id) == 1000


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
    made = Till()
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


async def test_another_transaction_for_a_paid_number_is_more_money_and_asks_a_person(mall: Mall, till: Till) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    payment = await pay(mall, shop, order)
    await apply(mall, capture_of(mall, payment))

    assert await apply(mall, capture_of(mall, payment, channel_txn_id="T2", amount_fen=7)) == "duplicate"

    task = await db.row("SELECT kind, subject_id, details FROM staff_task")
    assert task is not None
    assert (task["kind"], task["subject_id"]) == ("duplicate_payment", "till:T2")
    assert msgspec.json.decode(task["details"])["amount_fen"] == 7


async def test_once_paid_the_other_attempts_are_closed_at_their_channels(
    mall: Mall, till: Till, run_job: RunJob
) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    other = Till()
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
        made = Till()
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
