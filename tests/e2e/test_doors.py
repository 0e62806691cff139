"""Every door of a running mall, found by its OpenAPI documents: who gets in, and that the documents say so."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.e2e.live import ADMIN, SHOP, Live, a_key, ok, wish

pytestmark = pytest.mark.timeout(120)
PROBLEM = "application/problem+json"
OPEN = {
    "storefront": {
        "list_identity_providers", "send_login_code", "sign_in", "list_products", "get_product",
        "get_product_by_handle", "list_categories", "search", "list_stores", "get_store", "list_cities",
        "nearby_stores_list", "nearby_stores_serves",
    },
    "admin": {"sign_in"},
}  # fmt: skip
# What a stranger may send to an address that names somebody else's thing: a body that would do, were it theirs.
BODIES: dict[str, Any] = {
    "change_cart_line": {"qty": 3},
    "change_address": {"name": "贼", "phone": "13900139000", "street": "南京路 2 号"},
    "cancel_order": {"reason": "mine now"},
    "start_payment": {"provider": "pay_at_store"},
}


@dataclass(frozen=True)
class Door:
    face: str
    path: str
    method: str
    operation: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.operation["operationId"])

    @property
    def public(self) -> bool:
        return not self.operation["security"]

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)

    def address(self, values: dict[str, Any] | None = None) -> str:
        """Return the path with its parameters filled; by default with what could well be there."""
        return re.sub(r"{(\w+)}", lambda found: str((values or {}).get(found[1], 1)), self.path)

    def refusals(self, status: int) -> dict[str, Any]:
        response = self.operation["responses"].get(str(status), {})
        return response.get("content", {}).get(PROBLEM, {}).get("examples", {})

    def check_documented(self, answer: httpx.Response) -> None:
        """Every refusal that a client meets must stand in the document, by status and code."""
        assert answer.headers["content-type"] == PROBLEM, (self.name, answer.text)
        code = answer.json()["code"]
        assert code in self.refusals(answer.status_code), (
            f"{self.face} {self.name} does not document {answer.status_code} {code}"
        )


@pytest_asyncio.fixture
async def documents(live: Live) -> dict[str, dict[str, Any]]:
    async with live.client() as client:
        return {face: ok(await client.get(f"/{face}/openapi.json")) for face in ("storefront", "admin")}


@pytest.fixture
def doors(documents: dict[str, dict[str, Any]]) -> list[Door]:
    def found() -> Iterator[Door]:
        for face, document in documents.items():
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    yield Door(face, path, method.upper(), operation)

    return list(found())


@pytest_asyncio.fixture
async def stranger(live: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with live.shopper() as client:
        yield client


async def _all(client: httpx.AsyncClient, doors: list[Door], **more: Any) -> list[tuple[Door, httpx.Response]]:
    gate = asyncio.Semaphore(8)

    async def knock(door: Door) -> tuple[Door, httpx.Response]:
        async with gate:
            return door, await client.request(door.method, door.address(), **more)

    return await asyncio.gather(*(knock(door) for door in doors))


# The documents ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("face", ["storefront", "admin"])
async def test_the_document_is_valid_and_says_what_each_operation_does(documents: dict[str, Any], face: str) -> None:
    document = documents[face]
    OpenAPIV31SpecValidator(document).validate()

    operations = [(path, method, op) for path, found in document["paths"].items() for method, op in found.items()]
    names = [op["operationId"] for _, _, op in operations]
    assert len(names) == len(set(names)) >= 20
    assert [name for name, (_, _, op) in zip(names, operations, strict=True) if len(op.get("summary", "")) < 4] == []
    assert [name for name, (_, _, op) in zip(names, operations, strict=True) if not op.get("tags")] == []
    assert [p for p, _, _ in operations if "/x/" in p] != []  # those of the plugins too


async def test_every_operation_documents_its_refusals(doors: list[Door]) -> None:
    missing: list[str] = []
    for door in doors:
        needed: dict[int, str] = {500: "mall.defect", 503: "mall.database_away"}
        if not door.public:
            needed[401] = "auth.required"
        if "x-permission" in door.operation:
            needed[403] = "auth.forbidden"
        if "requestBody" in door.operation:
            needed[400] = "request.invalid"
        if "/x/" in door.path:
            needed[404] = "plugin.disabled"
        missing += [f"{door.face} {door.name}: {s} {c}" for s, c in needed.items() if c not in door.refusals(s)]
        if door.path.endswith("}") and door.method in {"GET", "PATCH", "DELETE"} and not door.refusals(404):
            missing.append(f"{door.face} {door.name}: no 404")
        for status in door.operation["responses"]:
            for code, example in door.refusals(int(status)).items():
                shown = example["value"]
                if not (shown["code"] == code and str(shown["status"]) == status and example["summary"]):
                    missing.append(f"{door.face} {door.name}: the example of {code}")

    assert missing == []


# Who gets in ------------------------------------------------------------------------------------------------------


async def test_only_these_operations_are_open_to_everybody(doors: list[Door]) -> None:
    for face, names in OPEN.items():
        assert {door.name for door in doors if door.face == face and door.public} == names


async def test_without_a_token_everything_else_is_401(live: Live, doors: list[Door]) -> None:
    closed = [door for door in doors if not door.public]
    async with live.client() as client:
        answers = await _all(client, closed)
    async with live.client("not-a-token") as client:
        answers += await _all(client, closed)

    assert [(d.face, d.name, a.status_code) for d, a in answers if a.status_code != 401] == []
    for door, answer in answers:
        door.check_documented(answer)
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_token_of_one_face_opens_nothing_of_the_other(live: Live, doors: list[Door]) -> None:
    member = await live.sign_in()
    staff = await live.sign_in_staff(live.login)
    answers: list[tuple[Door, httpx.Response]] = []
    for token, face in ((member, "admin"), (staff, "storefront")):
        async with live.client(token) as client:
            answers += await _all(client, [door for door in doors if door.face == face and not door.public])

    assert [(d.face, d.name, a.status_code) for d, a in answers if a.status_code != 401] == []


async def test_open_reads_answer_to_everybody(live: Live, doors: list[Door]) -> None:
    reads = [door for door in doors if door.public and door.method == "GET" and not door.parameters]
    queries = {
        "nearby_stores_list": "?lat=31.23&lng=121.47",
        "nearby_stores_serves": "?lat=31.23&lng=121.47",
        "search": "?q=x",
    }
    async with live.client() as client:
        for door in reads:
            ok(await client.get(door.path + queries.get(door.name, "")))


async def test_staff_without_permissions_are_refused_everywhere(live: Live, doors: list[Door]) -> None:
    login = {"login": f"nobody-{secrets.token_hex(3)}", "password": "a long pass phrase"}
    async with live.staff() as owner:
        ok(await owner.post(f"{ADMIN}/staff", json={**login, "name": "Nobody", "all_stores": True}), 201)
    async with live.client(await live.sign_in_staff(login)) as client:
        answers = await _all(client, [door for door in doors if "x-permission" in door.operation])

    assert len(answers) > 40
    assert [(d.name, a.status_code) for d, a in answers if a.status_code != 403] == []
    for door, answer in answers:
        door.check_documented(answer)


# What belongs to somebody else ------------------------------------------------------------------------------------


async def test_what_belongs_to_another_member_is_not_there(
    live: Live, doors: list[Door], stranger: httpx.AsyncClient
) -> None:
    async with live.shopper() as owner:
        store_id = await live.nearest_store()
        sku_id = await live.goods(store_id, 9)
        ok(await owner.post(f"{SHOP}/cart/lines", json={"sku_id": sku_id, "qty": 1}))
        address = {"name": "小满", "phone": "13800138000", "street": "南京东路 1 号"}
        order = ok(await owner.post(f"{SHOP}/orders", json=wish(sku_id, store_id), headers=a_key()), 201)
        values = {
            "number": order["number"],
            "sku_id": sku_id,
            "address_id": ok(await owner.post(f"{SHOP}/me/addresses", json=address), 201)["id"],
            "session_id": ok(await owner.get(f"{SHOP}/me/sessions"))["items"][0]["id"],
        }
        own = ("/me/addresses", "/me/sessions", "/cart", f"/orders/{order['number']}", "/orders")
        before = [ok(await owner.get(SHOP + path)) for path in own]

        theirs = [door for door in doors if door.face == "storefront" and not door.public and door.parameters]
        assert len(theirs) >= 10
        for door in theirs:
            assert set(door.parameters) <= set(values), f"{door.path}: say here what a member owns of it"
            assert ("requestBody" in door.operation) == (door.name in BODIES), f"{door.name}: say here what to send"
            answer = await stranger.request(door.method, door.address(values), json=BODIES.get(door.name))
            assert answer.status_code == 404, (door.name, answer.status_code, answer.text)
            assert door.refusals(404), door.name
            door.check_documented(answer)

        assert [ok(await owner.get(SHOP + path)) for path in own] == before
    assert ok(await stranger.get(f"{SHOP}/orders"))["items"] == []


async def test_what_belongs_to_another_store_is_not_there_for_its_staff(live: Live, doors: list[Door]) -> None:
    here = await live.nearest_store()
    login = {"login": f"there-{secrets.token_hex(3)}", "password": "a long pass phrase"}
    async with live.staff() as owner, live.shopper() as shopper:
        there = next(s["id"] for s in ok(await shopper.get(f"{SHOP}/stores?limit=5"))["items"] if s["id"] != here)
        everything = [p["name"] for p in ok(await owner.get(f"{ADMIN}/permissions"))["items"]]
        role = {"code": login["login"], "name": "Everything", "permissions": everything}
        ok(await owner.post(f"{ADMIN}/roles", json=role), 201)
        person = {**login, "name": "There", "roles": [role["code"]], "store_ids": [there]}
        ok(await owner.post(f"{ADMIN}/staff", json=person), 201)

        sku_id = await live.goods(here, 5)
        order = ok(await shopper.post(f"{SHOP}/orders", json=wish(sku_id, here), headers=a_key()), 201)
        number, due = order["number"], order["payable_fen"]
        ok(await shopper.post(f"{SHOP}/orders/{number}/payments", json={"provider": "pay_at_store"}), 201)

        async with live.client(await live.sign_in_staff(login)) as staff:
            bodies = {
                "cancel_order": {"reason": "not mine"},
                "close_payments_by_hand": {"reason": "not mine"},
                "release_hold_by_hand": {"plugin_id": "group", "code": "forming", "reason": "not mine"},
                "pay_at_store_confirm": {"amount_fen": due, "method": "cash"},
            }
            for door in doors:
                if door.face == "admin" and door.parameters == ["number"]:
                    body = bodies.get(door.name) if "requestBody" in door.operation else None
                    answer = await staff.request(door.method, door.address({"number": number}), json=body)
                    assert answer.status_code == 404, (door.name, answer.status_code, answer.text)
                    door.check_documented(answer)
            lists = ("orders", f"orders?store_id={here}", f"orders?number={number}", f"inventory/stock?sku_id={sku_id}")
            for path in (*lists, f"inventory/moves?sku_id={sku_id}"):
                assert ok(await staff.get(f"{ADMIN}/{path}"))["items"] == [], path
            receipt = {"sku_id": sku_id, "store_id": here, "qty": 1}
            refused = await staff.post(f"{ADMIN}/inventory/receipts", json=receipt, headers=a_key())
            assert refused.status_code in (403, 404), refused.text

            confirm = f"{ADMIN}/x/pay_at_store/orders/{number}/confirm"
            ok(await owner.post(confirm, json=bodies["pay_at_store_confirm"]))
            code = ok(await shopper.get(f"{SHOP}/orders/{number}/pickup-code"))["code"]
            for door in doors:
                if door.name in ("verify_pickup", "look_up_pickup"):
                    answer = await staff.post(door.path, json={"code": code})
                    assert answer.status_code in (403, 404), answer.text
                    door.check_documented(answer)
        assert ok(await shopper.get(f"{SHOP}/orders/{number}"))["status"] == "paid"
    assert await live.stock(sku_id) == (5, 1)
