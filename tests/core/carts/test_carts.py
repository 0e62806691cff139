"""Carts: what can go in, what adds up, and what is said about each line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import pytest

from core import db
from core.carts import service as carts
from core.carts.errors import CartFull, CartLineUnknown, CartRefused, QuantityTooLarge
from core.carts.types import CartLineView, CartView
from core.catalog.errors import NotOnSale, SkuNotFound
from core.hookspecs import hookimpl
from core.kernel.errors import Problem
from core.kernel.i18n import Text
from core.kernel.mall import Mall
from core.testing import builders, races

MakeMall = Callable[..., Awaitable[Mall]]


async def a_cart(mall: Mall, *quantities: int) -> tuple[int, list[int]]:
    member = await builders.a_member(mall)
    skus = [sku.id for sku in (await builders.a_product(mall, skus=max(len(quantities), 1), price_fen=500)).skus]
    for sku_id, qty in zip(skus, quantities, strict=False):
        mall.clock.advance(timedelta(seconds=1))  # type: ignore[attr-defined]
        await carts.add(mall, member.id, sku_id=sku_id, qty=qty)
    return member.id, skus


def quantities(cart: CartView) -> dict[int, int]:
    return {line.sku_id: line.qty for line in cart.lines}


async def test_what_is_not_on_sale_does_not_go_in(mall: Mall) -> None:
    member = await builders.a_member(mall)
    draft = (await builders.a_product(mall, state="draft")).sku

    with pytest.raises(NotOnSale):
        await carts.add(mall, member.id, sku_id=draft.id)
    with pytest.raises(SkuNotFound):
        await carts.add(mall, member.id, sku_id=999_999)


@pytest.mark.parametrize("qty", [0, -1, 1000])
async def test_quantities_outside_one_to_999_are_refused(mall: Mall, qty: int) -> None:
    member_id, (sku_id,) = await a_cart(mall, 1)

    with pytest.raises(QuantityTooLarge):
        await carts.add(mall, member_id, sku_id=sku_id, qty=qty)
    with pytest.raises(QuantityTooLarge):
        await carts.change_line(mall, member_id, sku_id=sku_id, qty=qty)


async def test_adding_beyond_999_is_refused_and_changes_nothing(mall: Mall) -> None:
    member_id, (sku_id,) = await a_cart(mall, 998)

    with pytest.raises(QuantityTooLarge):
        await carts.add(mall, member_id, sku_id=sku_id, qty=2)
    assert quantities(await carts.add(mall, member_id, sku_id=sku_id)) == {sku_id: 999}


async def test_a_full_cart_takes_no_new_line_but_more_of_an_old_one(mall: Mall) -> None:
    member_id, _ = await a_cart(mall)
    skus = [sku.id for sku in (await builders.a_product(mall, skus=101)).skus]
    await db.execute(
        "INSERT INTO cart_line (member_id, sku_id, qty, added_at) SELECT $1, s, 1, $3 FROM unnest($2::bigint[]) s",
        member_id, skus[:100], mall.clock.now(),
    )  # fmt: skip

    with pytest.raises(CartFull):
        await carts.add(mall, member_id, sku_id=skus[100])
    assert quantities(await carts.add(mall, member_id, sku_id=skus[0]))[skus[0]] == 2


async def test_a_line_of_another_member_is_not_there(mall: Mall) -> None:
    member_id, (sku_id,) = await a_cart(mall, 2)
    other = await builders.a_member(mall)

    with pytest.raises(CartLineUnknown):
        await carts.change_line(mall, other.id, sku_id=sku_id, qty=5)
    await carts.remove(mall, other.id)

    assert quantities(await carts.view(mall, member_id)) == {sku_id: 2}


async def test_adding_again_adds_up_and_selects_the_line(mall: Mall) -> None:
    member_id, (sku_id,) = await a_cart(mall, 2)
    await carts.select(mall, member_id, selected=False)

    cart = await carts.add(mall, member_id, sku_id=sku_id, qty=3)

    assert quantities(cart) == {sku_id: 5}
    assert (cart.selected_units, cart.selected_fen) == (5, 2500)


async def test_lines_are_changed_selected_and_removed(mall: Mall) -> None:
    member_id, skus = await a_cart(mall, 1, 2, 3)

    cart = await carts.change_line(mall, member_id, sku_id=skus[0], qty=9, selected=False)
    assert (cart.selected_units, quantities(cart)[skus[0]]) == (5, 9)
    cart = await carts.select(mall, member_id, selected=False, sku_ids=[skus[1]])
    assert cart.selected_units == 3
    cart = await carts.remove(mall, member_id, sku_ids=[skus[2], 999_999])
    assert [line.sku_id for line in cart.lines] == [skus[1], skus[0]]
    cart = await carts.remove(mall, member_id)
    assert (cart.lines, cart.selected_fen) == ((), 0)


async def test_the_view_tells_price_availability_and_problem_of_the_store_in_two_statements(mall: Mall) -> None:
    store = await builders.a_store(mall)
    location_id = await builders.location_of(store)
    member_id, skus = await a_cart(mall, 4, 3, 2, 1)
    await builders.stock(mall, skus[0], location_id, 3)
    await builders.stock(mall, skus[1], location_id, 3)
    await db.execute("UPDATE sku SET tracked = false WHERE id = $1", skus[2])
    await db.execute("UPDATE sku SET active = false WHERE id = $1", skus[3])
    await db.execute("INSERT INTO store_price (sku_id, store_id, price_fen) VALUES ($1, $2, 450)", skus[1], store.id)
    db.round_trips.set(seen := [])

    cart = await carts.view(mall, member_id, store.id)

    assert len(seen) == 2
    told = {line.sku_id: (line.unit_fen, line.available, line.problem) for line in cart.lines}
    assert told == {
        skus[0]: (500, 3, "inventory.out_of_stock"),
        skus[1]: (450, 3, None),
        skus[2]: (500, None, None),
        skus[3]: (500, 0, "catalog.not_on_sale"),
    }
    assert (cart.selected_units, cart.selected_fen) == (5, 3 * 450 + 2 * 500)


async def test_a_broken_limit_stands_at_the_lines_of_the_product(mall: Mall) -> None:
    member_id, skus = await a_cart(mall, 2, 2)
    await db.execute("UPDATE product SET max_per_order = 3")

    assert {line.problem for line in (await carts.view(mall, member_id)).lines} == {"catalog.limit_exceeded"}
    cart = await carts.select(mall, member_id, selected=False, sku_ids=[skus[0]])
    assert {line.problem for line in cart.lines} == {None}


async def test_what_was_ordered_is_taken_out(mall: Mall) -> None:
    member_id, skus = await a_cart(mall, 1, 2)

    with pytest.raises(db.NoTransaction):
        await carts.take_ordered(mall, member_id, {skus[0]: 1})
    async with db.transaction():
        assert await carts.take_ordered(mall, member_id, {skus[0]: 1})
    async with db.transaction():
        assert not await carts.take_ordered(mall, member_id, {skus[0]: 1})
        assert not await carts.take_ordered(mall, member_id, {skus[1]: 99})

    assert quantities(await carts.view(mall, member_id)) == {skus[1]: 2}


class AtMostTwoLines:
    @hookimpl
    async def cart_guard(self, lines: Sequence[CartLineView]) -> Sequence[Problem] | None:
        return [Problem(code="test.too_many", message=Text("太多", "Too many"))] if len(lines) > 2 else None


async def test_a_guard_sees_the_cart_after_the_change_and_can_undo_it(make_mall: MakeMall) -> None:
    mall = await make_mall(extra={"strict": AtMostTwoLines()})
    member_id, skus = await a_cart(mall, 1, 1)
    third = (await builders.a_product(mall)).sku.id

    with pytest.raises(CartRefused) as refused:
        await carts.add(mall, member_id, sku_id=third)

    assert [p.code for p in refused.value.problems] == ["test.too_many"]
    assert set(quantities(await carts.view(mall, member_id))) == set(skus)


async def test_clicks_at_once_all_count(mall: Mall) -> None:
    member_id, (sku_id,) = await a_cart(mall)

    outcomes = await races.run_together(20, lambda: carts.add(mall, member_id, sku_id=sku_id, qty=2))

    assert races.won(outcomes) == 20
    assert quantities(await carts.view(mall, member_id)) == {sku_id: 40}


async def test_control_reading_before_writing_loses_clicks(mall: Mall) -> None:
    member_id, (sku_id,) = await a_cart(mall, 1)

    async def naive() -> None:
        qty = await db.value("SELECT qty FROM cart_line WHERE member_id = $1", member_id)
        await races.gap()
        await db.execute("UPDATE cart_line SET qty = $2 WHERE member_id = $1", member_id, qty + 1)

    await races.run_together(10, naive)

    assert quantities(await carts.view(mall, member_id))[sku_id] < 11


async def test_new_lines_at_once_do_not_overfill_the_cart(mall: Mall) -> None:
    member_id, _ = await a_cart(mall)
    skus = [sku.id for sku in (await builders.a_product(mall, skus=105)).skus]
    await db.execute(
        "INSERT INTO cart_line (member_id, sku_id, qty, added_at) SELECT $1, s, 1, $3 FROM unnest($2::bigint[]) s",
        member_id, skus[:97], mall.clock.now(),
    )  # fmt: skip

    outcomes = await races.run_together(8, lambda i: carts.add(mall, member_id, sku_id=skus[97 + i]))

    assert races.won(outcomes) == 3
    assert {type(e) for e in races.errors(outcomes)} == {CartFull}
    assert len((await carts.view(mall, member_id)).lines) == 100
