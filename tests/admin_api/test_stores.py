"""Stores as staff keep them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from core import db
from core.kernel.mall import Mall
from core.testing import builders

URL = "/admin/v1/stores"
Admin = Callable[[object], httpx.AsyncClient]
CALLS: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("PATCH", "", {"version": 1, "name": "x"}),
    ("PUT", "/hours", {"version": 1, "hours": {}}),
    ("PUT", "/notice", {"version": 1, "notice": "x"}),
    ("POST", "/close", {}),
    ("POST", "/reopen", None),
]


async def keeper(mall: Mall, admin: Admin, **over: Any) -> httpx.AsyncClient:
    return admin(await builders.a_staff(mall, ["stores.read", "stores.write"], **{"stores": None, **over}))


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
async def test_a_store_of_others_is_not_there(mall: Mall, admin: Admin, method: str, path: str, body: Any) -> None:
    mine, other = await builders.a_store(mall), await builders.a_store(mall)
    staff = await keeper(mall, admin, stores=[mine.id])

    answer = await staff.request(method, f"{URL}/{other.id}{path}", json=body)

    assert (answer.status_code, answer.json()["code"]) == (404, "stores.not_found")
    assert [r["store"]["id"] for r in (await staff.get(URL)).json()["items"]] == [mine.id]


@pytest.mark.parametrize(("method", "path", "body"), CALLS[1:])
async def test_who_may_only_read_changes_nothing(mall: Mall, admin: Admin, method: str, path: str, body: Any) -> None:
    store = await builders.a_store(mall)
    reader = admin(await builders.a_staff(mall, ["stores.read"], stores=None))

    assert (await reader.request(method, f"{URL}/{store.id}{path}", json=body)).status_code == 403


async def test_who_works_for_some_stores_cannot_make_one(mall: Mall, admin: Admin) -> None:
    store = await builders.a_store(mall)
    staff = await keeper(mall, admin, stores=[store.id])

    answer = await staff.post(URL, json={"code": "S9", "name": "新店"})

    assert (answer.status_code, answer.json()["code"]) == (403, "stores.all_stores_needed")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "没有编码"}, "request.invalid"),
        ({"code": "S", "name": "店", "colour": "red"}, "request.invalid"),
        ({"code": "S", "name": "店", "lat": 91, "lng": 0}, "request.invalid"),
        ({"code": "S", "name": "店", "lat": 31.2}, "stores.invalid"),
        ({"code": "S", "name": "店", "hours": {"mon": [["8", "22"]]}}, "stores.invalid"),
        ({"code": "S", "name": "店", "zone": "Nowhere"}, "stores.invalid"),
        ({"code": "S", "name": "店", "services": ["teleport"]}, "request.invalid"),
        ({"code": "S", "name": "a\0"}, "stores.invalid"),
    ],
)
async def test_a_body_that_is_no_store_is_refused(mall: Mall, admin: Admin, body: dict[str, Any], code: str) -> None:
    answer = await (await keeper(mall, admin)).post(URL, json=body)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.json()["problems"]


async def test_a_store_from_its_making_to_its_closing(
    mall: Mall, admin: Admin, deliver_events: Callable[[Mall], Awaitable[int]]
) -> None:
    staff = await keeper(mall, admin)
    draft = {
        "code": "SH-1",
        "name": "外滩店",
        "city": "上海市",
        "lat": 31.24,
        "lng": 121.49,
        "coord_sys": "wgs84",
        "services": ["pickup"],
    }

    made = await staff.post(URL, json=draft)
    assert made.status_code == 201, made.text
    store_id = made.json()["id"]
    taken = await staff.post(URL, json=draft)
    renamed = await staff.patch(f"{URL}/{store_id}", json={"version": 1, "name": "外滩旗舰店"})
    late = await staff.patch(f"{URL}/{store_id}", json={"version": 1, "name": "迟到"})
    hours = await staff.put(f"{URL}/{store_id}/hours", json={"version": 2, "hours": {"sat": [["22:00", "02:00"]]}})
    notice = await staff.put(f"{URL}/{store_id}/notice", json={"version": 3, "notice": "今日买一送一"})
    closed = await staff.post(f"{URL}/{store_id}/close", json={"until": "2026-11-22T00:00:00Z", "reason": "检修"})
    before = await staff.post(f"{URL}/{store_id}/close", json={"until": "2026-11-20T00:00:00Z"})
    opened = await staff.post(f"{URL}/{store_id}/reopen")
    shown = (await staff.get(f"{URL}/{store_id}")).json()

    assert (taken.status_code, taken.json()["code"]) == (409, "stores.code_taken")
    assert (renamed.json()["version"], late.status_code, late.json()["code"]) == (2, 409, "stores.version_conflict")
    assert hours.json()["hours"] == {"sat": [["22:00", "02:00"]]}
    assert notice.json()["notice"] == "今日买一送一"
    assert (closed.json()["closed_reason"], before.json()["code"]) == ("检修", "stores.close_invalid")
    assert opened.json()["closed_from"] is None
    assert shown["store"]["name"] == "外滩旗舰店"
    assert shown["opening"] == {"open_now": False, "reason": "outside_hours", "next_change": "2026-11-21T14:00:00Z"}
    actions = [r["action"] for r in await db.rows("SELECT action FROM audit_entry ORDER BY id")]
    assert actions == ["store.create", "store.update", "store.update", "store.update", "store.close", "store.reopen"]
    await deliver_events(mall)
    assert await db.value("SELECT count(*) FROM location WHERE store_id = $1", store_id) == 1


async def test_lists_show_all_states_and_filter(mall: Mall, admin: Admin) -> None:
    staff = await keeper(mall, admin)
    active, closed = await builders.a_store(mall), await builders.a_store(mall, state="closed")

    assert [r["store"]["id"] for r in (await staff.get(URL)).json()["items"]] == [active.id, closed.id]
    assert [r["store"]["id"] for r in (await staff.get(URL, params={"state": "closed"})).json()["items"]] == [closed.id]
    assert (await staff.get("/admin/v1/cities")).json() == [{"province": "上海市", "city": "上海市", "stores": 1}]
