from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx
import pytest

from core.catalog import service as catalog
from core.catalog.types import ProductChanges
from core.hookspecs import hookimpl
from core.kernel.mall import Mall
from core.testing.builders import a_store, location_of, stock
from core.web import encode_cursor
from tests.core.catalog.samples import STAFF, latte, plain

V1 = "/storefront/v1"
Boot = Callable[..., Any]


class Reviews:
    """Adds stars to products, in one call a page."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.fails = False

    @hookimpl
    async def extend_products(self, mall: Mall, ids: Sequence[int]) -> Mapping[int, Any]:
        self.calls.append(list(ids))
        if self.fails:
            raise RuntimeError
        return {i: {"stars": 5} for i in ids}


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/products/999", 404, "catalog.product_not_found"),
        ("/products/by-handle/nope", 404, "catalog.product_not_found"),
        ("/products/by-handle/a%00b", 404, "catalog.product_not_found"),
        ("/products/99999999999999999999999", 400, "request.invalid"),
        ("/products?store=nope", 404, "stores.not_found"),
        ("/products?store=a%00b", 404, "stores.not_found"),
        ("/products?store_id=999", 404, "stores.not_found"),
        ("/products?sort=random", 400, "request.invalid"),
        ("/products?price_from_fen=-1", 400, "request.invalid"),
        ("/products?cursor=zzzz", 400, "request.bad_cursor"),
        (f"/products?cursor={encode_cursor([2**70, 1])}", 400, "request.bad_cursor"),
        (f"/products?sort=title&cursor={encode_cursor([1, 1])}", 400, "request.bad_cursor"),
        ("/search", 400, "request.invalid"),
        ("/search?q=" + "x" * 65, 400, "request.invalid"),
    ],
)
async def test_bad_questions_are_refused(client: httpx.AsyncClient, path: str, status: int, code: str) -> None:
    answer = await client.get(V1 + path)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("sort", "keys"), [("default", [2**40, 1]), ("price_asc", [0, -(2**62)]), ("title", ["a\x00", 1])]
)
async def test_a_made_up_cursor_is_only_a_place(client: httpx.AsyncClient, sort: str, keys: list[object]) -> None:
    answer = await client.get(f"{V1}/products", params={"sort": sort, "cursor": encode_cursor(keys)})

    assert answer.status_code == 200


async def test_drafts_and_archived_products_are_not_shown(mall: Mall, client: httpx.AsyncClient) -> None:
    draft = await catalog.create_product(mall, latte(state=None), actor=STAFF)

    assert (await client.get(f"{V1}/products/{draft.id}")).status_code == 404
    assert (await client.get(f"{V1}/products/by-handle/latte")).status_code == 404
    assert (await client.get(f"{V1}/products")).json() == {"items": [], "next_cursor": None}


async def test_a_product_is_shown_with_what_can_be_bought(mall: Mall, client: httpx.AsyncClient) -> None:
    made = await catalog.create_product(mall, latte(max_per_order=3, attributes={"kcal": 190}), actor=STAFF)
    store = await a_store(mall)
    await stock(mall, made.skus[0].id, await location_of(store), 2)

    shown = (await client.get(f"{V1}/products/{made.id}")).json()

    assert (shown["title"], shown["max_per_order"], shown["attributes"]) == (made.title, 3, {"kcal": 190})
    assert [(s["options"], s["price_fen"], s["in_stock"]) for s in shown["skus"]] == [
        (["Tall"], 3000, True),
        (["Grande"], 3300, False),
    ]
    assert not {"version", "barcode", "state"} & ({*shown} | {*shown["skus"][0]})
    assert (await client.get(f"{V1}/products/by-handle/LATTE")).json() == shown


async def test_a_store_shows_its_own_prices_stock_and_listing(mall: Mall, client: httpx.AsyncClient) -> None:
    here, there = await a_store(mall), await a_store(mall)
    made = await catalog.create_product(mall, latte(), actor=STAFF)
    await stock(mall, made.skus[0].id, await location_of(here), 2)
    await catalog.set_store_prices(mall, here.id, {made.skus[0].id: 2500}, actor=STAFF)

    async def shown(query: str) -> tuple[int, bool]:
        sku = (await client.get(f"{V1}/products/{made.id}{query}")).json()["skus"][0]
        return sku["price_fen"], sku["in_stock"]

    assert await shown(f"?store={here.code}") == await shown(f"?store_id={here.id}") == (2500, True)
    assert await shown(f"?store={there.code}") == (3000, False)
    card = (await client.get(f"{V1}/products?store_id={here.id}")).json()["items"][0]
    assert (card["min_price_fen"], card["in_stock"]) == (2500, True)

    await catalog.set_store_listings(mall, made.id, {here.id: False}, actor=STAFF)
    assert (await client.get(f"{V1}/products/{made.id}?store_id={here.id}")).status_code == 404
    assert (await client.get(f"{V1}/products?store_id={here.id}")).json()["items"] == []


async def test_a_change_shows_at_once_and_an_etag_saves_the_body(mall: Mall, client: httpx.AsyncClient) -> None:
    made = await catalog.create_product(mall, latte(), actor=STAFF)
    paths = [f"{V1}/products/{made.id}", f"{V1}/products", f"{V1}/products/by-handle/latte"]
    for path in paths:
        first = await client.get(path)
        assert (await client.get(path, headers={"If-None-Match": first.headers["etag"]})).status_code == 304

    await catalog.update_product(mall, made.id, ProductChanges(title="Mocha"), version=1, actor=STAFF)

    for path in paths:
        assert "Mocha" in (await client.get(path)).text


async def test_pages_follow_each_other(mall: Mall, client: httpx.AsyncClient) -> None:
    await catalog.upsert_products(mall, [plain(n) for n in range(7)], actor=STAFF)

    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = (await client.get(f"{V1}/products?sort=price_desc&limit=3&cursor={cursor}")).json()
        seen += [p["handle"] for p in page["items"]]
        cursor = page["next_cursor"]

    assert seen == [f"p{n}" for n in reversed(range(7))]


async def test_parameters_that_nobody_knows_do_not_fill_the_cache(mall: Mall, client: httpx.AsyncClient) -> None:
    await catalog.create_product(mall, latte(), actor=STAFF)
    await client.get(f"{V1}/products")
    kept = len(mall.cache.entries)

    for n in range(5):
        assert (await client.get(f"{V1}/products?junk={n}")).status_code == 200
        assert (await client.get(f"{V1}/products?q=latte{n}")).status_code == 200

    assert len(mall.cache.entries) == kept


async def test_plugins_add_to_products_once_a_page_and_a_failing_one_is_named(
    make_mall: Boot, client: httpx.AsyncClient
) -> None:
    reviews = Reviews()
    mall = await make_mall()
    mall.hooks.pm.register(reviews, name="reviews")
    mall.hooks.takes_part = lambda _plugin, _hook: True
    await catalog.upsert_products(mall, [plain(n) for n in range(3)], actor=STAFF)
    reviews.fails = True
    broken = (await client.get(f"{V1}/products")).json()["items"]
    reviews.fails = False

    page = (await client.get(f"{V1}/products")).json()["items"]

    assert [(p["extra"], p["extra_missing"]) for p in broken] == [({}, ["reviews"])] * 3
    assert [(p["extra"], p["extra_missing"]) for p in page] == [({"reviews": {"stars": 5}}, [])] * 3
    assert len(reviews.calls) == 2


async def test_the_category_tree_is_nested(mall: Mall, client: httpx.AsyncClient) -> None:
    ids = await catalog.ensure_categories(mall, [("Drinks", "Coffee")], actor=STAFF)
    await catalog.create_product(mall, latte(category_id=ids["Drinks", "Coffee"]), actor=STAFF)

    tree = (await client.get(f"{V1}/categories")).json()

    assert [(n["name"], [c["name"] for c in n["children"]]) for n in tree] == [("Drinks", ["Coffee"])]
    found = (await client.get(f"{V1}/products?category_id={tree[0]['id']}")).json()["items"]
    assert [p["handle"] for p in found] == ["latte"]
    await catalog.create_category(mall, "Food", actor=STAFF)
    assert len((await client.get(f"{V1}/categories")).json()) == 2


async def test_search_finds_products_and_stores(mall: Mall, client: httpx.AsyncClient) -> None:
    await catalog.create_product(mall, latte(), actor=STAFF)
    await a_store(mall, name="拿铁广场店", search_text="拿铁广场店")

    both = (await client.get(f"{V1}/search", params={"q": "拿铁"})).json()

    assert [p["kind"] + p["handle"] for p in both["products"]] == ["productlatte"]
    assert [s["kind"] + s["name"] for s in both["stores"]] == ["store拿铁广场店"]
    only = (await client.get(f"{V1}/search", params={"q": "拿铁", "kind": "store"})).json()
    assert (only["products"], len(only["stores"])) == ([], 1)
