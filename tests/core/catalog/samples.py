"""Drafts for the tests of the catalog."""

from __future__ import annotations

from typing import Any

from core import db
from core.catalog.types import Option, ProductDraft, SkuDraft
from core.kernel.origin import Actor

STAFF = Actor(kind="staff", id=7, name="Mei")


def latte(**over: Any) -> ProductDraft:
    """Return a drink with two sizes; ``over`` sets fields."""
    values: dict[str, Any] = {
        "handle": "latte",
        "title": "Caffè Latte 拿铁",
        "options": (Option("Size", ("Tall", "Grande")),),
        "skus": (
            SkuDraft(code="LATTE-T", options=("Tall",), price_fen=3000),
            SkuDraft(code="LATTE-G", options=("Grande",), price_fen=3300),
        ),
        "state": "active",
        **over,
    }
    return ProductDraft(**values)


def plain(n: int, **over: Any) -> ProductDraft:
    """Return the n-th product with one SKU."""
    values: dict[str, Any] = {
        "handle": f"p{n}",
        "title": f"Product {n:03d}",
        "skus": (SkuDraft(code=f"P{n}", price_fen=1000 + n),),
        "state": "active",
        **over,
    }
    return ProductDraft(**values)


async def events() -> list[int]:
    """Return the product ids of the events so far, in order."""
    sql = """SELECT (payload->>'product_id')::bigint AS product_id FROM event
        WHERE name = 'catalog.product_changed' ORDER BY id"""
    found = await db.rows(sql)
    return [r["product_id"] for r in found]


async def audited() -> list[str]:
    """Return the actions in the audit trail, in order."""
    return [r["action"] for r in await db.rows("SELECT action FROM audit_entry ORDER BY id")]
