"""Reservations: held once, taken once, let go once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from core import db
from core.inventory import audit
from core.inventory import service as inventory
from core.inventory.errors import NotCommitted, OutOfStock, QuantityInvalid
from core.inventory.types import Want
from core.kernel.mall import Mall
from core.kernel.origin import SYSTEM
from core.testing import builders


@dataclass(frozen=True)
class Shelf:
    """One store's location with SKUs on it."""

    location_id: int
    sku_ids: tuple[int, ...]


async def a_shelf(mall: Mall, *stocks: int, skus: Sequence[Mapping[str, Any]] | None = None) -> Shelf:
    location_id = await builders.location_of(await builders.a_store(mall))
    product = await builders.a_product(mall, skus if skus is not None else len(stocks))
    for sku, n in zip(product.skus, stocks, strict=True):
        if n:
            await builders.stock(mall, sku.id, location_id, n)
    return Shelf(location_id, tuple(sku.id for sku in product.skus))


async def reserve(mall: Mall, shelf: Shelf, order_id: int, *quantities: int) -> None:
    """Order line ids are 10 × order + position."""
    wants = [
        Want(order_id * 10 + i, sku_id, shelf.location_id, qty)
        for i, (sku_id, qty) in enumerate(zip(shelf.sku_ids, quantities, strict=False))
        if qty
    ]
    async with db.transaction():
        await inventory.reserve(mall, order_id, wants, expires_at=None)


async def levels(shelf: Shelf, place: int = 0) -> tuple[int, int]:
    found = await db.row("SELECT on_hand, reserved FROM stock WHERE sku_id = $1", shelf.sku_ids[place])
    assert found is not None
    return found["on_hand"], found["reserved"]


async def events() -> list[tuple[int, bool]]:
    found = await db.rows("SELECT payload->>'sku_id' AS sku, payload->>'sold_out' AS out FROM event ORDER BY id")
    return [(int(r["sku"]), r["out"] == "true") for r in found]


async def test_one_more_than_there_is_refused_with_what_is_left(mall: Mall) -> None:
    shelf = await a_shelf(mall, 3, 5, 0)

    with pytest.raises(OutOfStock) as refused:
        await reserve(mall, shelf, 1, 4, 5, 1)

    assert [(p.details["sku_id"], p.details["available"], p.details["wanted"]) for p in refused.value.problems] == [
        (shelf.sku_ids[0], 3, 4),
        (shelf.sku_ids[2], 0, 1),
    ]
    assert refused.value.details["available"] == 3
    assert await levels(shelf, 1) == (5, 0)
    assert await db.value("SELECT count(*) FROM reservation") == 0
    assert await audit.broken() == []


async def test_a_refused_reserve_writes_nothing_even_when_it_is_caught(mall: Mall) -> None:
    shelf = await a_shelf(mall, 3, 5)

    wants = [Want(i, sku_id, shelf.location_id, 9 - 8 * i) for i, sku_id in enumerate(shelf.sku_ids)]
    async with db.transaction():
        with pytest.raises(OutOfStock):
            await inventory.reserve(mall, 1, wants, expires_at=None)

    assert await levels(shelf, 1) == (5, 0)
    assert await db.value("SELECT count(*) FROM reservation") == 0


async def test_a_location_that_does_not_exist_has_nothing(mall: Mall) -> None:
    shelf = await a_shelf(mall, 3)

    with pytest.raises(OutOfStock):
        await reserve(mall, Shelf(shelf.location_id + 999, shelf.sku_ids), 1, 1)


async def test_quantities_below_one_are_refused(mall: Mall) -> None:
    shelf = await a_shelf(mall, 3)

    with pytest.raises(QuantityInvalid):
        await reserve(mall, shelf, 1, -1)


async def test_a_reserve_outside_a_transaction_is_a_defect(mall: Mall) -> None:
    with pytest.raises(db.NoTransaction):
        await inventory.reserve(mall, 1, [], expires_at=None)


async def test_exactly_what_is_there_can_be_reserved_and_is_told_as_sold_out(mall: Mall) -> None:
    shelf = await a_shelf(mall, 3)

    await reserve(mall, shelf, 1, 2)
    assert await events() == []
    await reserve(mall, shelf, 2, 1)

    assert await levels(shelf) == (3, 3)
    assert await events() == [(shelf.sku_ids[0], True)]
    assert await audit.broken() == []


async def test_two_lines_of_one_sku_count_together(mall: Mall) -> None:
    shelf = await a_shelf(mall, 5)
    place = (shelf.sku_ids[0], shelf.location_id)

    with pytest.raises(OutOfStock) as refused:
        async with db.transaction():
            await inventory.reserve(mall, 1, [Want(1, *place, 3), Want(2, *place, 3)], expires_at=None)
    async with db.transaction():
        await inventory.reserve(mall, 2, [Want(3, *place, 3), Want(4, *place, 2)], expires_at=None)

    assert refused.value.problems[0].details["wanted"] == 6
    assert await levels(shelf) == (5, 5)
    assert await db.value("SELECT count(*) FROM reservation WHERE order_id = 2") == 2
    assert await audit.broken() == []


async def test_an_untracked_sku_takes_no_reservation(mall: Mall) -> None:
    shelf = await a_shelf(mall, 0, 1, skus=[{"tracked": False}, {}])

    await reserve(mall, shelf, 1, 500, 1)

    assert await db.value("SELECT count(*) FROM reservation") == 1
    untracked, tracked = shelf.sku_ids
    assert await inventory.available(mall, shelf.sku_ids, shelf.location_id) == {untracked: None, tracked: 0}


