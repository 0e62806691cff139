"""Receiving and correcting stock; moves that cannot be changed; locations."""

from __future__ import annotations

import asyncpg
import pytest

from core import db
from core.inventory import audit
from core.inventory import service as inventory
from core.inventory.errors import (
    BelowReserved,
    CodeTaken,
    LocationUnknown,
    QuantityInvalid,
    ReasonMissing,
    RequestKeyReused,
    StockUnknown,
)
from core.inventory.types import Want
from core.kernel.mall import Mall
from core.kernel.origin import Actor
from core.testing import builders, races

CLERK = Actor(kind="staff", id=7, name="Clerk")


async def a_place(mall: Mall, n: int = 0) -> tuple[int, int]:
    location_id = await builders.location_of(await builders.a_store(mall))
    sku_id = (await builders.a_product(mall)).sku.id
    if n:
        await builders.stock(mall, sku_id, location_id, n)
    return sku_id, location_id


async def hold(mall: Mall, sku_id: int, location_id: int, qty: int) -> None:
    async with db.transaction():
        await inventory.reserve(mall, 1, [Want(1, sku_id, location_id, qty)], expires_at=None)


@pytest.mark.parametrize("reason", ["", "  "])
async def test_an_adjustment_needs_a_reason(mall: Mall, reason: str) -> None:
    place = await a_place(mall, 5)

    with pytest.raises(ReasonMissing):
        await inventory.adjust(mall, *place, to=3, reason=reason, actor=CLERK)
    with pytest.raises(ReasonMissing):
        async with db.transaction():
            await inventory.set_on_hand(mall, [(*place, 3)], reason=reason, actor=CLERK)


@pytest.mark.parametrize("how", [{"to": -1}, {}, {"to": 1, "delta": 1}, {"to": 10**12}])
async def test_an_adjustment_that_says_nothing_sensible_is_refused(mall: Mall, how: dict[str, int]) -> None:
    place = await a_place(mall, 5)

    with pytest.raises(QuantityInvalid):
        await inventory.adjust(mall, *place, **how, reason="count", actor=CLERK)


async def test_stock_that_orders_hold_cannot_be_adjusted_away(mall: Mall) -> None:
    place = await a_place(mall, 5)
    await hold(mall, *place, 3)

    for how in ({"to": 2}, {"delta": -3}):
        with pytest.raises(BelowReserved) as refused:
            await inventory.adjust(mall, *place, **how, reason="count", actor=CLERK)
        assert (refused.value.details["reserved"], refused.value.details["wanted"]) == (3, 2)
    level = await inventory.adjust(mall, *place, to=3, reason="count", actor=CLERK)

    assert (level.on_hand, level.reserved) == (3, 3)
    assert await audit.broken() == []


async def test_an_unknown_sku_or_location_is_not_found(mall: Mall) -> None:
    sku_id, location_id = await a_place(mall)

    with pytest.raises(StockUnknown):
        await inventory.receive(mall, sku_id + 99, location_id, qty=1, actor=CLERK)
    with pytest.raises(StockUnknown):
        await inventory.receive(mall, sku_id, location_id + 99, qty=1, actor=CLERK)


async def test_receiving_nothing_is_refused(mall: Mall) -> None:
    place = await a_place(mall)

    with pytest.raises(QuantityInvalid):
        await inventory.receive(mall, *place, qty=0, actor=CLERK)


@pytest.mark.parametrize("statement", ["UPDATE stock_move SET qty = 99, after = 99", "DELETE FROM stock_move"])
async def test_moves_cannot_be_changed(mall: Mall, statement: str) -> None:
    await a_place(mall, 5)

    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        await db.execute(statement)


async def test_the_audit_finds_what_is_wrong(mall: Mall) -> None:
    sku_id, _ = await a_place(mall, 5)

    await db.execute("UPDATE stock SET on_hand = 6, reserved = 1 WHERE sku_id = $1", sku_id)

    found = await audit.broken()
    assert [line.partition(":")[0] for line in found] == ["on_hand_is_sum_of_moves", "reserved_is_sum_of_active"]


async def test_a_received_delivery_is_a_move_with_its_reference_and_an_audit_row(mall: Mall) -> None:
    place = await a_place(mall)

    await inventory.receive(mall, *place, qty=5, actor=CLERK, ref="delivery:88")
    level = await inventory.receive(mall, *place, qty=2, actor=CLERK)

    assert level.on_hand == 7
    moves = await inventory.list_moves(mall, sku_id=place[0])
    assert [(m.kind, m.qty, m.before, m.after, m.ref, m.actor_id) for m in moves] == [
        ("receive", 2, 5, 7, "", 7),
        ("receive", 5, 0, 5, "delivery:88", 7),
    ]
    assert await db.value("SELECT count(*) FROM audit_entry WHERE action = 'stock.receive' AND actor_id = 7") == 2
    assert await audit.broken() == []


async def test_only_crossing_zero_is_told(mall: Mall) -> None:
    place = await a_place(mall)

    await inventory.receive(mall, *place, qty=5, actor=CLERK)
    await inventory.adjust(mall, *place, delta=-2, reason="broken", actor=CLERK)
    await inventory.adjust(mall, *place, to=0, reason="count", actor=CLERK)
    await inventory.adjust(mall, *place, to=0, reason="count", actor=CLERK)

    rows = await db.rows("SELECT payload->>'sold_out' AS out, store_id FROM event ORDER BY id")
    assert [r["out"] for r in rows] == ["false", "true"]
    assert all(r["store_id"] is not None for r in rows)


