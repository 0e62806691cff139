"""Reading stock. Nothing here locks or writes."""

from __future__ import annotations

from collections.abc import Sequence

from core import db
from core.inventory.types import MoveView, StockView
from core.kernel.mall import Mall


async def available(mall: Mall, sku_ids: Sequence[int], location_id: int) -> dict[int, int | None]:
    """Return how many units of each SKU can be ordered from a location, never below 0.

    ``None``: stock is no limit (not tracked, or on backorder). Unknown SKUs are left out. One SQL.
    """
    found = await db.rows(
        "SELECT k.id, "
        "CASE WHEN k.tracked AND NOT k.backorder THEN greatest(coalesce(s.on_hand - s.reserved, 0), 0) END AS free "
        "FROM sku k LEFT JOIN stock s ON s.sku_id = k.id AND s.location_id = $2 WHERE k.id = ANY($1::bigint[])",
        list(sku_ids),
        location_id,
    )
    return {r["id"]: r["free"] for r in found}


async def stores_in_stock(
    mall: Mall, sku_id: int, *, qty: int = 1, store_ids: Sequence[int] | None = None
) -> set[int] | None:
    """Return the stores where ``qty`` of a SKU can be ordered now; ``None``: everywhere, stock is no limit. One SQL."""
    found = await db.rows(
        "SELECT l.store_id, NOT k.tracked OR k.backorder AS everywhere FROM sku k "
        "LEFT JOIN stock s ON s.sku_id = k.id AND s.on_hand - s.reserved >= $2 AND k.tracked AND NOT k.backorder "
        "LEFT JOIN location l ON l.id = s.location_id AND ($3::bigint[] IS NULL OR l.store_id = ANY($3)) "
        "WHERE k.id = $1",
        sku_id,
        qty,
        list(store_ids) if store_ids is not None else None,
    )
    if found and found[0]["everywhere"]:
        return None
    return {r["store_id"] for r in found if r["store_id"] is not None}


async def list_stock(
    mall: Mall,
    *,
    location_id: int | None = None,
    store_id: int | None = None,
    sku_id: int | None = None,
    product_id: int | None = None,
    at_most: int | None = None,
    scope: Sequence[int] | None = None,
    after_id: int = 0,
    limit: int = 50,
) -> list[StockView]:
    """Return stock rows by id, after ``after_id``; ``at_most`` keeps those with no more than that available.

    ``scope`` (store ids) leaves out everything else, warehouses too.
    """
    return await db.fetch(
        StockView,
        "SELECT s.*, k.code AS sku_code, k.product_id, p.title, l.name AS location_name, l.store_id, "
        "greatest(s.on_hand - s.reserved, 0) AS available "
        "FROM stock s JOIN sku k ON k.id = s.sku_id JOIN product p ON p.id = k.product_id "
        "JOIN location l ON l.id = s.location_id "
        "WHERE s.id > $1 AND ($2::bigint IS NULL OR s.location_id = $2) AND ($3::bigint IS NULL OR s.sku_id = $3) "
        "AND ($4::bigint IS NULL OR k.product_id = $4) AND ($5::int IS NULL OR s.on_hand - s.reserved <= $5) "
        "AND ($6::bigint[] IS NULL OR l.store_id = ANY($6)) AND ($7::bigint IS NULL OR l.store_id = $7) "
        "ORDER BY s.id LIMIT $8",
        after_id,
        location_id,
        sku_id,
        product_id,
        at_most,
        list(scope) if scope is not None else None,
        store_id,
        limit,
    )


async def list_moves(
    mall: Mall,
    *,
    location_id: int | None = None,
    store_id: int | None = None,
    sku_id: int | None = None,
    ref: str | None = None,
    scope: Sequence[int] | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[MoveView]:
    """Return moves, the newest first, before ``before_id``; ``scope`` as in ``list_stock``."""
    return await db.fetch(
        MoveView,
        "SELECT m.*, k.code AS sku_code, l.store_id "
        "FROM stock_move m JOIN sku k ON k.id = m.sku_id JOIN location l ON l.id = m.location_id "
        "WHERE ($1::bigint IS NULL OR m.id < $1) AND ($2::bigint IS NULL OR m.location_id = $2) "
        "AND ($3::bigint IS NULL OR m.sku_id = $3) AND ($4::text IS NULL OR m.ref = $4) "
        "AND ($5::bigint[] IS NULL OR l.store_id = ANY($5)) AND ($6::bigint IS NULL OR l.store_id = $6) "
        "ORDER BY m.id DESC LIMIT $7",
        before_id,
        location_id,
        sku_id,
        ref,
        list(scope) if scope is not None else None,
        store_id,
        limit,
    )
