from __future__ import annotations

from typing import TYPE_CHECKING

from core import db
from core.hookspecs import hookimpl
from core.staff import service
from core.testing import builders

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    import httpx

    from core.kernel.mall import Mall

    Admin = Callable[[object], httpx.AsyncClient]

V1 = "/admin/v1"
PASSWORD = "a long pass phrase"


async def test_every_operation_asks_for_its_permission(mall: Mall, admin: Admin, client: httpx.AsyncClient) -> None:
    nobody = admin(await builders.a_staff(mall, permissions=("orders.read",), stores=None))

    for method, path in (
        ("GET", "/staff"), ("POST", "/staff"), ("GET", "/staff/1"), ("PATCH", "/staff/1"), ("PUT", "/staff/1/password"),
        ("GET", "/roles"), ("POST", "/roles"), ("PATCH", "/roles/1"), ("DELETE", "/roles/1"), ("GET", "/permissions"),
        ("GET", "/members"), ("GET", "/members/1"), ("PUT", "/members/1/state"), ("GET", "/audit"),
    ):  # fmt: skip
        without = await client.request(method, V1 + path)
        lacking = await nobody.request(method, V1 + path)

        assert (without.status_code, without.json()["code"]) == (401, "auth.required"), path
        assert (lacking.status_code, lacking.json()["code"]) == (403, "auth.forbidden"), path


async def test_signing_in_wrongly_is_401_and_too_often_429(mall: Mall, client: httpx.AsyncClient) -> None:
    await service.create_owner(mall, "boss", PASSWORD)

    for _ in range(10):
        wrong = await client.post(f"{V1}/auth/sessions", json={"login": "boss", "password": "x"})
        assert (wrong.status_code, wrong.json()["code"]) == (401, "auth.login_failed")
    refused = await client.post(f"{V1}/auth/sessions", json={"login": "boss", "password": PASSWORD})

    assert (refused.status_code, refused.json()["code"]) == (429, "rate.limited")
    assert int(refused.headers["retry-after"]) > 0


async def test_an_owner_signs_in_builds_a_team_and_signs_out(mall: Mall, client: httpx.AsyncClient) -> None:
    store = await builders.a_store(mall)
    await service.create_owner(mall, "boss", PASSWORD)
    signed_in = await client.post(f"{V1}/auth/sessions", json={"login": "boss", "password": PASSWORD})
    assert signed_in.status_code == 201, signed_in.text
    owner = {"authorization": f"Bearer {signed_in.json()['token']}"}
    assert signed_in.json()["staff"]["permissions"] == ["*"]

    role = await client.post(
        f"{V1}/roles",
        json={"code": "cashier", "name": "收银", "permissions": ["orders.read", "gone.away"]},
        headers=owner,
    )
    assert role.status_code == 201, role.text
    assert role.json()["without_effect"] == ["gone.away"]
    person = await client.post(
        f"{V1}/staff",
        json={"login": "chen", "name": "Chen", "password": PASSWORD, "roles": ["cashier"], "store_ids": [store.id]},
        headers=owner,
    )
    assert person.status_code == 201, person.text
    assert "password" not in person.text
    one = f"{V1}/staff/{person.json()['id']}"
    assert (await client.patch(one, json={"name": "Chen Wei"}, headers=owner)).json()["name"] == "Chen Wei"
    assert (
        await client.put(f"{one}/password", json={"password": "another pass phrase"}, headers=owner)
    ).status_code == 204
    chen = await client.post(f"{V1}/auth/sessions", json={"login": "chen", "password": "another pass phrase"})
    assert chen.json()["staff"]["store_ids"] == [store.id]
    listed = (await client.get(f"{V1}/staff", params={"q": "chen", "state": "active"}, headers=owner)).json()
    assert [p["login"] for p in listed["items"]] == ["chen"]

    audit = (await client.get(f"{V1}/audit", params={"actor_kind": "staff"}, headers=owner)).json()["items"]
    assert {"role.create", "staff.create", "staff.update", "staff.set_password"} <= {e["action"] for e in audit}
    assert all(e["request_id"] for e in audit if e["action"] != "staff.sign_in")
    assert (await client.delete(f"{V1}/auth/session", headers=owner)).status_code == 204
    assert (await client.get(f"{V1}/me", headers=owner)).json()["code"] == "auth.expired"


async def test_refusals_have_their_status(mall: Mall, admin: Admin) -> None:
    owner = await service.create_owner(mall, "boss", PASSWORD)
    boss = admin(owner)
    manager = admin(await builders.a_staff(mall, permissions=("staff.read", "staff.write"), stores=None))

    for client, method, path, body, expected in (
        (boss, "POST", "/staff", {"login": "x y", "name": "X", "password": PASSWORD}, (400, "staff.login_invalid")),
        (boss, "POST", "/staff", {"login": "chen", "name": "X", "password": "short"}, (400, "staff.password_too_weak")),
        (boss, "POST", "/staff", {"login": "boss", "name": "X", "password": PASSWORD}, (409, "staff.login_taken")),
        (boss, "PATCH", f"/staff/{owner.id}", {"state": "disabled"}, (409, "staff.last_owner")),
        (boss, "PATCH", f"/staff/{owner.id}", {"login": "new"}, (400, "request.invalid")),
        (boss, "PATCH", "/staff/987654321", {}, (404, "staff.not_found")),
        (boss, "POST", "/roles", {"code": "x", "name": "X", "permissions": ["no dot"]}, (400, "request.invalid")),
        (manager, "PUT", f"/staff/{owner.id}/password", {"password": PASSWORD}, (403, "staff.not_yours_to_grant")),
        (
            manager,
            "POST",
            "/roles",
            {"code": "x", "name": "X", "permissions": ["*"]},
            (403, "staff.not_yours_to_grant"),
        ),
    ):
        answer = await client.request(method, V1 + path, json=body)

        assert (answer.status_code, answer.json()["code"]) == expected, answer.text


