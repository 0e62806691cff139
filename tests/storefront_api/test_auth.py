from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

import pytest_asyncio

from core import db
from core.hookspecs import hookimpl

if TYPE_CHECKING:
    import httpx

    from core.kernel.contracts import NotificationChannel
    from core.kernel.mall import Mall

V1 = "/storefront/v1"
PHONE = "13800138000"
SENT: list[str] = []


class Phones:
    """The phone network is outside: a channel that keeps the codes."""

    code = "phones"

    async def send(self, mall: Mall, *, to: str, template: str, values: dict[str, str]) -> None:
        SENT.append(values["code"])

    @hookimpl
    def register_notification_channels(self) -> Iterable[NotificationChannel]:
        return (self,)


@pytest_asyncio.fixture(autouse=True)
async def mall(make_mall: Callable[..., Awaitable[Mall]]) -> Mall:
    SENT.clear()
    return await make_mall(extra={"phones": Phones()}, mall_notification_channel="phones")


async def _sign_in(client: httpx.AsyncClient, **over: object) -> httpx.Response:
    body = {"provider": "phone", "credentials": {"phone": PHONE, "code": SENT[-1]}, **over}
    return await client.post(f"{V1}/auth/sessions", json=body, headers={"user-agent": "mini-program 8.0"})


async def test_bodies_that_cannot_be_used_are_refused(client: httpx.AsyncClient) -> None:
    for path, body in (
        ("codes", {}),
        ("codes", {"phone": "13800138000", "more": 1}),
        ("codes", {"phone": 5}),
        ("codes", {"phone": "not a phone"}),
        ("sessions", {}),
        ("sessions", {"credentials": {"phone": PHONE}}),
        ("sessions", {"credentials": {"phone": PHONE, "code": "1"}, "source": {"channel": "Not A Channel"}}),
        ("sessions", {"credentials": {"phone": PHONE, "code": "1"}, "source": {"store_id": 2**63}}),
    ):
        answer = await client.post(f"{V1}/auth/{path}", json=body)

        assert answer.status_code == 400, (body, answer.text)
        assert answer.headers["content-type"].startswith("application/problem+json")


async def test_a_wrong_code_is_401_and_an_unknown_provider_404(client: httpx.AsyncClient) -> None:
    wrong = await client.post(f"{V1}/auth/sessions", json={"credentials": {"phone": PHONE, "code": "000000"}})
    unknown = await client.post(f"{V1}/auth/sessions", json={"provider": "x", "credentials": {}})

    assert (wrong.status_code, wrong.json()["code"]) == (401, "auth.code_wrong")
    assert unknown.status_code == 404


async def test_a_second_code_within_a_minute_is_429(client: httpx.AsyncClient) -> None:
    first = await client.post(f"{V1}/auth/codes", json={"phone": PHONE})
    second = await client.post(f"{V1}/auth/codes", json={"phone": PHONE})

    assert first.status_code == 202
    assert first.json() == {"valid_for_s": 300, "next_after_s": 60}
    assert (second.status_code, second.json()["code"]) == (429, "rate.limited")
    assert int(second.headers["retry-after"]) > 0
    assert len(SENT) == 1


async def test_a_shopper_joins_signs_out_and_is_out(client: httpx.AsyncClient) -> None:
    await client.post(f"{V1}/auth/codes", json={"phone": PHONE})

    answer = await _sign_in(client, source={"channel": "h5", "code": "WALL-7"})

    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body["joined"] is True
    token = {"authorization": f"Bearer {body['token']}"}
    me = (await client.get(f"{V1}/me", headers=token)).json()
    assert (me["number"], me["phone"]) == (body["member_number"], "+8613800138000")
    [session] = (await client.get(f"{V1}/me/sessions", headers=token)).json()["items"]
    assert (session["channel"], session["client"], session["current"]) == ("h5", "mini-program 8.0", True)
    assert (await client.delete(f"{V1}/auth/session", headers=token)).status_code == 204
    assert (await client.get(f"{V1}/me", headers=token)).json()["code"] == "auth.expired"


async def test_a_code_opens_one_session(client: httpx.AsyncClient) -> None:
    await client.post(f"{V1}/auth/codes", json={"phone": PHONE})

    assert (await _sign_in(client)).status_code == 201
    assert (await _sign_in(client)).status_code == 401


async def test_a_blocked_member_gets_403(client: httpx.AsyncClient) -> None:
    await client.post(f"{V1}/auth/codes", json={"phone": PHONE})
    token = {"authorization": f"Bearer {(await _sign_in(client)).json()['token']}"}
    await db.execute("UPDATE member SET state = 'blocked'")

    answer = await client.get(f"{V1}/me", headers=token)

    assert (answer.status_code, answer.json()["code"]) == (403, "members.blocked")


async def test_the_ways_to_sign_in_are_listed_in_the_callers_language(client: httpx.AsyncClient) -> None:
    chinese = await client.get(f"{V1}/auth/providers")
    english = await client.get(f"{V1}/auth/providers", headers={"accept-language": "en"})

    assert chinese.json()["items"] == [{"code": "phone", "title": "手机号登录"}]
    assert english.json()["items"] == [{"code": "phone", "title": "Phone number"}]
