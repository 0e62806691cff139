"""What one store lists or prices differently."""

from __future__ import annotations

from collections.abc import Mapping

import asyncpg

from core import db
from core.catalog.changes import products_changed
from core.catalog.errors import ProductInvalid, ProductNotFound, SkuNotFound, StoreUnknown
from core.catalog.queries import product_ids_of
from core.catalog.types import MAX_PRICE_FEN
from core.events import audit
from core.kernel.errors import Problem
from core.kernel.i18n import Text
from core.kernel.mall import Mall
from core.kernel.origin import Actor

_LIST = """INSERT INTO store_listing (product_id, store_id, listed)
    SELECT $1, store_id, listed FROM unnest($2::bigint[], $3::boolean[]) AS l(store_id, listed)
    ON CONFLICT (product_id, store_id) DO UPDATE SET listed = excluded.listed
    WHERE store_listing.listed <> excluded.listed RETURNING store_id"""
_UNLIST = "DELETE FROM store_listing WHERE product_id = $1 AND store_id = ANY($2::bigint[]) RETURNING store_id"
_PRICE = """INSERT INTO store_price (sku_id, store_id, price_fen)
    SELECT sku_id, $1, price_fen FROM unnest($2::bigint[], $3::bigint[]) AS p(sku_id, price_fen)
    ON CONFLICT (sku_id, store_id) DO UPDATE SET price_fen = excluded.price_fen
    WHERE store_price.price_fen <> excluded.price_fen RETURNING sku_id"""
_UNPRICE = "DELETE FROM store_price WHERE store_id = $1 AND sku_id = ANY($2::bigint[]) RETURNING sku_id"


async def set_store_listings(mall: Mall, product_id: int, listings: Mapping[int, bool | None], *, actor: Actor) -> None:
    """Say in which stores the product is listed (``True``) or not (``False``) whatever its ``listing``; ``None`` takes
    the exception away. Raises ``ProductNotFound`` or ``StoreUnknown``; what is so already writes nothing.
    """
    stores = sorted(listings)  # one lock order for two calls at once
    set_ = [s for s in stores if listings[s] is not None]
    async with db.transaction():
        if await db.value("SELECT id FROM product WHERE id = $1 FOR KEY SHARE", product_id) is None:
            raise ProductNotFound
        try:
            touched = await db.rows(_LIST, product_id, set_, [listings[s] for s in set_])
        except asyncpg.ForeignKeyViolationError as exc:
            raise StoreUnknown from exc
        touched += await db.rows(_UNLIST, product_id, [s for s in stores if listings[s] is None])
        for row in touched:
            store_id: int = row["store_id"]
            audit.record(
                mall, actor, "product.list_in_store", subject_kind="product", subject_id=product_id, store_id=store_id,
                after={"listed": listings[store_id]},
            )  # fmt: skip
        if touched:
            products_changed(mall, [product_id], actor)


async def set_store_prices(mall: Mall, store_id: int, prices: Mapping[int, int | None], *, actor: Actor) -> None:
    """Set what SKUs (by id) cost in one store, in fen; ``None`` goes back to the SKU's own price.

    Raises ``SkuNotFound``, ``StoreUnknown`` or ``ProductInvalid`` (a price out of range); prices that are so already
    write nothing.
    """
    if any(price is not None and not 0 <= price <= MAX_PRICE_FEN for price in prices.values()):
        sentence = Text("价格超出范围", "the price is out of range")
        raise ProductInvalid(handle="", problems=[Problem(code="catalog.price_invalid", message=sentence)])
    skus = sorted(prices)
    set_ = [s for s in skus if prices[s] is not None]
    async with db.transaction():
        products = await product_ids_of(mall, skus)
        unknown = [s for s in skus if s not in products]
        if unknown:
            raise SkuNotFound(sku=unknown[0])
        try:
            touched = await db.rows(_PRICE, store_id, set_, [prices[s] for s in set_])
        except asyncpg.ForeignKeyViolationError as exc:
            raise StoreUnknown from exc
        touched += await db.rows(_UNPRICE, store_id, [s for s in skus if prices[s] is None])
        for row in touched:
            sku_id: int = row["sku_id"]
            audit.record(
                mall, actor, "sku.price_in_store", subject_kind="sku", subject_id=sku_id, store_id=store_id,
                after={"price_fen": prices[sku_id]},
            )  # fmt: skip
        if touched:
            products_changed(mall, sorted({products[row["sku_id"]] for row in touched}), actor)