async def test_a_person_changes_their_own_password(mall: Mall, client: httpx.AsyncClient) -> None:
    await service.create_staff(mall, "chen", name="Chen", password=PASSWORD)
    token, _ = await service.sign_in(mall, "chen", PASSWORD)
    mine = {"authorization": f"Bearer {token}"}

    wrong = await client.post(f"{V1}/me/password", json={"present": "x", "new": "another pass phrase"}, headers=mine)
    right = await client.post(
        f"{V1}/me/password", json={"present": PASSWORD, "new": "another pass phrase"}, headers=mine
    )

    assert (wrong.status_code, wrong.json()["code"]) == (400, "staff.password_wrong")
    assert right.status_code == 204
    assert (await client.get(f"{V1}/me", headers=mine)).json()["login"] == "chen"


async def test_staff_of_a_store_do_not_see_the_people_of_another(mall: Mall, admin: Admin) -> None:
    here, there = await builders.a_store(mall), await builders.a_store(mall)
    manager = admin(await builders.a_staff(mall, permissions=("staff.read", "staff.write"), stores=(here.id,)))
    other = await builders.a_staff(mall, stores=(there.id,))

    for method, path in (("GET", ""), ("PATCH", ""), ("PUT", "/password")):
        answer = await manager.request(
            method, f"{V1}/staff/{other.staff_id}{path}", json={"password": PASSWORD} if path else {}
        )
        assert (answer.status_code, answer.json()["code"]) == (404, "staff.not_found"), method


class Ranks:
    @hookimpl
    async def extend_members(self, ids: Sequence[int]) -> Mapping[int, object]:
        return {i: {"rank": "gold"} for i in ids}


async def test_members_are_listed_in_pages_with_what_plugins_add(
    make_mall: Callable[..., Awaitable[Mall]], admin: Admin
) -> None:
    mall = await make_mall(extra={"ranks": Ranks()})
    staff = admin(await builders.a_staff(mall, permissions=("members.read",), stores=None))
    made = [await builders.a_member(mall) for _ in range(3)]

    first = (await staff.get(f"{V1}/members", params={"limit": 2})).json()
    second = (await staff.get(f"{V1}/members", params={"limit": 2, "cursor": first["next_cursor"]})).json()

    shown = [row["member"]["id"] for row in first["items"] + second["items"]]
    assert shown == [m.id for m in reversed(made)]
    assert second["next_cursor"] is None
    assert first["items"][0]["extra"] == {"ranks": {"rank": "gold"}}


async def test_a_member_is_blocked_within_the_scope_only(mall: Mall, admin: Admin) -> None:
    here, there = await builders.a_store(mall), await builders.a_store(mall)
    staff = admin(await builders.a_staff(mall, permissions=("members.read", "members.write"), stores=(here.id,)))
    mine = await builders.a_member(mall, source_store_id=here.id)
    other = await builders.a_member(mall, source_store_id=there.id)
    body = {"to": "blocked", "reason": "fraud"}

    refused = await staff.put(f"{V1}/members/{other.id}/state", json=body)
    blocked = await staff.put(f"{V1}/members/{mine.id}/state", json=body)

    assert (refused.status_code, refused.json()["code"]) == (404, "members.not_found")
    assert blocked.json()["member"]["state"] == "blocked"
    assert (
        await db.value("SELECT count(*) FROM audit_entry WHERE action = 'member.block' AND store_id = $1", here.id) == 1
    )


async def test_the_audit_trail_reads_moments_without_a_zone_as_utc(mall: Mall, admin: Admin) -> None:
    staff = admin(await builders.a_staff(mall, permissions=("audit.read",), stores=None))
    await service.create_staff(mall, "chen", name="Chen", password=PASSWORD)  # at 10:00 in Shanghai, 02:00 UTC

    async def found(**params: str) -> int:
        answer = await staff.get(f"{V1}/audit", params=params)
        assert answer.status_code == 200, answer.text
        return len(answer.json()["items"])

    assert await found(since="2026-11-21T10:00:00+08:00") == 1
    assert await found(since="2026-11-21T02:00:00") == 1
    assert await found(since="2026-11-21T02:00:01Z") == 0
    assert await found(until="2026-11-21T02:00:00") == 0
    assert (await staff.get(f"{V1}/audit", params={"since": "yesterday"})).status_code == 400


async def test_ids_that_cannot_be_are_refused(mall: Mall, admin: Admin) -> None:
    boss = admin(await service.create_owner(mall, "boss", PASSWORD))

    for path in (f"/audit?actor_id={2**64}", f"/audit?store_id={2**64}", f"/members?store_id={2**64}"):
        assert (await boss.get(V1 + path)).status_code == 400, path
    answer = await boss.post(
        f"{V1}/staff", json={"login": "chen", "name": "X", "password": PASSWORD, "store_ids": [2**64]}
    )
    assert answer.status_code == 400
