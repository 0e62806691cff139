"""Stores on the storefront."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from core.kernel.mall import Mall
from core.kernel.origin import SYSTEM
from core.stores import service
from core.testing import builders

URL = "/storefront/v1/stores"


@pytest.mark.parametrize("state", ["inactive", "closed"])
async def test_a_store_that_is_not_active_does_not_exist(mall: Mall, client: httpx.AsyncClient, state: str) -> None:
    store = await builders.a_store(mall, state=state)

    answer = await client.get(f"{URL}/{store.id}")

    assert (answer.status_code, answer.json()["code"]) == (404, "stores.not_found")
    assert (await client.get(URL)).json()["items"] == []
    assert (await client.get("/storefront/v1/cities")).json() == []


@pytest.mark.parametrize(
    "path", ["/0", f"/{10**30}", "?limit=0", "?limit=101", "?cursor=x", "?service=teleport", "?city=" + "x" * 65]
)
async def test_what_cannot_be_asked_is_refused(mall: Mall, client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(URL + path)

    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("application/problem+json")


@pytest.mark.parametrize("query", ["?q=%00", "?city=%00", "?q=%25", "?q=%5C"])
async def test_odd_characters_find_nothing_and_break_nothing(mall: Mall, client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(URL + query)).status_code == 200


async def test_a_store_says_when_it_is_open(mall: Mall, client: httpx.AsyncClient) -> None:
    store = await builders.a_store(
        mall,
        hours={"sat": [["08:00", "12:00"]]},
        exceptions={"2026-11-28": {"closed": True, "note": "盘点"}},
        notice="周六见",
    )

    shown = (await client.get(f"{URL}/{store.id}")).json()

    assert (shown["open_now"], shown["reason"], shown["next_change"]) == (True, "open", "2026-11-21T04:00:00Z")
    assert shown["hours"] == {"sat": [["08:00", "12:00"]]}
    assert shown["exceptions"] == {"2026-11-28": {"closed": True, "spans": [], "note": "盘点"}}
    assert (shown["notice"], shown["zone"], shown["extra"], shown["extra_missing"]) == (
        "周六见",
        "Asia/Shanghai",
        {},
        [],
    )
    assert "version" not in shown
    assert "search_text" not in shown


async def test_a_temporary_close_is_shown_with_its_reason(mall: Mall, client: httpx.AsyncClient) -> None:
    store = await builders.a_store(mall)
    until = mall.clock.now() + timedelta(days=1)
    await service.close_temporarily(mall, store.id, until=until, reason="停电", actor=SYSTEM)

    shown = (await client.get(f"{URL}/{store.id}")).json()

    assert (shown["open_now"], shown["reason"], shown["closed_reason"]) == (False, "temporarily_closed", "停电")
    assert shown["next_change"] == "2026-11-22T02:00:00Z"


async def test_lists_filter_and_page(mall: Mall, client: httpx.AsyncClient) -> None:
    made = [
        (await builders.a_store(mall, city="上海市" if n % 2 else "北京市", name=f"{'甲乙丙丁戊'[n]} 店")).id
        for n in range(5)
    ]

    first = (await client.get(URL, params={"limit": 3})).json()
    rest = (await client.get(URL, params={"limit": 3, "cursor": first["next_cursor"]})).json()

    assert [s["id"] for s in [*first["items"], *rest["items"]]] == made
    assert rest["next_cursor"] is None
    assert [s["id"] for s in (await client.get(URL, params={"city": "上海市"})).json()["items"]] == [made[1], made[3]]
    assert [s["id"] for s in (await client.get(URL, params={"q": "店 戊"})).json()["items"]] == [made[4]]
    assert (await client.get(URL, params={"service": "delivery"})).json()["items"] == []
    assert (await client.get("/storefront/v1/cities")).json() == [
        {"province": "上海市", "city": "北京市", "stores": 3},
        {"province": "上海市", "city": "上海市", "stores": 2},
    ]