async def test_counts_are_set_in_bulk_and_setting_them_again_changes_nothing(mall: Mall) -> None:
    location_id = await builders.location_of(await builders.a_store(mall))
    skus = [sku.id for sku in (await builders.a_product(mall, skus=60)).skus]
    counts = [(sku_id, location_id, i) for i, sku_id in enumerate(skus)]
    db.round_trips.set(seen := [])

    changed = []
    for _ in range(2):
        async with db.transaction():
            changed.append(await inventory.set_on_hand(mall, counts, reason="import", actor=CLERK, ref="import:1"))

    assert changed == [59, 0]
    assert len(seen) <= 12
    assert await db.value("SELECT count(*) FROM stock_move") == 59
    assert await inventory.available(mall, skus[:3], location_id) == dict(zip(skus, (0, 1, 2), strict=False))
    assert await audit.broken() == []


async def test_a_bulk_count_with_one_impossible_row_changes_nothing(mall: Mall) -> None:
    place = await a_place(mall, 5)
    other = await a_place(mall, 5)
    await hold(mall, *place, 3)

    with pytest.raises(BelowReserved):
        async with db.transaction():
            await inventory.set_on_hand(mall, [(*other, 1), (*place, 1)], reason="import", actor=CLERK)

    assert await inventory.available(mall, [other[0]], other[1]) == {other[0]: 5}


async def test_a_store_has_one_location_made_when_it_is_needed(mall: Mall) -> None:
    store = await builders.a_store(mall)
    await db.execute("DELETE FROM location WHERE store_id = $1", store.id)

    outcomes = await races.run_together(8, lambda: inventory.location_of_store(mall, store.id))

    assert len({o.value for o in outcomes}) == 1
    assert await db.value("SELECT count(*) FROM location WHERE store_id = $1", store.id) == 1
    with pytest.raises(LocationUnknown):
        await inventory.location_of_store(mall, store.id + 99)


async def test_locations_of_many_stores_are_made_at_once(mall: Mall) -> None:
    stores = [(await builders.a_store(mall)).id for _ in range(5)]
    await db.execute("DELETE FROM location WHERE store_id = ANY($1)", stores[1:])
    db.round_trips.set(seen := [])

    found = await inventory.ensure_store_locations(mall, [*stores, 0])

    assert set(found) == set(stores)
    assert len(seen) <= 2


async def test_stores_with_a_sku_in_stock_are_found(mall: Mall) -> None:
    sku_id, location_id = await a_place(mall, 3)
    store_id = (await inventory.get_location(mall, location_id)).store_id
    await builders.a_store(mall)

    assert await inventory.stores_in_stock(mall, sku_id, qty=3) == {store_id}
    assert await inventory.stores_in_stock(mall, sku_id, qty=4) == set()
    assert await inventory.stores_in_stock(mall, sku_id, store_ids=[0]) == set()
    await db.execute("UPDATE sku SET tracked = false")
    assert await inventory.stores_in_stock(mall, sku_id) is None


async def test_a_scope_hides_other_stores(mall: Mall) -> None:
    sku_id, location_id = await a_place(mall, 3)

    assert await inventory.list_stock(mall, scope=[0]) == []
    assert await inventory.list_moves(mall, scope=[0]) == []
    assert await inventory.list_locations(mall, scope=[0]) == []
    with pytest.raises(LocationUnknown):
        await inventory.get_location(mall, location_id, scope=[0])
    assert [(s.sku_id, s.available) for s in await inventory.list_stock(mall, at_most=3)] == [(sku_id, 3)]
    assert await inventory.list_stock(mall, at_most=2) == []


async def test_a_repeated_delivery_is_booked_once_and_another_under_its_key_is_refused(mall: Mall) -> None:
    place = await a_place(mall)
    other = await a_place(mall)

    outcomes = await races.run_together(
        5, lambda: inventory.receive(mall, *place, qty=5, actor=CLERK, request_key="delivery-88")
    )

    assert {o.value.on_hand for o in outcomes} == {5}
    assert await db.value("SELECT count(*) FROM stock_move") == 1
    assert await db.value("SELECT count(*) FROM audit_entry") == 1
    with pytest.raises(RequestKeyReused):
        await inventory.receive(mall, *place, qty=6, actor=CLERK, request_key="delivery-88")
    with pytest.raises(RequestKeyReused):
        await inventory.receive(mall, *other, qty=5, actor=CLERK, request_key="delivery-88")
    somebody = Actor(kind="staff", id=8)
    assert (await inventory.receive(mall, *place, qty=5, actor=somebody, request_key="delivery-88")).on_hand == 10


async def test_a_repeated_correction_is_answered_even_when_a_new_one_would_be_refused(mall: Mall) -> None:
    place = await a_place(mall, 5)
    await hold(mall, *place, 3)

    for _ in range(2):
        level = await inventory.adjust(mall, *place, delta=-2, reason="broken", actor=CLERK, request_key="broken-1")

    assert level.on_hand == 3
    with pytest.raises(BelowReserved):
        await inventory.adjust(mall, *place, delta=-2, reason="broken", actor=CLERK, request_key="broken-2")


async def test_a_warehouse_is_saved_by_its_code_and_no_store_loses_its_own(mall: Mall) -> None:
    store_location = await builders.location_of(await builders.a_store(mall))
    store_code = (await inventory.get_location(mall, store_location)).code

    first = await inventory.save_warehouse(mall, code="W1", name="North", actor=CLERK)
    again = await inventory.save_warehouse(mall, code="W1", name="North 2", priority=5, actor=CLERK)

    assert (again.id, again.name, again.priority, again.store_id) == (first.id, "North 2", 5, None)
    with pytest.raises(CodeTaken):
        await inventory.save_warehouse(mall, code=store_code, name="X", actor=CLERK)
