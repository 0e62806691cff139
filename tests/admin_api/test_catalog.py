from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest

from core import db
from core.catalog import service as catalog
from core.kernel.mall import Mall
from core.testing.builders import a_staff, a_store
from tests.core.catalog.samples import STAFF, latte, plain

V1 = "/admin/v1"
Sign = Callable[[Any], httpx.AsyncClient]
WRITES = [
    ("POST", "/products"),
    ("PATCH", "/products/1"),
    ("PUT", "/products/1/state"),
    ("PUT", "/products/1/listings"),
    ("PUT", "/stores/1/prices"),
    ("POST", "/categories"),
    ("PATCH", "/categories/1"),
    ("PUT", "/categories/1/parent"),
    ("DELETE", "/categories/1"),
]


def body(**over: Any) -> dict[str, Any]:
    return msgspec.to_builtins(latte(**over))


@pytest.fixture
async def keeper(mall: Mall, admin: Sign) -> httpx.AsyncClient:
    return admin(await a_staff(mall, ("catalog.read", "catalog.write"), stores=None))


@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_changes_need_the_permission(
    mall: Mall, client: httpx.AsyncClient, admin: Sign, method: str, path: str
) -> None:
    reader = admin(await a_staff(mall, ("catalog.read",), stores=None))

    assert (await client.request(method, V1 + path)).status_code == 401
    assert (await reader.request(method, V1 + path)).status_code == 403


async def test_staff_of_some_stores_change_only_what_is_theirs(mall: Mall, admin: Sign) -> None:
    mine, other = await a_store(mall), await a_store(mall)
    product = await catalog.create_product(mall, latte(), actor=STAFF)
    local = admin(await a_staff(mall, ("catalog.read", "catalog.write"), stores=(mine.id,)))
    sku = product.skus[0].id

    refused = [
        await local.post(f"{V1}/products", json=body(handle="x")),
        await local.patch(f"{V1}/products/{product.id}", json={"version": 1, "title": "x"}),
        await local.post(f"{V1}/categories", json={"name": "x"}),
        await local.put(f"{V1}/stores/{other.id}/prices", json={"prices": [{"sku_id": sku, "price_fen": 1}]}),
        await local.put(
            f"{V1}/products/{product.id}/listings",
            json={"listings": [{"store_id": s.id, "listed": False} for s in (mine, other)]},
        ),
    ]
    assert [r.status_code for r in refused] == [403] * 5
    assert [r.json()["code"] for r in refused] == ["catalog.all_stores_needed"] * 3 + ["auth.out_of_scope"] * 2

    await catalog.set_store_prices(mall, other.id, {sku: 1}, actor=STAFF)
    prices = {"prices": [{"sku_id": sku, "price_fen": 2500}]}
    assert (await local.put(f"{V1}/stores/{mine.id}/prices", json=prices)).status_code == 204
    listings = {"listings": [{"store_id": mine.id, "listed": False}]}
    assert (await local.put(f"{V1}/products/{product.id}/listings", json=listings)).status_code == 200
    shown = (await local.get(f"{V1}/products/{product.id}/store-prices")).json()
    assert [(p["store_id"], p["price_fen"]) for p in shown] == [(mine.id, 2500)]
    assert [x["listed"] for x in (await local.get(f"{V1}/products/{product.id}/listings")).json()] == [False]


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"skus": []}, "request.invalid"),
        ({"unknown": 1}, "request.invalid"),
        ({"state": "sold"}, "request.invalid"),
        ({"title": ""}, "request.invalid"),
        ({"category_id": 2**70}, "request.invalid"),
        ({"skus": [{"code": "A", "price_fen": -1}]}, "request.invalid"),
        ({"skus": [{"code": "A", "price_fen": 1}]}, "catalog.product_invalid"),
    ],
)
async def test_a_bad_product_is_refused_with_every_reason(
    keeper: httpx.AsyncClient, over: dict[str, Any], code: str
) -> None:
    answer = await keeper.post(f"{V1}/products", json={**body(), **over})

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.json()["problems"]


async def test_a_product_is_made_edited_published_and_found(mall: Mall, keeper: httpx.AsyncClient) -> None:
    made = (await keeper.post(f"{V1}/products", json=body(state=None))).json()
    path = f"{V1}/products/{made['id']}"

    edited = await keeper.patch(path, json={"version": made["version"], "title": "Flat White", "brand": "Mini"})
    late = await keeper.patch(path, json={"version": made["version"], "title": "Mocha"})
    active = await keeper.put(f"{path}/state", json={"to": "active", "version": 2})

    assert (edited.status_code, edited.json()["version"]) == (200, 2)
    assert (late.status_code, late.json()["code"]) == (409, "catalog.changed_meanwhile")
    assert active.json()["state"] == "active"
    assert (await keeper.get(path)).json() == active.json()
    rows = (await keeper.get(f"{V1}/products", params={"q": "flat mini", "state": "active"})).json()["items"]
    assert [r["product"]["handle"] for r in rows] == ["latte"]
    assert (await keeper.get(f"{V1}/products", params={"state": "draft"})).json()["items"] == []
    audit = await db.rows("SELECT action, actor_kind, request_id FROM audit_entry ORDER BY id")
    assert [a["action"] for a in audit] == ["product.create", "product.update", "product.active"]
    assert {a["actor_kind"] for a in audit} == {"staff"}
    assert all(a["request_id"] for a in audit)


async def test_an_edit_without_a_version_is_refused(mall: Mall, keeper: httpx.AsyncClient) -> None:
    made = await catalog.create_product(mall, plain(1), actor=STAFF)

    answer = await keeper.patch(f"{V1}/products/{made.id}", json={"title": "x"})

    assert (answer.status_code, answer.json()["code"]) == (400, "request.invalid")


async def test_categories_are_kept(keeper: httpx.AsyncClient) -> None:
    top = (await keeper.post(f"{V1}/categories", json={"name": "饮品"})).json()
    leaf = (await keeper.post(f"{V1}/categories", json={"name": "咖啡", "parent_id": top["id"]})).json()
    path = f"{V1}/categories"

    cycle = await keeper.put(f"{path}/{top['id']}/parent", json={"parent_id": leaf["id"]})
    held = await keeper.delete(f"{path}/{top['id']}")
    moved = await keeper.put(f"{path}/{leaf['id']}/parent", json={"parent_id": None})
    renamed = await keeper.patch(f"{path}/{leaf['id']}", json={"name": "Coffee", "sort": 2})
    gone = await keeper.delete(f"{path}/{top['id']}")

    assert [(cycle.status_code, cycle.json()["code"]), (held.status_code, held.json()["code"])] == [
        (409, "catalog.category_cycle"),
        (409, "catalog.category_not_empty"),
    ]
    assert (moved.json()["parent_id"], renamed.json()["name"], gone.status_code) == (None, "Coffee", 204)
    assert [c["name"] for c in (await keeper.get(path)).json()] == ["Coffee"]
