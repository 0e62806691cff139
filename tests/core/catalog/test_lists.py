from __future__ import annotations

import asyncio

import pytest

from core import db
from core.catalog import service as catalog
from core.catalog.queries import list_statement
from core.catalog.types import Image, ProductFilter, ProductSort
from core.kernel.mall import Mall
from core.testing.builders import a_store
from tests.core.catalog.samples import STAFF, latte, plain

SORTS: tuple[ProductSort, ...] = ("default", "newest", "price_asc", "price_desc", "title")


async def titles(mall: Mall, sort: ProductSort = "default", **wanted: object) -> list[str]:
    return [c.handle for c in await catalog.list_products(mall, ProductFilter(**wanted), sort=sort)]  # type: ignore[arg-type]


@pytest.mark.parametrize("sort", SORTS)
async def test_pages_follow_each_other_without_gaps_or_doubles(mall: Mall, sort: ProductSort) -> None:
    drafts = [plain(n, sort=n % 3, title=f"T{n % 4}") for n in range(23)]
    await catalog.upsert_products(mall, drafts, actor=STAFF)
    whole = await catalog.list_products(mall, ProductFilter(), sort=sort, limit=100)

    seen: list[int] = []
    after = None
    while page := await catalog.list_products(mall, ProductFilter(), sort=sort, after=after, limit=5):
        seen += [c.id for c in page]
        after = catalog.cursor_key(sort)(page[-1])

    assert seen == [c.id for c in whole]
    assert len(set(seen)) == 23


async def test_sorts(mall: Mall) -> None:
    for n, (title, price) in enumerate([("b", 300), ("c", 100), ("a", 200)]):
        sku = plain(n).skus[0]
        draft = plain(n, handle=title, title=title, sort=-n, skus=(type(sku)(code=title, price_fen=price),))
        await catalog.create_product(mall, draft, actor=STAFF)

    assert [await titles(mall, sort) for sort in SORTS] == [
        ["a", "c", "b"],
        ["a", "c", "b"],
        ["c", "a", "b"],
        ["b", "a", "c"],
        ["a", "b", "c"],
    ]


async def test_filters(mall: Mall) -> None:
    ids = await catalog.ensure_categories(mall, [("Drinks", "Coffee"), ("Drinks",), ("Food",)], actor=STAFF)
    await catalog.upsert_products(
        mall,
        [
            latte(category_id=ids["Drinks", "Coffee"], tags=("hot", "new")),
            plain(1, category_id=ids["Drinks",], tags=("new",)),
            plain(2, category_id=ids["Food",], state="draft"),
            plain(3),
        ],
        actor=STAFF,
    )

    assert await titles(mall) == ["latte", "p1", "p3"]
    assert await titles(mall, category_id=ids["Drinks",]) == ["latte", "p1"]
    assert await titles(mall, category_id=ids["Drinks", "Coffee"]) == ["latte"]
    assert await titles(mall, category_id=999) == []
    assert await titles(mall, tag="new") == ["latte", "p1"]
    assert await titles(mall, tag="no\x00pe") == []
    assert await titles(mall, states=("draft",)) == ["p2"]
    assert await titles(mall, states=("draft", "active"), category_id=ids["Food",]) == ["p2"]
    assert await titles(mall, price_from_fen=3100) == ["latte"]
    assert await titles(mall, price_to_fen=1001) == ["p1"]
    assert await titles(mall, q="拿铁 CAFFÈ") == ["latte"]
    assert await titles(mall, q="100%") == []


async def test_a_store_lists_what_it_sells_at_its_prices(mall: Mall) -> None:
    store = await a_store(mall)
    made = await catalog.create_product(mall, latte(images=(Image("/a.jpg"),)), actor=STAFF)
    hidden = await catalog.create_product(mall, plain(1), actor=STAFF)
    shown = await catalog.create_product(mall, plain(2, listing="selected"), actor=STAFF)
    await catalog.create_product(mall, plain(3, listing="selected"), actor=STAFF)
    await catalog.set_store_listings(mall, hidden.id, {store.id: False}, actor=STAFF)
    await catalog.set_store_listings(mall, shown.id, {store.id: True}, actor=STAFF)
    await catalog.set_store_prices(mall, store.id, {made.skus[1].id: 2000}, actor=STAFF)

    cards = await catalog.list_products(mall, ProductFilter(store_id=store.id))

    assert [c.handle for c in cards] == ["latte", "p2"]
    first = cards[0]
    assert (first.min_price_fen, first.max_price_fen, first.base_price_fen) == (2000, 3000, 3000)
    assert (first.image_url, first.sku_ids) == ("/a.jpg", tuple(s.id for s in made.skus))


async def test_lists_of_20000_products_use_their_indexes(mall: Mall) -> None:
    await db.execute("""
        INSERT INTO product (handle, title, tags, sort, min_price_fen, max_price_fen, state, search_text, created_at,
                             updated_at)
        SELECT 'h' || n, 'Title ' || n, ARRAY['t' || n % 500], n % 50, n, n,
               CASE WHEN n % 4 = 0 THEN 'archived' ELSE 'active' END, 'title ' || n || ' word' || n % 997, now(), now()
        FROM generate_series(1, 20000) n""")
    await db.execute("""
        INSERT INTO sku (product_id, code, options, price_fen)
        SELECT id, 'c' || id, '[]', min_price_fen FROM product""")
    await db.execute("ANALYZE product")
    await db.execute("ANALYZE sku")
    store = await a_store(mall)
    cases: list[tuple[ProductFilter, ProductSort, tuple[int | str, ...] | None]] = [
        *((ProductFilter(), sort, None) for sort in SORTS),
        (ProductFilter(), "default", (25, 10_000)),
        (ProductFilter(), "title", ("Title 5", 10)),
        (ProductFilter(store_id=store.id), "default", None),
        (ProductFilter(category_id=5), "default", None),
        (ProductFilter(tag="t77"), "default", None),
        (ProductFilter(q="word500"), "price_asc", None),
    ]

    for wanted, sort, after in cases:
        sql, args = list_statement(wanted, sort=sort, after=after, limit=21)
        plan = "\n".join(r[0] for r in await db.rows(f"EXPLAIN {sql}", *args))
        assert "Seq Scan on product" not in plan, f"{wanted} {sort}\n{plan}"
        assert "Seq Scan on sku" not in plan, f"{wanted} {sort}\n{plan}"
        if sort != "newest" and wanted == ProductFilter():
            assert "product_by_" in plan

    loop = asyncio.get_running_loop()
    started = loop.time()
    for _ in range(20):
        await catalog.list_products(mall, ProductFilter(), limit=21)
    assert (loop.time() - started) / 20 < 0.05
