"""Holds, completion, and what staff do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from core import db
from core.inventory.audit import broken
from core.kernel.i18n import Text
from core.kernel.mall import Mall
from core.kernel.origin import SYSTEM
from core.orders import lifecycle
from core.orders import service as orders
from core.orders.errors import HoldNotFound, NotYetFulfilled
from core.sdk import hookimpl
from core.testing import builders
from core.testing.pytest_plugin import MakeMall
from core.testing.shop import a_shop
from core.testing.till import Till, a_till, apply, capture_of, pay

RunJob = Callable[..., Awaitable[None]]


@pytest.fixture
def till(mall: Mall) -> Till:
    return a_till(mall)


async def test_a_hold_stops_the_code_until_it_is_released(mall: Mall, till: Till) -> None:
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


async def test_an_order_is_not_completed_before_its_goods_are_handed_over(mall: Mall, till: Till) -> None:
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


async def test_staff_release_a_hold_whose_plugin_is_gone(mall: Mall, till: Till) -> None:
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
