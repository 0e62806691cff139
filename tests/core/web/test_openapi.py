"""The two documents and their pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from core import db

if TYPE_CHECKING:
    from core.kernel.mall import Mall


@pytest.mark.parametrize("face", ["storefront", "admin"])
async def test_the_document_is_valid(api: httpx.AsyncClient, face: str) -> None:
    document = (await api.get(f"/{face}/openapi.json")).json()

    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"].startswith("3.1")
    assert all(re.fullmatch(r"[A-Z][A-Za-z0-9]*", name) for name in document["components"]["schemas"])


async def test_each_face_has_only_its_own(api: httpx.AsyncClient) -> None:
    storefront = (await api.get("/storefront/openapi.json")).json()
    admin = (await api.get("/admin/openapi.json")).json()

    assert set(admin["paths"]) == {"/admin/v1/stores/{store_id}/cups", "/admin/v1/me"}
    assert all(path.startswith("/storefront/v1/") for path in storefront["paths"])
    assert set(admin["components"]["schemas"]) == {"ProblemDocument", "ProblemItem"}


async def test_operations_say_who_may_call_them_and_what_they_refuse(api: httpx.AsyncClient) -> None:
    storefront = (await api.get("/storefront/openapi.json")).json()["paths"]
    make: dict[str, Any] = storefront["/storefront/v1/cups"]["post"]
    listing: dict[str, Any] = storefront["/storefront/v1/cups"]["get"]
    count = (await api.get("/admin/openapi.json")).json()["paths"]["/admin/v1/stores/{store_id}/cups"]["get"]

    def refused(operation: dict[str, Any]) -> set[str]:
        found: set[str] = set()
        for answer in operation["responses"].values():
            found |= set(answer.get("content", {}).get("application/problem+json", {}).get("examples", {}))
        return found

    assert make["security"] == [{"memberSession": []}]
    assert listing["security"] == []
    assert refused(make) == {
        "cups.taken", "request.invalid", "request.unreadable", "request.too_large", "request.key_required",
        "auth.required", "auth.expired", "mall.defect", "mall.database_away",
    }  # fmt: skip
    assert refused(listing) == {"request.invalid", "request.bad_cursor", "mall.defect", "mall.database_away"}
    assert "auth.forbidden" in refused(count)
    assert count["x-permission"] == "cups.read"
    assert "cups.read" in count["description"]
    key = next(p for p in make["parameters"] if p["name"] == "Idempotency-Key")
    assert key["required"] is True
    assert "304" in storefront["/storefront/v1/cups/{cup_id}"]["get"]["responses"]


async def test_structs_are_described(api: httpx.AsyncClient) -> None:
    schemas = (await api.get("/storefront/openapi.json")).json()["components"]["schemas"]

    assert schemas["NewCup"]["description"] == "A cup to be made."
    assert schemas["NewCup"]["properties"]["size_ml"] == {
        "type": "integer", "minimum": 100, "maximum": 1000, "description": "Millilitres.", "examples": [350]
    }  # fmt: skip
    assert schemas["PagedCup"]["properties"]["items"]["items"] == {"$ref": "#/components/schemas/Cup"}


@pytest.mark.parametrize("face", ["storefront", "admin"])
async def test_the_page_loads_nothing_from_elsewhere(api: httpx.AsyncClient, face: str) -> None:
    page = await api.get(f"/{face}/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]

    for link in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert not re.match(r"(https?:)?//", link)
        if not link.startswith("data:"):
            assert (await api.get(f"/{face}/{link}")).status_code == 200
    assert "http" not in (await api.get(f"/{face}/docs/docs.js")).text.replace("openapi", "")


async def test_health_and_readiness(api: httpx.AsyncClient, mall: Mall) -> None:
    assert (await api.get("/healthz")).json() == {"status": "ok"}

    ready = await api.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready"), ready.text

    kept, mall.redis = mall.redis, None
    degraded = await api.get("/readyz")
    mall.redis = kept
    assert (degraded.status_code, degraded.json()["redis"]) == (200, "away")


async def test_a_missing_migration_is_not_ready(api: httpx.AsyncClient) -> None:
    await db.execute("UPDATE migration SET app_name = 'put_away' WHERE app_name = 'mall_orders'")
    try:
        answer = await api.get("/readyz")
    finally:
        await db.execute("UPDATE migration SET app_name = 'mall_orders' WHERE app_name = 'put_away'")

    assert answer.status_code == 503
    assert "mall_orders:" in answer.json()["migrations"]
