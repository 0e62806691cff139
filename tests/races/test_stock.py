"""Many buyers, little stock: nothing is sold twice, nobody waits for ever (behaviour.md 5.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from core import db
from core.inventory import audit
from core.inventory import service as inventory
from core.inventory.errors import BelowReserved, OutOfStock
from core.inventory.types import Want
from core.kernel.mall import Mall
from core.kernel.origin import SYSTEM
from core.testing import builders, races

Place = tuple[int, int]


async def a_place(mall: Mall, n: int) -> Place:
    location_id = await builders.location_of(await builders.a_store(mall))
    sku_id = (await builders.a_product(mall)).sku.id
    await builders.stock(mall, sku_id, location_id, n)
    return sku_id, location_id


async def buy(mall: Mall, order_id: int, *places: Place, qty: int = 1) -> None:
    async with db.transaction():
        wants = [Want(order_id * 100 + i, *place, qty) for i, place in enumerate(places)]
        await inventory.reserve(mall, order_id, wants, expires_at=None)


async def level(place: Place) -> tuple[int, int]:
    found = await db.row("SELECT on_hand, reserved FROM stock WHERE sku_id = $1 AND location_id = $2", *place)
    assert found is not None
    return found["on_hand"], found["reserved"]


async def test_fifty_buyers_of_ten_units_make_ten_orders(mall: Mall) -> None:
    place = await a_place(mall, 10)

    outcomes = await races.run_together(50, lambda i: buy(mall, i + 1, place))

    assert races.won(outcomes) == 10
    assert {type(e) for e in races.errors(outcomes)} == {OutOfStock}
    assert await level(place) == (10, 10)
    assert await db.value("SELECT count(*) FROM reservation WHERE state = 'active'") == 10
    assert await db.value("SELECT count(*) FROM event WHERE name = 'inventory.stock_changed'") == 1
    assert await audit.broken() == []


async def test_control_reading_before_writing_oversells(mall: Mall) -> None:
    place = await a_place(mall, 10)

    async def naive(order_id: int) -> None:
        async with db.transaction():
            found = await db.row("SELECT on_hand - reserved AS free, reserved FROM stock WHERE sku_id = $1", place[0])
            assert found is not None
            await races.gap()
            if found["free"] < 1:
                raise OutOfStock(sku=place[0], available=0)
            await db.execute("UPDATE stock SET reserved = $2 WHERE sku_id = $1", place[0], found["reserved"] + 1)
            await db.execute(
                "INSERT INTO reservation (order_id, order_line_id, sku_id, location_id, qty, state, created_at) "
                "VALUES ($1, $1, $2, $3, 1, 'active', $4)", order_id, *place, mall.clock.now(),
            )  # fmt: skip

    outcomes = await races.run_together(50, naive)

    assert races.won(outcomes) > 10
    assert any(line.startswith("reserved_is_sum_of_active") for line in await audit.broken())


async def after_a_wait(first: Awaitable[object], second: Callable[[], Awaitable[object]]) -> None:
    """Run ``first`` in a transaction that stays open while ``second`` starts and waits for its locks."""
    done = asyncio.Event()

    async def one() -> None:
        async with db.transaction():
            await first
            done.set()
            await races.gap(0.2)

    async def two() -> None:
        await done.wait()
        await second()

    await asyncio.gather(one(), two())


async def test_a_buyer_who_waited_for_a_release_gets_the_unit(mall: Mall) -> None:
    """The statement starts while the row is full: guard and CHECK must see what is there after the wait."""
    place = await a_place(mall, 1)
    await buy(mall, 1, place)

    await after_a_wait(inventory.release(mall, 1), lambda: buy(mall, 2, place))

    assert await level(place) == (1, 1)
    assert await audit.broken() == []


async def test_a_count_that_waited_for_a_release_is_taken(mall: Mall) -> None:
    place = await a_place(mall, 3)
    await buy(mall, 1, place, qty=3)

    await after_a_wait(
        inventory.release(mall, 1), lambda: inventory.adjust(mall, *place, to=0, reason="count", actor=SYSTEM)
    )

    assert await level(place) == (0, 0)
    assert await audit.broken() == []


async def test_a_hand_over_that_waited_for_a_purchase_and_a_delivery_counts_both(mall: Mall) -> None:
    place = await a_place(mall, 3)
    await buy(mall, 1, place, qty=2)

    wants = [Want(900, *place, 1)]
    await after_a_wait(inventory.reserve(mall, 9, wants, expires_at=None), lambda: commit(mall, 1))
    await after_a_wait(commit_in(mall, 9), lambda: inventory.receive(mall, *place, qty=4, actor=SYSTEM))

    assert await level(place) == (4, 0)
    assert await audit.broken() == []


async def commit_in(mall: Mall, order_id: int) -> None:
    await inventory.commit(mall, order_id, actor=SYSTEM)


async def commit(mall: Mall, order_id: int) -> None:
    async with db.transaction():
        await commit_in(mall, order_id)


async def test_a_cancel_and_a_hand_over_at_once_settle_each_unit_once(mall: Mall) -> None:
    place = await a_place(mall, 20)
    for order_id in range(1, 11):
        await buy(mall, order_id, place, qty=2)

    async def settle(i: int) -> None:
        async with db.transaction():
            if i % 2:
                await inventory.release(mall, i // 2 + 1)
            else:
                await inventory.commit(mall, i // 2 + 1, actor=SYSTEM)

    outcomes = await races.run_together(20, settle)

    assert races.won(outcomes) == 20
    rows = await db.rows("SELECT state, count(*)::int AS n FROM reservation GROUP BY state")
    states = {r["state"]: r["n"] for r in rows}
    assert sum(states.values()) == 10
    assert "active" not in states
    assert await level(place) == (20 - 2 * states.get("committed", 0), 0)
    assert await audit.broken() == []


async def test_releasing_twice_at_once_frees_once(mall: Mall) -> None:
    place = await a_place(mall, 5)
    await buy(mall, 1, place, qty=3)
    await buy(mall, 2, place, qty=2)

    async def release() -> int:
        async with db.transaction():
            return await inventory.release(mall, 1)

    outcomes = await races.run_together(6, release)

    assert sorted(o.value for o in outcomes) == [0, 0, 0, 0, 0, 3]
    assert await level(place) == (5, 2)
    assert await audit.broken() == []


async def test_partial_hand_overs_at_once_never_take_more_than_is_held(mall: Mall) -> None:
    place = await a_place(mall, 9)
    await buy(mall, 1, place, qty=5)

    async def part() -> int:
        async with db.transaction():
            return sum((await inventory.commit(mall, 1, quantities={100: 2}, actor=SYSTEM)).values())

    outcomes = await races.run_together(4, part)

    assert sum(o.value for o in outcomes) == 5
    assert await level(place) == (4, 0)
    assert await audit.broken() == []


async def test_one_return_booked_by_two_calls_comes_back_once(mall: Mall) -> None:
    place = await a_place(mall, 5)
    await buy(mall, 1, place, qty=5)
    async with db.transaction():
        await inventory.commit(mall, 1, actor=SYSTEM)

    async def give_back(i: int) -> None:
        async with db.transaction():
            await inventory.give_back(mall, 1, {100: 3}, ref=f"return:{i % 2}")

    outcomes = await races.run_together(6, give_back)

    assert 1 <= races.won(outcomes) <= 3  # of two returns of 3 units only one fits into 5; its repeats do nothing
    assert await level(place) == (3, 0)
    assert await audit.broken() == []


async def test_orders_of_the_same_skus_in_opposite_order_do_not_deadlock(mall: Mall) -> None:
    location_id = await builders.location_of(await builders.a_store(mall))
    places = [(sku.id, location_id) for sku in (await builders.a_product(mall, skus=6)).skus]
    for place in places:
        await builders.stock(mall, *place, 1000)

    async def one(i: int) -> None:
        mine = places if i % 2 else places[::-1]
        await buy(mall, i + 1, *mine)
        async with db.transaction():
            if i % 3:
                await inventory.release(mall, i + 1)
            else:
                await inventory.commit(mall, i + 1, actor=SYSTEM)

    outcomes = await races.run_together(40, one)

    assert races.errors(outcomes) == []
    assert await audit.broken() == []


async def test_control_locking_in_the_order_of_the_lines_deadlocks(mall: Mall) -> None:
    first, second = await a_place(mall, 10), await a_place(mall, 10)

    async def naive(i: int) -> None:
        async with db.transaction():
            for place in (first, second) if i % 2 else (second, first):
                await db.execute("UPDATE stock SET reserved = reserved + 1 WHERE sku_id = $1", place[0])
                await races.gap()

    outcomes = await races.run_together(2, naive)

    assert [type(e).__name__ for e in races.errors(outcomes)] == ["DeadlockDetectedError"]


async def test_an_adjustment_and_a_buyer_at_once_leave_no_order_without_goods(mall: Mall) -> None:
    for _ in range(5):
        place = await a_place(mall, 1)

        async def one(i: int, place: Place = place) -> None:
            if i % 2:
                await buy(mall, place[0], place)
            else:
                await inventory.adjust(mall, *place, to=0, reason="count", actor=SYSTEM)

        outcomes = await races.run_together(2, one)

        assert races.won(outcomes) == 1
        assert {type(e) for e in races.errors(outcomes)} <= {OutOfStock, BelowReserved}
    assert await audit.broken() == []


async def test_adjustments_at_once_all_count(mall: Mall) -> None:
    place = await a_place(mall, 1)

    outcomes = await races.run_together(
        10, lambda: inventory.adjust(mall, *place, delta=2, reason="found", actor=SYSTEM)
    )

    assert races.won(outcomes) == 10
    assert await level(place) == (21, 0)
    assert await audit.broken() == []


async def test_first_deliveries_of_a_sku_at_once_make_one_row(mall: Mall) -> None:
    location_id = await builders.location_of(await builders.a_store(mall))
    sku_id = (await builders.a_product(mall)).sku.id

    await races.run_together(8, lambda: inventory.receive(mall, sku_id, location_id, qty=3, actor=SYSTEM))

    assert await level((sku_id, location_id)) == (24, 0)
    assert await audit.broken() == []