async def test_a_sku_on_backorder_goes_beyond_what_is_there(mall: Mall) -> None:
    shelf = await a_shelf(mall, 0, 2, skus=[{"backorder": True}, {"backorder": True}])

    await reserve(mall, shelf, 1, 7, 3)
    async with db.transaction():
        await inventory.commit(mall, 1, actor=SYSTEM)

    assert await levels(shelf, 0) == (-7, 0)
    assert await levels(shelf, 1) == (-1, 0)
    assert await events() == []
    assert await audit.broken() == []


async def test_a_sku_taken_off_backorder_stops_at_what_is_there(mall: Mall) -> None:
    shelf = await a_shelf(mall, 2, skus=[{"backorder": True}])
    await reserve(mall, shelf, 1, 5)
    await db.execute("UPDATE sku SET backorder = false")

    with pytest.raises(OutOfStock):
        await reserve(mall, shelf, 2, 1)
    async with db.transaction():
        await inventory.release(mall, 1)
    await reserve(mall, shelf, 3, 2)

    assert await levels(shelf) == (2, 2)
    assert await audit.broken() == []


async def test_a_reserve_is_one_statement(mall: Mall) -> None:
    shelf = await a_shelf(mall, 5, 5, 5)
    db.round_trips.set(seen := [])

    await reserve(mall, shelf, 1, 1, 1, 1)

    assert len(seen) == 3  # BEGIN, the statement, COMMIT


async def test_commit_takes_the_goods_once_with_its_move(mall: Mall) -> None:
    shelf = await a_shelf(mall, 5, 9)
    await reserve(mall, shelf, 1, 2, 4)

    taken = []
    for _ in range(2):
        async with db.transaction():
            taken.append(await inventory.commit(mall, 1, actor=SYSTEM))

    assert taken == [{10: 2, 11: 4}, {}]
    assert (await levels(shelf, 0), await levels(shelf, 1)) == ((3, 0), (5, 0))
    move = (await inventory.list_moves(mall, sku_id=shelf.sku_ids[1]))[0]
    assert (move.kind, move.qty, move.before, move.after, move.ref) == ("commit", -4, 9, 5, "order:1")
    assert await audit.broken() == []


async def test_a_partial_commit_leaves_the_rest_held(mall: Mall) -> None:
    shelf = await a_shelf(mall, 5, 5)
    await reserve(mall, shelf, 1, 4, 1)

    async with db.transaction():
        first = await inventory.commit(mall, 1, quantities={10: 3}, actor=SYSTEM)
    after_first = await levels(shelf)
    async with db.transaction():
        second = await inventory.commit(mall, 1, quantities={10: 3, 11: 0}, actor=SYSTEM)

    assert (first, after_first) == ({10: 3}, (2, 1))
    assert (second, await levels(shelf)) == ({10: 1}, (1, 0))
    assert await levels(shelf, 1) == (5, 1)
    rows = await db.rows("SELECT state, sum(qty) AS qty FROM reservation WHERE order_line_id = 10 GROUP BY state")
    assert {r["state"]: r["qty"] for r in rows} == {"committed": 4}
    assert await audit.broken() == []


async def test_release_frees_what_is_held_once_and_tells_that_it_is_there_again(mall: Mall) -> None:
    shelf = await a_shelf(mall, 4)
    await reserve(mall, shelf, 1, 4)

    freed = []
    for _ in range(2):
        async with db.transaction():
            freed.append(await inventory.release(mall, 1))

    assert freed == [4, 0]
    assert await levels(shelf) == (4, 0)
    assert await events() == [(shelf.sku_ids[0], True), (shelf.sku_ids[0], False)]
    assert await audit.broken() == []


async def test_release_leaves_what_was_handed_over(mall: Mall) -> None:
    shelf = await a_shelf(mall, 4)
    await reserve(mall, shelf, 1, 3)

    async with db.transaction():
        await inventory.commit(mall, 1, quantities={10: 2}, actor=SYSTEM)
        await inventory.release(mall, 1)

    assert await levels(shelf) == (2, 0)
    assert await audit.broken() == []


async def test_more_than_was_handed_over_does_not_come_back(mall: Mall) -> None:
    shelf = await a_shelf(mall, 4)
    await reserve(mall, shelf, 1, 3)
    async with db.transaction():
        await inventory.commit(mall, 1, actor=SYSTEM)
        await inventory.give_back(mall, 1, {10: 2}, ref="return:1")

    with pytest.raises(NotCommitted) as refused:
        async with db.transaction():
            await inventory.give_back(mall, 1, {10: 2}, ref="return:2")

    assert refused.value.details["left"] == 1
    assert await levels(shelf) == (3, 0)


async def test_a_return_is_booked_once(mall: Mall) -> None:
    shelf = await a_shelf(mall, 4)
    await reserve(mall, shelf, 1, 4)
    async with db.transaction():
        await inventory.commit(mall, 1, actor=SYSTEM)

    for _ in range(2):
        async with db.transaction():
            await inventory.give_back(mall, 1, {10: 4}, ref="return:1", reason="not opened")

    assert await levels(shelf) == (4, 0)
    moves = await inventory.list_moves(mall, ref="order:1/return:1")
    assert [(m.kind, m.qty, m.reason) for m in moves] == [("return", 4, "not opened")]
    assert (await events())[-1] == (shelf.sku_ids[0], False)
    assert await audit.broken() == []


async def test_what_is_held_cannot_fall_below_zero_or_exceed_what_is_there_by_any_statement(mall: Mall) -> None:
    shelf = await a_shelf(mall, 2)

    for change in ("reserved = 3", "reserved = -1", "on_hand = -1"):
        with pytest.raises(asyncpg.CheckViolationError):
            await db.execute(f"UPDATE stock SET {change} WHERE sku_id = {shelf.sku_ids[0]}")
