"""The cart over HTTP."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from core import db
from core.kernel.mall import Mall
from core.testing import builders

Storefront = Callable[[object], httpx.AsyncClient]
CART = "/storefront/v1/cart"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("POST", "/lines"), ("PATCH", "/lines/1"), ("POST", "/select"), ("POST", "/remove"), ("DELETE", "")],
)
async def test_a_cart_needs_a_session(mall: Mall, client: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await client.request(method, CART + path, json={} if method in ("POST", "PATCH") else None)

    assert (answer.status_code, answer.json()["code"]) == (401, "auth.required")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"sku_id": 0},
        {"sku_id": 1, "qty": 0},
        {"sku_id": 1, "qty": 1000},
        {"sku_id": "x"},
        {"sku_id": 1, "price": 1},
    ],
)
async def test_a_line_that_makes_no_sense_is_400(mall: Mall, storefront: Storefront, body: dict[str, object]) -> None:
    shopper = storefront(await builders.a_member(mall))

    answer = await shopper.post(CART + "/lines", json=body)

    assert (answer.status_code, answer.json()["code"]) == (400, "request.invalid")


async def test_refusals_have_their_code_and_sentence(mall: Mall, storefront: Storefront) -> None:
    shopper = storefront(await builders.a_member(mall))
    draft = (await builders.a_product(mall, state="draft", title="Cold brew")).sku

    unknown = await shopper.post(CART + "/lines", json={"sku_id": 999_999})
    not_sold = await shopper.post(CART + "/lines", json={"sku_id": draft.id}, headers={"Accept-Language": "en"})
    missing = await shopper.patch(f"{CART}/lines/{draft.id}", json={"qty": 2})

    assert (unknown.status_code, unknown.json()["code"]) == (404, "catalog.sku_not_found")
    assert (not_sold.status_code, not_sold.json()["code"]) == (409, "catalog.not_on_sale")
    assert "Cold brew" in not_sold.json()["detail"]
    assert (missing.status_code, missing.json()["code"]) == (404, "carts.line_not_found")


async def test_nobody_sees_or_changes_another_members_cart(mall: Mall, storefront: Storefront) -> None:
    mine, theirs = storefront(await builders.a_member(mall)), storefront(await builders.a_member(mall))
    sku = (await builders.a_product(mall)).sku
    await mine.post(CART + "/lines", json={"sku_id": sku.id, "qty": 2})

    assert (await theirs.get(CART)).json()["lines"] == []
    await theirs.delete(CART)
    await theirs.post(CART + "/remove", json={"sku_ids": [sku.id]})

    assert [line["qty"] for line in (await mine.get(CART)).json()["lines"]] == [2]


async def test_a_shopper_fills_changes_and_empties_the_cart(mall: Mall, storefront: Storefront) -> None:
    shopper = storefront(await builders.a_member(mall))
    store = await builders.a_store(mall)
    latte, mug = (await builders.a_product(mall, skus=2, price_fen=1500)).skus
    await builders.stock(mall, mug.id, await builders.location_of(store), 1)
    await db.execute("UPDATE sku SET tracked = false WHERE id = $1", latte.id)
    here = {"store_id": store.id}

    await shopper.post(CART + "/lines", json={"sku_id": latte.id})
    added = await shopper.post(CART + "/lines", json={"sku_id": mug.id, "qty": 2}, params=here)
    assert added.status_code == 200
    assert {line["sku_id"]: (line["available"], line["problem"]) for line in added.json()["lines"]} == {
        latte.id: (None, None),
        mug.id: (1, "inventory.out_of_stock"),
    }
    assert added.json()["selected_fen"] == 1500

    changed = await shopper.patch(f"{CART}/lines/{mug.id}", json={"qty": 1}, params=here)
    assert changed.json()["selected_fen"] == 3000
    deselected = await shopper.post(CART + "/select", json={"selected": False, "sku_ids": [latte.id]}, params=here)
    assert (deselected.json()["selected_units"], deselected.json()["selected_fen"]) == (1, 1500)
    removed = await shopper.post(CART + "/remove", json={"sku_ids": [mug.id]})
    assert [line["sku_id"] for line in removed.json()["lines"]] == [latte.id]
    assert (await shopper.delete(CART)).status_code == 204
    assert (await shopper.get(CART)).json() == {"store_id": None, "lines": [], "selected_units": 0, "selected_fen": 0}
