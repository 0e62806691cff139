"""Read products: one, many, a page of a list. Every function is one statement."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Annotated, Any

from msgspec import Meta

from core import db
from core.catalog.drafts import line, plain
from core.catalog.errors import ProductNotFound
from core.catalog.types import ProductCard, ProductFilter, ProductSort, ProductView, StoreListingView, StorePriceView
from core.kernel.mall import Mall

# $s stands for the store's parameter. "selected" products are listed only where a row says so; with no store (NULL)
# an "everywhere" product is listed and a "selected" one is not.
LISTED = """(CASE p.listing
    WHEN 'everywhere' THEN NOT EXISTS (
        SELECT FROM store_listing l WHERE l.product_id = p.id AND l.store_id = $s AND NOT l.listed)
    ELSE EXISTS (SELECT FROM store_listing l WHERE l.product_id = p.id AND l.store_id = $s AND l.listed) END)"""

_VIEW = """
SELECT p.id, p.handle, p.title, p.description_html, p.brand, p.category_id, p.tags, p.options, p.images, p.state,
       p.listing, p.sort, p.min_price_fen, p.max_price_fen, p.min_per_order, p.max_per_order, p.max_per_member,
       p.extra AS attributes, p.version, p.created_at, p.updated_at,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
            'id', s.id, 'product_id', s.product_id, 'code', s.code, 'options', s.options,
            'price_fen', coalesce(sp.price_fen, s.price_fen), 'compare_at_fen', s.compare_at_fen, 'barcode', s.barcode,
            'weight_g', s.weight_g, 'image_url', s.image_url, 'position', s.position, 'active', s.active,
            'tracked', s.tracked, 'backorder', s.backorder, 'attributes', s.extra)
            ORDER BY s.position, s.id), '[]'::jsonb)
        FROM sku s LEFT JOIN store_price sp ON sp.sku_id = s.id AND sp.store_id = $2
        WHERE s.product_id = p.id AND (s.active OR NOT $3)) AS skus
FROM product p
"""  # $2 store, $3 only SKUs on sale

_ORDER: dict[ProductSort, tuple[tuple[str, ...], str]] = {
    "default": (("p.sort", "p.id"), "ASC"),
    "newest": (("p.id",), "DESC"),
    "price_asc": (("p.min_price_fen", "p.id"), "ASC"),
    "price_desc": (("p.min_price_fen", "p.id"), "DESC"),
    "title": (("p.title", "p.id"), "ASC"),
}
_WORDS = 5
_Key = Annotated[int, Meta(ge=-(2**63) + 1, le=2**63 - 1)]  # what fits a bigint


async def get_product(mall: Mall, product_id: int) -> ProductView:
    """Return a product in any state with all its SKUs; raises ``ProductNotFound``."""
    found = await db.fetch_one(ProductView, f"{_VIEW} WHERE p.id = $1", product_id, None, False)
    if found is None:
        raise ProductNotFound
    return found


async def get_product_by_handle(mall: Mall, handle: str) -> ProductView:
    """Return a product in any state with all its SKUs; raises ``ProductNotFound``."""
    found = await db.fetch_one(ProductView, f"{_VIEW} WHERE p.handle = $1", line(handle).lower(), None, False)
    if found is None:
        raise ProductNotFound
    return found


async def products_by_ids(mall: Mall, product_ids: Collection[int]) -> dict[int, ProductView]:
    """Return the products that exist, by id, with all their SKUs."""
    found = await db.fetch(ProductView, f"{_VIEW} WHERE p.id = ANY($1::bigint[])", list(product_ids), None, False)
    return {p.id: p for p in found}


async def shown_product(mall: Mall, product: int | str, *, store_id: int | None = None) -> ProductView:
    """Return what shoppers see of a product (by id or handle): its SKUs on sale at the store's prices.

    Raises ``ProductNotFound`` for one that is not active, or not listed in that store.
    """
    where = "p.id = $1" if isinstance(product, int) else "p.handle = $1"
    listed = "" if store_id is None else "AND " + LISTED.replace("$s", "$2")
    key = product if isinstance(product, int) else line(product).lower()
    sql = f"{_VIEW} WHERE {where} AND p.state = 'active' {listed}"
    found = await db.fetch_one(ProductView, sql, key, store_id, True)
    if found is None:
        raise ProductNotFound
    return found


async def list_products(
    mall: Mall,
    wanted: ProductFilter,
    *,
    sort: ProductSort = "default",
    after: Sequence[int | str] | None = None,
    limit: int = 20,
) -> list[ProductCard]:
    """Return at most ``limit`` products after the key ``after`` (see ``cursor_key``), in the order of ``sort``."""
    sql, args = list_statement(wanted, sort=sort, after=after, limit=limit)
    return await db.fetch(ProductCard, sql, *args)


def cursor_key(sort: ProductSort) -> Callable[[ProductCard], tuple[int | str, ...]]:
    """Return the function that makes a card's key in the order of ``sort``."""
    if sort == "newest":
        return lambda card: (card.id,)
    if sort == "title":
        return lambda card: (card.title, card.id)
    if sort == "default":
        return lambda card: (card.sort, card.id)
    return lambda card: (card.base_price_fen, card.id)


