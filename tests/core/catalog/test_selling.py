from __future__ import annotations

import pytest

from core import db
from core.catalog import service as catalog
from core.catalog.errors import ProductInvalid, ProductNotFound, SkuNotFound, StoreUnknown
from core.catalog.types import ProductChanges, ProductView, SellableSku
from core.db.engine import round_trips
from core.kernel.mall import Mall
from core.testing.builders import a_store
from tests.core.catalog.samples import STAFF, audited, events, latte, plain


async def on_sale(mall: Mall, product: ProductView, store_id: int | None) -> bool:
    found = await catalog.sellable(mall, [product.skus[0].id], store_id)
    return found[product.skus[0].id].on_sale


async def test_only_active_skus_of_active_products_are_on_sale(mall: Mall) -> None:
    draft = await catalog.create_product(mall, latte(state=None), actor=STAFF)
    assert not await on_sale(mall, draft, None)

    active = await catalog.change_state(mall, draft.id, "active", version=1, actor=STAFF)
    assert await on_sale(mall, active, None)

    await catalog.update_product(mall, draft.id, ProductChanges(skus=latte().skus[1:]), version=2, actor=STAFF)
    assert not await on_sale(mall, active, None)
    assert await catalog.sellable(mall, [999], None) == {}


async def test_listing_exceptions_hold_in_their_store_only(mall: Mall) -> None:
    here, there = await a_store(mall), await a_store(mall)
    everywhere = await catalog.create_product(mall, latte(), actor=STAFF)
    selected = await catalog.create_product(mall, plain(1, listing="selected"), actor=STAFF)
    await catalog.set_store_listings(mall, everywhere.id, {here.id: False}, actor=STAFF)
    await catalog.set_store_listings(mall, selected.id, {here.id: True}, actor=STAFF)

    assert [await on_sale(mall, everywhere, s) for s in (here.id, there.id, None)] == [False, True, True]
    assert [await on_sale(mall, selected, s) for s in (here.id, there.id, None)] == [True, False, False]
    with pytest.raises(ProductNotFound):
        await catalog.shown_product(mall, everywhere.id, store_id=here.id)
    assert (await catalog.shown_product(mall, "latte")).id == everywhere.id

    await catalog.set_store_listings(mall, everywhere.id, {here.id: None}, actor=STAFF)
    assert await on_sale(mall, everywhere, here.id)


async def test_a_store_has_its_own_price(mall: Mall) -> None:
    here, there = await a_store(mall), await a_store(mall)
    product = await catalog.create_product(mall, latte(), actor=STAFF)
    sku = product.skus[0].id

    await catalog.set_store_prices(mall, here.id, {sku: 2500}, actor=STAFF)

    prices = [(await catalog.sellable(mall, [sku], s))[sku].price_fen for s in (here.id, there.id, None)]
    assert prices == [2500, 3000, 3000]
    assert (await catalog.shown_product(mall, product.id, store_id=here.id)).skus[0].price_fen == 2500
    await catalog.set_store_prices(mall, here.id, {sku: None}, actor=STAFF)
    assert (await catalog.sellable(mall, [sku], here.id))[sku].price_fen == 3000


async def test_unknown_stores_skus_and_prices_are_refused(mall: Mall) -> None:
    store = await a_store(mall)
    product = await catalog.create_product(mall, latte(), actor=STAFF)

    with pytest.raises(StoreUnknown):
        await catalog.set_store_prices(mall, 999, {product.skus[0].id: 1}, actor=STAFF)
    with pytest.raises(StoreUnknown):
        await catalog.set_store_listings(mall, product.id, {999: True}, actor=STAFF)
    with pytest.raises(SkuNotFound):
        await catalog.set_store_prices(mall, store.id, {999: 1}, actor=STAFF)
    with pytest.raises(ProductInvalid):
        await catalog.set_store_prices(mall, store.id, {product.skus[0].id: -1}, actor=STAFF)
    with pytest.raises(ProductNotFound):
        await catalog.set_store_listings(mall, 999, {store.id: True}, actor=STAFF)


async def test_what_is_so_already_is_not_told_again(mall: Mall) -> None:
    store = await a_store(mall)
    product = await catalog.create_product(mall, latte(), actor=STAFF)
    for _ in range(2):
        await catalog.set_store_prices(mall, store.id, {product.skus[0].id: 2500}, actor=STAFF)
        await catalog.set_store_listings(mall, product.id, {store.id: False}, actor=STAFF)

    assert await events() == [product.id] * 3
    assert await audited() == ["product.create", "sku.price_in_store", "product.list_in_store"]
    assert [p.price_fen for p in await catalog.store_prices(mall, product.id)] == [2500]
    assert [x.listed for x in await catalog.store_listings(mall, product.id)] == [False]


async def test_sellable_is_one_statement(mall: Mall) -> None:
    store = await a_store(mall)
    product = await catalog.create_product(mall, latte(max_per_order=3), actor=STAFF)
    seen: list[str] = []
    token = round_trips.set(seen)

    found = await catalog.sellable(mall, [s.id for s in product.skus], store.id)

    round_trips.reset(token)
    assert len(seen) == 1
    assert found[product.skus[1].id] == SellableSku(
        sku_id=product.skus[1].id, product_id=product.id, category_id=None, sku_code="LATTE-G", title=product.title,
        options=("Grande",), image_url="", price_fen=3300, tracked=True, backorder=False, on_sale=True, min_per_order=0,
        max_per_order=3, max_per_member=0, weight_g=0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("limits", "quantities", "bought", "code"),
    [
        ((0, 3, 0), (2, 2), 0, "catalog.limit_exceeded"),
        ((0, 4, 0), (2, 2), 0, None),
        ((5, 0, 0), (2, 2), 0, "catalog.below_minimum"),
        ((4, 0, 0), (2, 2), 0, None),
        ((0, 0, 5), (2, 2), 2, "catalog.member_limit_exceeded"),
        ((0, 0, 5), (2, 2), 1, None),
        ((0, 0, 0), (99, 99), 99, None),
    ],
)
async def test_limits_count_units_of_the_whole_product(
    mall: Mall, limits: tuple[int, int, int], quantities: tuple[int, int], bought: int, code: str | None
) -> None:
    low, high, member = limits
    product = await catalog.create_product(
        mall, latte(min_per_order=low, max_per_order=high, max_per_member=member), actor=STAFF
    )
    skus = await catalog.sellable(mall, [s.id for s in product.skus], None)

    problems = catalog.limit_problems(
        skus, dict(zip([s.id for s in product.skus], quantities, strict=True)), bought={product.id: bought}
    )

    assert [p.code for p in problems] == ([code] if code else [])


async def test_limits_that_contradict_are_refused_by_the_database_too(mall: Mall) -> None:
    product = await catalog.create_product(mall, latte(), actor=STAFF)

    with pytest.raises(Exception, match="product_limits"):
        await db.execute("UPDATE product SET min_per_order = 5, max_per_order = 2 WHERE id = $1", product.id)
