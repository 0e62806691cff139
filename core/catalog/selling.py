"""What may be sold, for how much, and how much of it: what pricing and placing an order ask."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from core import db
from core.catalog.errors import BelowMinimum, LimitExceeded, MemberLimitExceeded
from core.catalog.queries import LISTED
from core.catalog.types import SellableSku
from core.kernel.errors import Problem
from core.kernel.mall import Mall

_SELLABLE = f"""
SELECT s.id AS sku_id, s.product_id, p.category_id, s.code AS sku_code, p.title, s.options,
       coalesce(nullif(s.image_url, ''), p.images->0->>'url', '') AS image_url,
       coalesce(sp.price_fen, s.price_fen) AS price_fen, s.tracked, s.backorder,
       (p.state = 'active' AND s.active AND {LISTED.replace("$s", "$2")}) AS on_sale,
       p.min_per_order, p.max_per_order, p.max_per_member, s.weight_g
FROM sku s JOIN product p ON p.id = s.product_id
LEFT JOIN store_price sp ON sp.sku_id = s.id AND sp.store_id = $2::bigint
WHERE s.id = ANY($1::bigint[])
"""  # noqa: S608 - constants only


async def sellable(mall: Mall, sku_ids: Collection[int], store_id: int | None) -> dict[int, SellableSku]:
    """Return all that an order must know of these SKUs in this store, by id, in ONE statement.

    SKUs that do not exist are missing; those that cannot be bought there have ``on_sale=False``.
    """
    return {s.sku_id: s for s in await db.fetch(SellableSku, _SELLABLE, list(sku_ids), store_id)}


def limit_problems(
    skus: Mapping[int, SellableSku], quantities: Mapping[int, int], *, bought: Mapping[int, int] | None = None
) -> list[Problem]:
    """Say which purchase limits ``quantities`` (units by SKU id) break. Limits count units of the whole product.

    ``bought`` is what the member already has of each product (by product id); without it only the order counts.
    """
    before = bought or {}
    wanted: dict[int, int] = {}
    for sku_id, quantity in quantities.items():
        wanted[skus[sku_id].product_id] = wanted.get(skus[sku_id].product_id, 0) + quantity
    one_of = {s.product_id: s for s in skus.values()}
    problems: Iterable[Problem | None] = (
        _limit_problem(one_of[product_id], units, before.get(product_id, 0)) for product_id, units in wanted.items()
    )
    return [p for p in problems if p is not None]


def _limit_problem(sku: SellableSku, units: int, bought: int) -> Problem | None:
    facts: dict[str, Any] = {"title": sku.title, "product_id": sku.product_id}
    if units < sku.min_per_order:
        return BelowMinimum(limit=sku.min_per_order, **facts).as_problem()
    if 0 < sku.max_per_order < units:
        return LimitExceeded(limit=sku.max_per_order, **facts).as_problem()
    if sku.max_per_member and units + bought > sku.max_per_member:
        left = max(sku.max_per_member - bought, 0)
        return MemberLimitExceeded(limit=sku.max_per_member, left=left, **facts).as_problem()
    return None
