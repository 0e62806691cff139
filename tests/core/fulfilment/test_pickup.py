"""The counter: codes that are wrong, foreign, used or held, and the one hand-over."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core import db
from core.fulfilment import pickup
from core.fulfilment.errors import CodeUnknown, CodeUsed, StoreNotServing, TooManyTries, WrongStore
from core.kernel.i18n import Text
from core.kernel.ids import luhn_valid
from core.kernel.mall import Mall
from core.kernel.origin import Actor
from core.orders import lifecycle
from core.orders import service as orders
from core.orders.errors import OrderHeld
from core.orders.types import Order
from core.testing import builders, races
from core.testing.clock import FrozenClock
from core.testing.shop import Shop, a_shop


async def a_paid_order(mall: Mall, shop: Shop, *, key: str = "key-00001", qty: int = 1) -> tuple[Order, str]:
    """Make an order that is paid (it is free) and return it with its code."""
    order = await shop.order(key=key, qty=qty)
    code = await db.value("SELECT code FROM pickup_code WHERE order_id = $1", order.id)
    return order, code


async def test_a_code_has_twelve_digits_with_a_check_digit(mall: Mall) -> None:
    _, code = await a_paid_order(mall, await a_shop(mall, price_fen=0))

    assert len(code) == 12
    assert luhn_valid(code)


async def test_verifying_hands_the_goods_over_and_completes_the_order(mall: Mall) -> None:
    shop = await a_shop(mall, price_fen=0)
    order, code = await a_paid_order(mall, shop, qty=2)
    staff = await builders.a_staff(mall, ["orders.fulfil"], [shop.store_id])

    done = await pickup.verify(mall, staff, f"{code[:4]} {code[4:8]} {code[8:]}")

    assert (done.order.status, done.order.fulfilment_state) == ("completed", "done")
    assert done.order.lines[0].fulfilled_qty == 2
    assert await shop.stock_now() == (3, 0)
    redeemed = await db.row("SELECT channel, store_id, staff_id FROM event WHERE name = 'pickup.verified'")
    assert redeemed is not None
    assert tuple(redeemed) == ("miniprogram", shop.store_id, staff.staff_id)
    steps = await db.rows("SELECT event, actor_kind FROM order_timeline WHERE order_id = $1 ORDER BY id", order.id)
    assert [tuple(s) for s in steps] == [
        ("place", "member"), ("pay", "member"), ("pickup_verified", "staff"), ("complete", "staff"),
    ]  # fmt: skip


async def test_of_two_verifications_at_once_one_wins(mall: Mall) -> None:
    shop = await a_shop(mall, price_fen=0)
    _, code = await a_paid_order(mall, shop)
    staff = await builders.a_staff(mall, ["orders.fulfil"], [shop.store_id])

    outcomes = await races.run_together(5, lambda: pickup.verify(mall, staff, code))

    assert sum(o.ok for o in outcomes) == 1
    assert {type(o.error) for o in outcomes if not o.ok} == {CodeUsed}
    assert await shop.stock_now() == (4, 0)
    assert await db.value("SELECT count(*) FROM event WHERE name = 'order.completed'") == 1


async def test_staff_of_another_store_cannot_verify(mall: Mall) -> None:
    shop = await a_shop(mall, price_fen=0)
    _, code = await a_paid_order(mall, shop)
    elsewhere = await builders.a_store(mall)
    staff = await builders.a_staff(mall, ["orders.fulfil"], [elsewhere.id])

    with pytest.raises(WrongStore):
        await pickup.verify(mall, staff, code)

    assert await shop.stock_now() == (5, 1)


@pytest.mark.parametrize("wrong", ["000000000001", "12345", "abcdefghijkl", "999999999999", "１２３４５６７８９０１２"])
async def test_wrong_codes_are_refused_and_leave_a_trace(mall: Mall, wrong: str) -> None:
    staff = await builders.a_staff(mall, ["orders.fulfil"], None)

    with pytest.raises(CodeUnknown):
        await pickup.verify(mall, staff, wrong)

    assert await db.value("SELECT result FROM pickup_attempt") == "fulfilment.code_unknown"


async def test_guessing_is_stopped_after_ten_tries_a_minute(mall: Mall, clock: FrozenClock) -> None:
    shop = await a_shop(mall, price_fen=0)
    _, code = await a_paid_order(mall, shop)
    staff = await builders.a_staff(mall, ["orders.fulfil"], None)
    for _ in range(10):
        with pytest.raises(CodeUnknown):
            await pickup.verify(mall, staff, "000000000000")

    with pytest.raises(TooManyTries):
        await pickup.verify(mall, staff, code)


async def test_guessing_is_stopped_also_when_redis_forgot_the_tries(mall: Mall) -> None:
    staff = await builders.a_staff(mall, ["orders.fulfil"], None)
    for _ in range(10):
        with pytest.raises(CodeUnknown):
            await pickup.verify(mall, staff, "000000000000")
    assert mall.redis is not None
    await mall.redis.flushdb()

    with pytest.raises(TooManyTries):
        await pickup.verify(mall, staff, "000000000000")


async def test_a_held_order_is_not_handed_over(mall: Mall) -> None:
    shop = await a_shop(mall, price_fen=0)
    order, code = await a_paid_order(mall, shop)
    staff = await builders.a_staff(mall, ["orders.fulfil"], None)
    async with db.transaction():
        held = await lifecycle.locked(order.id)
        await orders.put_hold(mall, held, plugin_id="group", code="forming", reason=Text("未成团", "group not full"))

    with pytest.raises(OrderHeld) as refused:
        await pickup.verify(mall, staff, code)

    assert [p.code for p in refused.value.problems] == ["group.forming"]


async def test_looking_a_code_up_changes_nothing(mall: Mall) -> None:
    shop = await a_shop(mall, price_fen=0)
    _, code = await a_paid_order(mall, shop)
    staff = await builders.a_staff(mall, ["orders.fulfil"], None)

    assert (await pickup.look_up(mall, staff, code)).order.status == "paid"
    assert (await pickup.look_up(mall, staff, code)).pickup.state == "issued"


async def test_a_closed_store_takes_no_pick_up_orders(mall: Mall, clock: FrozenClock) -> None:
    shop = await a_shop(mall)
    await db.execute(
        "UPDATE store SET closed_from = $2, closed_until = $3 WHERE id = $1",
        shop.store_id, clock.now(), clock.now() + timedelta(days=1),
    )  # fmt: skip

    found = await orders.quote(mall, shop.draft())
    assert [p.code for p in found.problems] == ["fulfilment.store_not_serving"]
    with pytest.raises(StoreNotServing):
        await shop.order()


async def test_a_guard_may_refuse_completion_and_then_nothing_is_handed_over(make_mall) -> None:
    from core.kernel.errors import Problem
    from core.orders.errors import TransitionRefused
    from core.sdk import hookimpl

    class Cautious:
        @hookimpl
        async def order_transition_guard(self, transition) -> list[Problem]:
            return [Problem(code="cautious.no", message=Text("不行", "no"))] if transition.event == "complete" else []

    mall = await make_mall(extra={"cautious": Cautious()})
    shop = await a_shop(mall, price_fen=0)
    _, code = await a_paid_order(mall, shop)
    staff = await builders.a_staff(mall, ["orders.fulfil"], None)

    with pytest.raises(TransitionRefused):
        await pickup.verify(mall, staff, code)

    assert await shop.stock_now() == (5, 1)
    assert await db.value("SELECT state FROM pickup_code") == "issued"
    assert Actor(kind="staff") != staff.actor