def cursor_type(sort: ProductSort) -> Any:
    """Return the tuple type of the keys in the order of ``sort``."""
    return tuple[str, _Key] if sort == "title" else tuple[_Key] if sort == "newest" else tuple[_Key, _Key]


def list_statement(
    wanted: ProductFilter, *, sort: ProductSort, after: Sequence[int | str] | None, limit: int
) -> tuple[str, list[object]]:
    """Build the statement of ``list_products``: the page by index first, then the SKUs of that page only."""
    args: list[object] = [wanted.store_id]

    def arg(value: object) -> str:
        args.append(value)
        return f"${len(args)}"

    # A literal, so that the partial indexes of active products fit whatever plan is cached.
    where = ["p.state = 'active'" if wanted.states == ("active",) else f"p.state = ANY({arg(list(wanted.states))})"]
    if wanted.store_id is not None:
        where.append(LISTED.replace("$s", "$1"))
    if wanted.category_id is not None:
        where.append(f"p.category_id = ANY(ARRAY({_below(arg(wanted.category_id))}))")
    if wanted.tag is not None:
        where.append(f"p.tags @> ARRAY[{arg(line(wanted.tag))}]::varchar[]")
    if wanted.price_from_fen is not None:
        where.append(f"p.max_price_fen >= {arg(wanted.price_from_fen)}")
    if wanted.price_to_fen is not None:
        where.append(f"p.min_price_fen <= {arg(wanted.price_to_fen)}")
    where += [f"p.search_text LIKE {arg(pattern)}" for pattern in patterns(wanted.q)]
    columns, way = _ORDER[sort]
    if after is not None:
        keys = ", ".join(arg(line(key)) if isinstance(key, str) else f"{arg(key)}::bigint" for key in after)
        where.append(f"({', '.join(columns)}) {'>' if way == 'ASC' else '<'} ({keys})")
    order = ", ".join(f"{column} {way}" for column in columns)
    sql = f"""
        WITH p AS (SELECT * FROM product p WHERE {" AND ".join(where)} ORDER BY {order} LIMIT {arg(limit)})
        SELECT p.id, p.handle, p.title, p.brand, p.category_id, p.tags, coalesce(p.images->0->>'url', '') AS image_url,
               coalesce(k.low, p.min_price_fen) AS min_price_fen, coalesce(k.high, p.max_price_fen) AS max_price_fen,
               p.min_price_fen AS base_price_fen, p.state, p.listing, p.sort, p.version, p.updated_at,
               coalesce(k.ids, '{{}}') AS sku_ids
        FROM p LEFT JOIN LATERAL (
            SELECT min(coalesce(sp.price_fen, s.price_fen)) AS low, max(coalesce(sp.price_fen, s.price_fen)) AS high,
                   array_agg(s.id ORDER BY s.position, s.id) AS ids
            FROM sku s LEFT JOIN store_price sp ON sp.sku_id = s.id AND sp.store_id = $1::bigint
            WHERE s.product_id = p.id AND s.active) k ON true
        ORDER BY {order}"""  # noqa: S608 - columns are ours, values are parameters
    return sql, args


def patterns(q: str) -> list[str]:
    """Return a LIKE pattern for each word of a search (the first five)."""
    escaped = plain(q).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return [f"%{word}%" for word in escaped.split()[:_WORDS]]


def _below(category: str) -> str:
    return f"""WITH RECURSIVE below AS (
        SELECT {category}::bigint AS id UNION ALL SELECT c.id FROM category c JOIN below ON c.parent_id = below.id)
        SELECT id FROM below"""  # noqa: S608 - a parameter's name


async def product_ids_of(mall: Mall, sku_ids: Collection[int]) -> dict[int, int]:
    """Return the product of each SKU that exists."""
    found = await db.rows("SELECT id, product_id FROM sku WHERE id = ANY($1::bigint[])", list(sku_ids))
    return {r["id"]: r["product_id"] for r in found}


async def store_listings(mall: Mall, product_id: int) -> list[StoreListingView]:
    """Return the stores where a product departs from its ``listing``."""
    sql = "SELECT product_id, store_id, listed FROM store_listing WHERE product_id = $1 ORDER BY store_id"
    return await db.fetch(StoreListingView, sql, product_id)


async def store_prices(mall: Mall, product_id: int) -> list[StorePriceView]:
    """Return the prices that stores have of their own for a product's SKUs."""
    sql = """SELECT sp.sku_id, s.code AS sku_code, sp.store_id, sp.price_fen
        FROM store_price sp JOIN sku s ON s.id = sp.sku_id WHERE s.product_id = $1
        ORDER BY sp.store_id, s.position, s.id"""
    return await db.fetch(StorePriceView, sql, product_id)
