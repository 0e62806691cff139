"""Builders make valid things on the real tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core import db
from core.testing import builders, harness

if TYPE_CHECKING:
    from core.kernel.mall import Mall


async def test_a_store_has_a_location_and_is_never_closed(mall: Mall) -> None:
    store = await builders.a_store(mall, name="外滩店")

    assert store.name == "外滩店"
    assert store.hours["mon"] == (("00:00", "24:00"),)
    assert await builders.location_of(store) == await builders.location_of(store.id)


async def test_a_product_has_as_many_skus_as_asked(mall: Mall) -> None:
    product = await builders.a_product(mall, [{"price_fen": 500}, {"code": "LATTE-L"}], price_fen=900)

    assert [s.price_fen for s in product.skus] == [500, 900]
    assert product.skus[1].code == "LATTE-L"
    assert await db.value("SELECT max_price_fen - min_price_fen FROM product") == 400


async def test_stock_on_hand_is_the_sum_of_its_moves(mall: Mall) -> None:
    product = await builders.a_product(mall)
    location = await builders.location_of(await builders.a_store(mall))

    await builders.stock(mall, product.sku.id, location, 3)
    await builders.stock(mall, product.sku.id, location, 2)

    assert await db.value("SELECT on_hand FROM stock") == 5
    assert await db.value("SELECT sum(qty) FROM stock_move") == 5


async def test_people_get_sessions(mall: Mall) -> None:
    store = await builders.a_store(mall)
    member = await builders.a_member(mall, nickname="小明")
    staff = await builders.a_staff(mall, ["orders.read"], [store.id])

    await harness.member_token(mall, member)
    await harness.staff_token(mall, staff)

    assert member.nickname == "小明"
    assert staff.may("orders.read")
    assert staff.in_scope(store.id)
    assert await db.value("SELECT count(*) FROM member_session") == 1
    assert await db.value("SELECT count(*) FROM staff_session") == 2
