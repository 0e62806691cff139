"""Who may call: closed by default, on both faces, for plugins too."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from litestar import get, post

from app import assemble
from core import db
from core.hookspecs import hookimpl
from core.web import auth, mounts
from tests.core.web import sample_faces
from tests.core.web.conftest import staff_headers

if TYPE_CHECKING:
    from core.kernel.mall import Mall

CUPS = "/storefront/v1/cups"
COUNT = "/admin/v1/stores/7/cups"
KEY = {"Idempotency-Key": "key-12345"}


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": ""}, {"Authorization": "Bearer"}, {"Authorization": "Bearer "},
                {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer " + "x" * 201}]
)  # fmt: skip
@pytest.mark.parametrize(("method", "path"), [("POST", CUPS), ("GET", COUNT)])
async def test_without_a_token_401(api: httpx.AsyncClient, headers: dict[str, str], method: str, path: str) -> None:
    answer = await api.request(method, path, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "auth.required")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_with_an_unknown_token_401(api: httpx.AsyncClient) -> None:
    for method, path in (("POST", CUPS), ("GET", COUNT)):
        answer = await api.request(method, path, headers={"Authorization": "Bearer nobody"})
        assert answer.status_code == 401
        assert answer.json()["code"].startswith("auth.")


async def test_auth_comes_before_the_body_is_read(api: httpx.AsyncClient) -> None:
    assert (await api.post(CUPS, content=b"{", headers={"Content-Type": "application/json"})).status_code == 401


async def test_a_members_token_opens_only_the_storefront(
    api: httpx.AsyncClient, member_headers: dict[str, str]
) -> None:
    made = await api.post(CUPS, json={"name": "a", "size_ml": 300}, headers=member_headers | KEY)
    assert made.status_code == 201
    assert made.json()["name"] == "a key-12345"

    assert (await api.get(COUNT, headers=member_headers)).status_code == 401


async def test_a_session_ends(api: httpx.AsyncClient, mall: Mall, member_headers: dict[str, str]) -> None:
    mall.clock.advance(timedelta(days=400))  # pyright: ignore[reportAttributeAccessIssue]

    assert (await api.post(CUPS, json={}, headers=member_headers)).status_code == 401


async def test_staff_without_the_permission_403_naming_it(api: httpx.AsyncClient, mall: Mall) -> None:
    answer = await api.get(COUNT, headers=await staff_headers(mall, "orders.read"))

    assert (answer.status_code, answer.json()["code"]) == (403, "auth.forbidden")
    assert answer.json()["details"] == {"permission": "cups.read"}
    assert "cups.read" in answer.json()["detail"]


async def test_staff_with_the_permission_in_another_store_403(api: httpx.AsyncClient, mall: Mall) -> None:
    headers = await staff_headers(mall, "cups.read", stores=())

    assert (await api.get(COUNT, headers=headers)).json()["code"] == "auth.out_of_scope"


async def test_staff_with_the_permission(api: httpx.AsyncClient, mall: Mall) -> None:
    headers = await staff_headers(mall, "cups.read")

    assert (await api.get(COUNT, headers=headers)).json()["by"].startswith("staff")
    assert (await api.get("/admin/v1/me", headers=headers)).json()["login"].startswith("staff")
    assert (await api.post(CUPS, json={}, headers=headers)).status_code == 401  # no shopper


async def test_a_right_taken_away_counts_at_once(api: httpx.AsyncClient, mall: Mall) -> None:
    headers = await staff_headers(mall, "cups.read")
    await db.execute("DELETE FROM staff_role_member")

    assert (await api.get(COUNT, headers=headers)).status_code == 403


async def test_an_admin_handler_without_a_permission_stops_the_start(mall: Mall) -> None:
    with pytest.raises(auth.PermissionMissing, match="naked"):
        assemble(mall, [], [sample_faces.naked])


@pytest.mark.parametrize("key", [None, "short", "x" * 65, "with space", "emoji-ключ-ключ".encode()])
async def test_a_creating_write_needs_a_key(
    api: httpx.AsyncClient, member_headers: dict[str, str], key: str | bytes | None
) -> None:
    headers: dict[str, Any] = member_headers if key is None else {**member_headers, "Idempotency-Key": key}

    answer = await api.post(CUPS, json={"name": "a", "size_ml": 300}, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (400, "request.key_required")


class Cups:
    """A plugin with routes on all three faces."""

    @hookimpl
    def register_storefront_routes(self, mall: Mall) -> list[Any]:
        @get("/shelf")
        async def shelf() -> str:
            return "shelf"

        @get("/window", opt={"public": True})
        async def window() -> str:
            return "window"

        return [shelf, window]

    @hookimpl
    def register_callback_routes(self, mall: Mall) -> list[Any]:
        @post("/paid", status_code=200)
        async def paid(body: bytes) -> bytes:
            return body

        return [paid]


async def test_a_plugins_routes_are_closed_by_default_and_gone_while_it_is_off(make_mall: Any) -> None:
    mall: Mall = await make_mall(extra={"cups": Cups()})
    transport = httpx.ASGITransport(assemble(mall, [], []), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://mall.test") as api:
        assert (await api.get("/storefront/v1/x/cups/shelf")).json()["code"] == "auth.required"
        assert (await api.get("/storefront/v1/x/cups/window")).text == "window"
        assert (await api.post("/callbacks/cups/paid", content=b"\x00raw")).content == b"\x00raw"
        assert (await api.post("/callbacks/cups/paid", content=b"x" * (2**20 + 1))).status_code == 413

        mall.plugins.stored["cups"] = "draining"
        assert (await api.get("/storefront/v1/x/cups/window")).json()["code"] == "plugin.disabled"
        assert (await api.post("/callbacks/cups/paid", content=b"late")).status_code == 200

        mall.plugins.stored["cups"] = "disabled"
        for method, path in (("GET", "/storefront/v1/x/cups/shelf"), ("POST", "/callbacks/cups/paid")):
            answer = await api.request(method, path)
            assert (answer.status_code, answer.json()["code"]) == (404, "plugin.disabled")


def test_every_mount_stands_under_its_face() -> None:
    assert (mounts.STOREFRONT, mounts.ADMIN, mounts.CALLBACKS) == ("/storefront/v1", "/admin/v1", "/callbacks")
