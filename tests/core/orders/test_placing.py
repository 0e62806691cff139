"""Placing an order: what is refused, and that it happens once."""

from __future__ import annotations

import msgspec
import pytest

from core import db
from core.carts import service as carts
from core.inventory.errors import OutOfStock
from core.kernel.errors import PluginUnavailable, Problem
from core.kernel.i18n import Text
from core.kernel.mall import Mall
from core.kernel.origin import Origin
from core.orders import service as orders
from core.orders.errors import (
    CartChanged,
    ExtensionUnknown,
    OrderEmpty,
    OrderRefused,
    PriceChanged,
    QuantityTooLarge,
    RequestKeyReused,
)
from core.orders.types import DraftLine, Order, OrderDraft
from core.sdk import hookimpl
from core.testing import builders, races
from core.testing.shop import a_shop


async def test_an_order_reserves_its_stock_and_waits_for_payment(mall: Mall) -> None:
    shop = await a_shop(mall, on_hand=3)

    order = await orders.place_order(mall, shop.draft(qty=2), expected_total_fen=2000, request_key="key-00001")

    assert (order.status, order.payable_fen, order.lines[0].payable_fen) == ("pending_payment", 2000, 2000)
    assert order.pay_deadline is not None
    assert await shop.stock_now() == (3, 2)
    assert await db.value("SELECT count(*) FROM event WHERE name = 'order.placed'") == 1
    assert await db.value("SELECT channel FROM event WHERE name = 'order.placed'") == "miniprogram"


async def test_more_than_there_is_is_refused_and_writes_nothing(mall: Mall) -> None:
    shop = await a_shop(mall, on_hand=1)

    with pytest.raises(OutOfStock):
        await orders.place_order(mall, shop.draft(qty=2), expected_total_fen=2000, request_key="key-00001")

    assert await shop.stock_now() == (1, 0)
    for table in ("orders", "order_line", "reservation", "event", "order_timeline"):
        assert await db.value(f"SELECT count(*) FROM {table}") == 0, table


async def test_another_total_than_the_one_seen_is_refused_with_the_new_quote(mall: Mall) -> None:
    shop = await a_shop(mall)

    with pytest.raises(PriceChanged) as refused:
        await orders.place_order(mall, shop.draft(), expected_total_fen=999, request_key="key-00001")

    assert refused.value.details["quote"]["payable_fen"] == 1000
    assert await db.value("SELECT count(*) FROM orders") == 0


async def test_the_same_key_answers_the_same_order_even_when_sold_out_meanwhile(mall: Mall) -> None:
    shop = await a_shop(mall, on_hand=1)
    first = await orders.place_order(mall, shop.draft(), expected_total_fen=1000, request_key="key-00001")

    second = await orders.place_order(mall, shop.draft(), expected_total_fen=1000, request_key="key-00001")

    assert second.number == first.number
    assert await shop.stock_now() == (1, 1)


async def test_the_same_key_with_another_wish_is_refused(mall: Mall) -> None:
    shop = await a_shop(mall)
    await orders.place_order(mall, shop.draft(), expected_total_fen=1000, request_key="key-00001")

    with pytest.raises(RequestKeyReused):
        await orders.place_order(mall, shop.draft(qty=2), expected_total_fen=2000, request_key="key-00001")


async def test_a_double_click_makes_one_order(mall: Mall) -> None:
    shop = await a_shop(mall, on_hand=10)

    outcomes = await races.run_together(
        8, lambda: orders.place_order(mall, shop.draft(), expected_total_fen=1000, request_key="key-00001")
    )

    assert {o.value.number for o in outcomes if o.ok and o.value is not None} == {
        await db.value("SELECT number FROM orders")
    }
    assert all(o.ok for o in outcomes)
    assert await shop.stock_now() == (10, 1)


async def test_two_buyers_for_the_last_unit_one_wins(mall: Mall) -> None:
    shop = await a_shop(mall, on_hand=1)
    other = await builders.a_member(mall)
    drafts = iter([shop.draft(), shop.draft(member_id=other.id)])

    outcomes = await races.run_together(
        2, lambda: orders.place_order(mall, next(drafts), expected_total_fen=1000, request_key="key-00001")
    )

    assert sorted(o.ok for o in outcomes) == [False, True]
    assert [type(o.error) for o in outcomes if not o.ok] == [OutOfStock]
    assert await shop.stock_now() == (1, 1)


async def test_lines_of_one_sku_are_merged(mall: Mall) -> None:
    shop = await a_shop(mall)
    draft = msgspec.structs.replace(shop.draft(), lines=(DraftLine(sku_id=shop.sku_id, qty=1),) * 2)

    order = await orders.place_order(mall, draft, expected_total_fen=2000, request_key="key-00001")

    assert [line.qty for line in order.lines] == [2]


async def test_an_empty_order_is_refused(mall: Mall) -> None:
    shop = await a_shop(mall)

    with pytest.raises(OrderEmpty):
        await orders.place_order(
            mall, msgspec.structs.replace(shop.draft(), lines=()), expected_total_fen=0, request_key="key-00001"
        )


async def test_extensions_of_nobody_are_refused(mall: Mall) -> None:
    shop = await a_shop(mall)
    draft = msgspec.structs.replace(shop.draft(), extensions={"nobody": {}})

    with pytest.raises(ExtensionUnknown):
        await orders.place_order(mall, draft, expected_total_fen=1000, request_key="key-00001")


