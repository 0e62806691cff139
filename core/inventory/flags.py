"""Whether a SKU can be had at all: the only thing about stock that shoppers are shown in lists."""

from __future__ import annotations

from collections.abc import Collection

from core import db
from core.kernel.mall import Mall


async def in_stock(mall: Mall, sku_ids: Collection[int], store_id: int | None = None) -> dict[int, bool]:
    """Say for each SKU whether one unit can be ordered from this store (``None``: from anywhere). One SQL."""
    found = await db.rows(
        "SELECT k.id, NOT k.tracked OR k.backorder OR EXISTS ("
        "SELECT FROM stock s JOIN location l ON l.id = s.location_id WHERE s.sku_id = k.id AND s.on_hand > s.reserved "
        "AND ($2::bigint IS NULL OR l.store_id = $2)) AS free FROM sku k WHERE k.id = ANY($1::bigint[])",
        list(sku_ids),
        store_id,
    )
    return {r["id"]: r["free"] for r in found}
