"""Refusals: the right status, a stable code, a sentence in the caller's language, and nothing secret."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from structlog.testing import capture_logs

from core.kernel import logs

if TYPE_CHECKING:
    from litestar import Litestar

OPEN = "/storefront/v1/open/cups"
JSON = {"Content-Type": "application/json"}


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    found: dict[str, Any] = answer.json()
    assert found["code"] == code
    assert found["type"] == f"urn:mall:{code}"
    assert found["status"] == status
    assert found["request_id"] == answer.headers["x-request-id"]
    assert found["detail"]
    return found


@pytest.mark.parametrize(
    "body", [b"{", b'{"name":', b"\xff\xfe", b'{"name": "\xff"}', b"not json", b'{"a": 1} x'], ids=repr
)
async def test_what_is_not_json_in_utf8_is_unreadable(api: httpx.AsyncClient, body: bytes) -> None:
    problem(await api.post(OPEN, content=body, headers=JSON), 400, "request.unreadable")


async def test_every_wrong_field_is_named_in_both_languages(api: httpx.AsyncClient) -> None:
    body = {"name": "", "lids": [{"colour": "x", "holes": 9}, {"colour": 1}], "price": 3}

    chinese = problem(await api.post(OPEN, json=body), 400, "request.invalid")
    english = problem(await api.post(OPEN, json=body, headers={"Accept-Language": "en-GB"}), 400, "request.invalid")

    assert [(p["details"]["field"], p["code"]) for p in english["problems"]] == [
        ("name", "field.length"),
        ("size_ml", "field.missing"),
        ("lids.0.colour", "field.length"),
        ("lids.0.holes", "field.range"),
        ("lids.1.colour", "field.type"),
        ("price", "field.unknown"),
    ]
    assert english["problems"][0]["message"] == "name: Expected `str` of length >= 1"
    assert chinese["problems"][1]["message"] == "size_ml:缺少字段 size_ml"
    assert chinese["detail"] == "请求内容有误,请检查标出的字段。"


@pytest.mark.parametrize("body", [b"null", b"[]", b"", b'"text"', b"7"])
async def test_a_body_of_another_kind_is_refused(api: httpx.AsyncClient, body: bytes) -> None:
    found = problem(await api.post(OPEN, content=body, headers=JSON), 400, "request.invalid")

    assert found["problems"][0]["code"] == "field.type"


async def test_a_query_parameter_is_named(api: httpx.AsyncClient) -> None:
    found = problem(await api.get("/storefront/v1/cups", params={"least": "many"}), 400, "request.invalid")

    assert found["problems"][0]["details"] == {"field": "least"}


async def test_a_deep_body_does_not_break_anything(api: httpx.AsyncClient) -> None:
    answer = await api.post(OPEN, content=b"[" * 100_000, headers=JSON)

    assert answer.status_code == 400


async def test_unknown_addresses_and_methods(api: httpx.AsyncClient) -> None:
    assert problem(await api.get("/storefront/v1/nothing"), 404, "request.no_route")["details"]["path"]
    assert problem(await api.get("/storefront/v1/cups/abc"), 404, "request.no_route")

    answer = await api.delete("/storefront/v1/cups")

    problem(answer, 405, "request.method")
    assert answer.headers["allow"] == "GET, OPTIONS, POST"


async def test_bodies_are_limited(api: httpx.AsyncClient) -> None:
    found = problem(await api.post(OPEN, content=b'"' + b"x" * 2**20 + b'"', headers=JSON), 413, "request.too_large")
    assert found["details"] == {"limit_bytes": 2**20}

    assert (await api.put("/storefront/v1/cups/photo", content=b"x" * 3 * 2**20)).json() == {"bytes": 3 * 2**20}
    problem(await api.put("/storefront/v1/cups/photo", content=b"x" * (20 * 2**20 + 1)), 413, "request.too_large")


async def test_a_refusal_carries_its_facts_and_reasons(api: httpx.AsyncClient, member_headers: dict[str, str]) -> None:
    headers = {**member_headers, "Idempotency-Key": "key-12345", "Accept-Language": "en"}
    body = {"name": "taken", "size_ml": 300}

    found = problem(await api.post("/storefront/v1/cups", json=body, headers=headers), 409, "cups.taken")

    assert found["detail"] == "The cup taken is taken."
    assert found["details"] == {"cup": "taken"}
    assert found["problems"] == [{"code": "cups.shelf", "message": "shelf full", "details": {}}]


@pytest.mark.parametrize(
    ("name", "status", "code"), [("bug", 500, "mall.defect"), ("database", 503, "mall.database_away")]
)
async def test_a_defect_tells_nothing(
    api: httpx.AsyncClient, member_headers: dict[str, str], name: str, status: int, code: str
) -> None:
    headers = {**member_headers, "Idempotency-Key": "key-12345"}

    answer = await api.post("/storefront/v1/cups", json={"name": name, "size_ml": 300}, headers=headers)

    problem(answer, status, code)
    assert "secret" not in answer.text
    assert "SELECT" not in answer.text
    assert ("retry-after" in answer.headers) == (status == 503)


async def test_a_defect_is_logged_under_its_request_id(api: httpx.AsyncClient, member_headers: dict[str, str]) -> None:
    headers = {**member_headers, "Idempotency-Key": "key-12345", "X-Request-Id": "order-4711"}

    with capture_logs(processors=[logs.add_request]) as lines:
        answer = await api.post("/storefront/v1/cups", json={"name": "bug", "size_ml": 300}, headers=headers)

    assert answer.json()["request_id"] == "order-4711"
    defect = next(line for line in lines if line["event"] == "defect")
    assert defect["request_id"] == "order-4711"
    assert isinstance(defect["exc_info"], RuntimeError)


async def test_too_many_tries_say_when_to_come_back(api: httpx.AsyncClient) -> None:
    for _ in range(3):
        assert (await api.post(OPEN, json={"name": "a", "size_ml": 300})).status_code == 201

    answer = await api.post(OPEN, json={"name": "a", "size_ml": 300})

    problem(answer, 429, "rate.limited")
    assert 1 <= int(answer.headers["retry-after"]) <= 60


@pytest.mark.parametrize("given", ["x", "a b c d e f", "a" * 65, "<script>alert(1)</script>", 'inject"quote9'])
async def test_a_strange_request_id_is_replaced(api: httpx.AsyncClient, given: str) -> None:
    answer = await api.get("/healthz", headers={"X-Request-Id": given})

    assert answer.headers["x-request-id"] != given
    assert len(answer.headers["x-request-id"]) == 16


async def test_the_app_has_no_debug_page(small_app: Litestar) -> None:
    assert small_app.debug is False
    assert logging.getLogger("litestar").handlers == []