async def test_every_reason_of_every_plugin_is_shown_at_once(make_mall) -> None:
    class Strict:
        def __init__(self, code: str) -> None:
            self.code = code

        @hookimpl
        async def order_guard(self) -> list[Problem]:
            return [Problem(code=self.code, message=Text("不行", "no"))]

    mall = await make_mall(extra={"first": Strict("first.no"), "second": Strict("second.no")})
    shop = await a_shop(mall)

    with pytest.raises(OrderRefused) as refused:
        await orders.place_order(mall, shop.draft(), expected_total_fen=1000, request_key="key-00001")

    assert [p.code for p in refused.value.problems] == ["first.no", "second.no"]
    assert await db.value("SELECT count(*) FROM orders") == 0


async def test_a_failing_guard_cannot_let_an_order_through(make_mall) -> None:
    class Broken:
        @hookimpl
        async def order_guard(self) -> None:
            raise RuntimeError

    mall = await make_mall(extra={"broken": Broken()})
    shop = await a_shop(mall)

    with pytest.raises(PluginUnavailable):
        await orders.place_order(mall, shop.draft(), expected_total_fen=1000, request_key="key-00001")

    assert await db.value("SELECT count(*) FROM orders") == 0


async def test_a_failing_participant_rolls_everything_back(make_mall) -> None:
    class Broken:
        @hookimpl
        async def order_placing(self) -> None:
            raise RuntimeError

    mall = await make_mall(extra={"broken": Broken()})
    shop = await a_shop(mall, on_hand=1)

    with pytest.raises(PluginUnavailable):
        await orders.place_order(mall, shop.draft(), expected_total_fen=1000, request_key="key-00001")

    assert await shop.stock_now() == (1, 0)
    assert await db.value("SELECT count(*) FROM orders") == 0


async def test_a_free_order_is_paid_at_once_without_a_channel(mall: Mall) -> None:
    shop = await a_shop(mall, price_fen=0)

    order = await orders.place_order(mall, shop.draft(), expected_total_fen=0, request_key="key-00001")

    assert (order.status, order.paid_fen, order.pay_deadline) == ("paid", 0, None)
    assert await db.value("SELECT provider FROM payment") == "zero"
    assert await db.value("SELECT count(*) FROM pickup_code WHERE state = 'issued'") == 1


async def test_a_members_limit_counts_live_orders_also_when_two_come_at_once(mall: Mall) -> None:
    shop = await a_shop(mall, on_hand=10, max_per_member=2)
    keys = iter(f"key-{n:05d}" for n in range(9))

    outcomes = await races.run_together(
        4, lambda: orders.place_order(mall, shop.draft(), expected_total_fen=1000, request_key=next(keys))
    )

    assert sum(o.ok for o in outcomes) == 2
    refusal = next(o.error for o in outcomes if not o.ok)
    assert isinstance(refusal, OrderRefused)
    assert [p.code for p in refusal.problems] == ["orders.member_limit"]


async def test_a_quote_names_every_problem_and_writes_nothing(mall: Mall) -> None:
    shop = await a_shop(mall)
    draft = OrderDraft(
        member_id=shop.member.id, lines=(DraftLine(sku_id=10**9, qty=1),), origin=Origin(), store_id=None,
        fulfilment_method="pickup",
    )  # fmt: skip

    found = await orders.quote(mall, draft)

    assert [p.code for p in found.problems] == ["fulfilment.store_needed", "catalog.sku_not_found"]


async def test_placing_takes_at_most_twelve_round_trips(mall: Mall) -> None:
    """The bound of the project's issue is twelve with the session look-up; this counts what follows that."""
    shop = await a_shop(mall)
    seen: list[str] = []
    token = db.round_trips.set(seen)

    await orders.place_order(mall, shop.draft(), expected_total_fen=1000, request_key="key-00001")

    db.round_trips.reset(token)
    assert len(seen) <= 9, seen


async def test_of_two_orders_from_one_cart_one_wins_and_its_repeat_answers_it(mall: Mall) -> None:
    shop = await a_shop(mall, on_hand=10)
    await carts.add(mall, shop.member.id, sku_id=shop.sku_id, qty=1)
    draft = msgspec.structs.replace(shop.draft(), from_cart=True)
    keys = ("key-00001", "key-00002")

    async def place(number: int) -> Order:
        return await orders.place_order(mall, draft, expected_total_fen=1000, request_key=keys[number])

    outcomes = await races.run_together(2, place)

    assert sorted(o.ok for o in outcomes) == [False, True]
    assert [type(o.error) for o in outcomes if not o.ok] == [CartChanged]
    won = next(i for i, o in enumerate(outcomes) if o.ok)
    emptied = msgspec.structs.replace(draft, lines=())
    again = await orders.place_order(mall, emptied, expected_total_fen=1000, request_key=keys[won])
    assert again.number == outcomes[won].value.number
    assert await shop.stock_now() == (10, 1)


async def test_merged_lines_cannot_pass_the_limit_of_one_line(mall: Mall) -> None:
    shop = await a_shop(mall)
    draft = msgspec.structs.replace(shop.draft(), lines=(DraftLine(sku_id=shop.sku_id, qty=999),) * 2)

    with pytest.raises(QuantityTooLarge):
        await orders.quote(mall, draft)


async def test_a_quote_says_that_there_is_not_enough(mall: Mall) -> None:
    shop = await a_shop(mall, on_hand=1)

    assert (await orders.quote(mall, shop.draft(qty=1))).problems == ()
    found = (await orders.quote(mall, shop.draft(qty=2))).problems

    assert [(p.code, p.details["available"]) for p in found] == [("inventory.out_of_stock", 1)]
