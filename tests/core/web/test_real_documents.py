"""The documents of the whole mall: a client made from them accepts what the mall accepts."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator, ValidationError


async def schema_of(client: httpx.AsyncClient, face: str, name: str) -> Draft202012Validator:
    document = (await client.get(f"/{face}/openapi.json")).json()
    return Draft202012Validator({**document, "$ref": f"#/components/schemas/{name}"})


WISH = {"lines": [{"sku_id": 1, "qty": 1}], "store_id": 1, "expected_total_fen": 100}


async def test_the_schema_of_an_order_takes_an_order(client: httpx.AsyncClient) -> None:
    (await schema_of(client, "storefront", "Submit")).validate(WISH)


@pytest.mark.parametrize(
    "wrong", [{"lines": ["rubbish"]}, {"lines": [{"sku_id": 1}]}, {"expected_total_fen": "1"}, {"colour": "red"}]
)
async def test_the_schema_of_an_order_refuses_rubbish(client: httpx.AsyncClient, wrong: dict[str, Any]) -> None:
    validator = await schema_of(client, "storefront", "Submit")

    with pytest.raises(ValidationError):
        validator.validate({**WISH, **wrong})


@pytest.mark.parametrize("face", ["storefront", "admin"])
async def test_no_list_takes_anything_at_all(client: httpx.AsyncClient, face: str) -> None:
    document = (await client.get(f"/{face}/openapi.json")).json()

    def loose(value: Any, at: str) -> list[str]:
        if isinstance(value, dict):
            here = [at] if "oneOf" in value and {} in value["oneOf"] else []
            return here + [found for k, v in value.items() for found in loose(v, f"{at}.{k}")]
        if isinstance(value, list):
            return [found for i, v in enumerate(value) for found in loose(v, f"{at}[{i}]")]
        return []

    assert loose(document["components"], "components") == []


@pytest.mark.parametrize("odd", ["+1", "01", "1_0", "%201", "%EF%BC%91"])
async def test_an_id_has_one_spelling(client: httpx.AsyncClient, odd: str) -> None:
    assert (await client.get(f"/storefront/v1/products/{odd}")).json()["code"] == "request.no_route"
