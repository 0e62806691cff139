from __future__ import annotations

from typing import TYPE_CHECKING

from core.testing import builders

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from core.kernel.mall import Mall

    Storefront = Callable[[object], httpx.AsyncClient]

ME = "/storefront/v1/me"
HOME = {"name": "李雷", "phone": "13800138000", "city": "上海市", "street": "南京东路 1 号"}


async def test_without_a_token_there_is_nobody(mall: Mall, client: httpx.AsyncClient) -> None:
    for path in ("", "/addresses", "/consents", "/sessions"):
        answer = await client.get(ME + path)

        assert (answer.status_code, answer.json()["code"]) == (401, "auth.required")


async def test_a_profile_takes_only_what_it_knows(mall: Mall, storefront: Storefront) -> None:
    shopper = storefront(await builders.a_member(mall))

    for change in (
        {"number": "U1"},
        {"gender": "x"},
        {"nickname": "x" * 65},
        {"avatar_url": "javascript:x"},
        {"born_on": "2999-01-01"},
    ):
        assert (await shopper.patch(ME, json=change)).status_code == 400, change
    answer = await shopper.patch(ME, json={"nickname": "小李", "gender": "female", "born_on": "1990-05-01"})

    assert answer.status_code == 200
    assert (answer.json()["nickname"], answer.json()["born_on"]) == ("小李", "1990-05-01")
    assert "source_staff_id" not in answer.json()


async def test_addresses_are_kept_changed_and_forgotten_by_their_member_only(
    mall: Mall, storefront: Storefront
) -> None:
    shopper, other = storefront(await builders.a_member(mall)), storefront(await builders.a_member(mall))
    added = await shopper.post(f"{ME}/addresses", json={**HOME, "is_default": True})
    one = f"{ME}/addresses/{added.json()['id']}"

    for refused in (await other.get(one), await other.put(one, json=HOME), await other.delete(one)):
        assert (refused.status_code, refused.json()["code"]) == (404, "members.address_not_found")

    assert added.status_code == 201
    assert (await shopper.put(one, json={**HOME, "street": "淮海路 2 号"})).json()["street"] == "淮海路 2 号"
    assert (await shopper.get(one)).json()["is_default"] is False
    assert (await shopper.delete(one)).status_code == 204
    assert (await shopper.get(f"{ME}/addresses")).json() == {"items": [], "next_cursor": None}


async def test_consents_are_added(mall: Mall, storefront: Storefront) -> None:
    shopper = storefront(await builders.a_member(mall))

    for granted in (True, False):
        answer = await shopper.post(
            f"{ME}/consents", json={"kind": "marketing", "version": "2026-11", "granted": granted}
        )
        assert answer.status_code == 201

    [now] = (await shopper.get(f"{ME}/consents")).json()["items"]
    assert now["granted"] is False


async def test_sessions_are_ended_by_their_member_only(mall: Mall, storefront: Storefront) -> None:
    member = await builders.a_member(mall)
    here, there, stranger = storefront(member), storefront(member), storefront(await builders.a_member(mall))
    assert (await there.get(ME)).status_code == 200
    [foreign] = (await stranger.get(f"{ME}/sessions")).json()["items"]
    listed = (await here.get(f"{ME}/sessions")).json()["items"]

    refused = await here.delete(f"{ME}/sessions/{foreign['id']}")
    ended = await here.delete(f"{ME}/sessions")

    assert (refused.status_code, refused.json()["code"]) == (404, "members.session_not_found")
    assert [s["current"] for s in listed].count(True) == 1
    assert len(listed) == 2
    assert ended.status_code == 204
    assert (await there.get(ME)).status_code == 401
    assert (await stranger.get(ME)).status_code == 200
    assert (await here.get(ME)).status_code == 200
