"""Stock over HTTP: permission, scope, then what staff do with it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import httpx
import pytest

from core import db
from core.inventory import audit
from core.kernel.mall import Mall
from core.testing import builders

Admin = Callable[[object], httpx.AsyncClient]
INVENTORY = "/admin/v1/inventory"
BOTH = ("inventory.read", "inventory.write")
_keys = count(1)


def key() -> dict[str, str]:
    return {"Idempotency-Key": f"test-key-{next(_keys)}"}


@pytest.mark.parametrize(
    "call",
    ["GET /locations", "GET /stock", "GET /moves", "PUT /warehouses/W1", "POST /receipts", "POST /adjustments"],
)
async def test_each_operation_needs_its_permission(
    mall: Mall, client: httpx.AsyncClient, admin: Admin, call: str
) -> None:
    method, path = call.split()
    others = ["inventory.write" if method == "GET" else "inventory.read"]
    clerk = admin(await builders.a_staff(mall, others, None))

    assert (await client.request(method, INVENTORY + path)).status_code == 401
    answer = await clerk.request(method, INVENTORY + path)

    assert (answer.status_code, answer.json()["code"]) == (403, "auth.forbidden")


async def test_a_store_scope_hides_and_protects_other_stores(mall: Mall, admin: Admin) -> None:
    mine, other = await builders.a_store(mall), await builders.a_store(mall)
    sku = (await builders.a_product(mall)).sku
    for store in (mine, other):
        await builders.stock(mall, sku.id, await builders.location_of(store), 5)
    clerk = admin(await builders.a_staff(mall, BOTH, [mine.id]))
    change = {"sku_id": sku.id, "qty": 1}

    by_store = await clerk.post(INVENTORY + "/receipts", json={**change, "store_id": other.id}, headers=key())
    hidden = {**change, "location_id": await builders.location_of(other)}
    by_location = await clerk.post(INVENTORY + "/receipts", json=hidden, headers=key())
    warehouse = await clerk.put(INVENTORY + "/warehouses/W1", json={"name": "North"})

    assert (by_store.status_code, by_store.json()["code"]) == (403, "auth.out_of_scope")
    assert (by_location.status_code, by_location.json()["code"]) == (404, "inventory.location_not_found")
    assert (warehouse.status_code, warehouse.json()["code"]) == (403, "inventory.needs_all_stores")
    for path in ("/stock", "/moves", "/locations"):
        assert {item["store_id"] for item in (await clerk.get(INVENTORY + path)).json()["items"]} == {mine.id}
    assert (await clerk.get(INVENTORY + "/stock", params={"store_id": other.id})).json()["items"] == []


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/receipts", {"qty": 0}, "request.invalid"),
        ("/receipts", {"qty": 1, "store_id": None}, "inventory.place_unclear"),
        ("/receipts", {"qty": 1, "location_id": 1}, "inventory.place_unclear"),
        ("/adjustments", {"to": 1}, "request.invalid"),
        ("/adjustments", {"to": 1, "reason": ""}, "request.invalid"),
        ("/adjustments", {"to": -1, "reason": "count"}, "request.invalid"),
        ("/adjustments", {"to": 1, "reason": "  "}, "inventory.reason_missing"),
        ("/adjustments", {"reason": "count"}, "inventory.quantity_invalid"),
        ("/adjustments", {"reason": "count", "to": 1, "delta": 1}, "inventory.quantity_invalid"),
    ],
)
async def test_changes_that_make_no_sense_are_refused(
    mall: Mall, admin: Admin, path: str, body: dict[str, Any], code: str
) -> None:
    store = await builders.a_store(mall)
    sku = (await builders.a_product(mall)).sku
    clerk = admin(await builders.a_staff(mall, BOTH, None))

    answer = await clerk.post(INVENTORY + path, json={"sku_id": sku.id, "store_id": store.id, **body}, headers=key())

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert await db.value("SELECT count(*) FROM stock_move") == 0


async def test_an_unknown_sku_or_store_is_404(mall: Mall, admin: Admin) -> None:
    store = await builders.a_store(mall)
    clerk = admin(await builders.a_staff(mall, BOTH, None))

    sku = await clerk.post(
        INVENTORY + "/receipts", json={"sku_id": 999_999, "store_id": store.id, "qty": 1}, headers=key()
    )
    place = await clerk.post(INVENTORY + "/receipts", json={"sku_id": 1, "store_id": 999_999, "qty": 1}, headers=key())

    assert (sku.status_code, sku.json()["code"]) == (404, "inventory.not_found")
    assert (place.status_code, place.json()["code"]) == (404, "inventory.location_not_found")


async def test_staff_receive_correct_and_trace_stock(mall: Mall, admin: Admin) -> None:
    store = await builders.a_store(mall)
    sku = (await builders.a_product(mall)).sku
    staff = await builders.a_staff(mall, BOTH, [store.id])
    clerk = admin(staff)
    place = {"sku_id": sku.id, "store_id": store.id}

    same = key()
    for _ in range(2):
        received = await clerk.post(
            INVENTORY + "/receipts", json={**place, "qty": 24, "ref": "delivery 8812"}, headers=same
        )
        assert received.status_code == 201
        assert received.json()["on_hand"] == 24
    other = await clerk.post(INVENTORY + "/receipts", json={**place, "qty": 25}, headers=same)
    assert (other.status_code, other.json()["code"]) == (409, "inventory.key_reused")
    adjusted = await clerk.post(
        INVENTORY + "/adjustments", json={**place, "to": 22, "reason": "Stocktake"}, headers=key()
    )
    assert adjusted.json()["on_hand"] == 22

    (row,) = (await clerk.get(INVENTORY + "/stock", params={"sku_id": sku.id})).json()["items"]
    assert (row["sku_code"], row["on_hand"], row["reserved"], row["available"]) == (sku.code, 22, 0, 22)
    first = (await clerk.get(INVENTORY + "/moves", params={"store_id": store.id, "limit": 1})).json()
    second = (await clerk.get(INVENTORY + "/moves", params={"limit": 1, "cursor": first["next_cursor"]})).json()
    moves = [*first["items"], *second["items"]]
    assert [(m["kind"], m["qty"], m["reason"], m["actor_id"]) for m in moves] == [
        ("adjust", -2, "Stocktake", staff.staff_id),
        ("receive", 24, "", staff.staff_id),
    ]
    assert second["next_cursor"] is None
    written = await db.rows("SELECT action, store_id, request_id FROM audit_entry ORDER BY id")
    assert [(r["action"], r["store_id"], bool(r["request_id"])) for r in written] == [
        ("stock.receive", store.id, True),
        ("stock.adjust", store.id, True),
    ]
    assert await audit.broken() == []


async def test_a_warehouse_is_made_and_listed(mall: Mall, admin: Admin) -> None:
    await builders.a_store(mall)
    clerk = admin(await builders.a_staff(mall, BOTH, None))

    made = await clerk.put(INVENTORY + "/warehouses/W1", json={"name": "North", "priority": 3})
    found = await clerk.get(INVENTORY + "/locations", params={"kind": "warehouse"})

    assert made.status_code == 200
    assert [(w["code"], w["priority"], w["store_id"]) for w in found.json()["items"]] == [("W1", 3, None)]
