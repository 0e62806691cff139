"""Write plans: any number of products in a handful of statements. Everything here must run inside a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg
import msgspec

from core import db
from core.catalog.changes import products_changed
from core.catalog.errors import CategoryNotFound, ChangedMeanwhile, HandleTaken, SkuCodeTaken
from core.catalog.plans import Plan
from core.catalog.types import Attributes, Image, Option
from core.events import audit
from core.kernel.mall import Mall
from core.kernel.origin import Actor

_COLUMNS = (
    "handle, title, description_html, brand, category_id, tags, options, images, state, listing, sort, min_price_fen, "
    "max_price_fen, min_per_order, max_per_order, max_per_member, search_text, extra"
)
_ROWS = """jsonb_to_recordset($1::jsonb) AS d(id bigint, version int, handle text, title text, description_html text,
    brand text, category_id bigint, tags text[], options jsonb, images jsonb, state text, listing text, sort int,
    min_price_fen bigint, max_price_fen bigint, min_per_order int, max_per_order int, max_per_member int,
    search_text text, extra jsonb)"""
_INSERT = f"""INSERT INTO product ({_COLUMNS}, version, created_at, updated_at)
    SELECT {_COLUMNS}, 1, $2, $2 FROM {_ROWS} ON CONFLICT (handle) DO NOTHING RETURNING id, handle"""  # noqa: S608 - constants
_UPDATE = f"""UPDATE product p SET ({_COLUMNS}, version, updated_at)
    = ({", ".join("d." + c.strip() for c in _COLUMNS.split(","))}, p.version + 1, $2)
    FROM {_ROWS} WHERE p.id = d.id AND p.version = d.version RETURNING p.id"""  # noqa: S608 - constants
_RETIRE = "UPDATE sku SET active = false WHERE id = ANY($1::bigint[])"
_SKU_COLUMNS = (
    "options, price_fen, compare_at_fen, barcode, weight_g, image_url, position, active, tracked, backorder, extra"
)
_SKUS = f"""INSERT INTO sku AS s (product_id, code, {_SKU_COLUMNS})
    SELECT product_id, code, {_SKU_COLUMNS} FROM jsonb_to_recordset($1::jsonb) AS d(
        product_id bigint, code text, options jsonb, price_fen bigint, compare_at_fen bigint, barcode text,
        weight_g int, image_url text, position int, active boolean, tracked boolean, backorder boolean, extra jsonb)
    ON CONFLICT (code) DO UPDATE SET ({_SKU_COLUMNS})
        = ({", ".join("excluded." + c.strip() for c in _SKU_COLUMNS.split(","))})
        WHERE s.product_id = excluded.product_id
    RETURNING s.id, s.product_id, s.code"""  # noqa: S608 - constants


class _ProductRow(msgspec.Struct, frozen=True, kw_only=True):
    id: int | None
    version: int
    handle: str
    title: str
    description_html: str
    brand: str
    category_id: int | None
    tags: tuple[str, ...]
    options: tuple[Option, ...]
    images: tuple[Image, ...]
    state: str
    listing: str
    sort: int
    min_price_fen: int
    max_price_fen: int
    min_per_order: int
    max_per_order: int
    max_per_member: int
    search_text: str
    extra: Attributes


class _SkuRow(msgspec.Struct, frozen=True, kw_only=True):
    product_id: int
    code: str
    options: tuple[str, ...]
    price_fen: int
    compare_at_fen: int | None
    barcode: str
    weight_g: int
    image_url: str
    position: int
    active: bool
    tracked: bool
    backorder: bool
    extra: Attributes


async def write(mall: Mall, plans: Sequence[Plan], actor: Actor) -> dict[str, int]:
    """Write ``plans`` with their events and audit rows, and return the ids of the products by handle.

    Raises ``HandleTaken``, ``SkuCodeTaken``, ``CategoryNotFound`` or ``ChangedMeanwhile`` when another product or a
    change of the same moment is in the way; the transaction must then be given up.
    """
    db.assert_transaction()
    if not plans:
        return {}
    try:
        ids = await _write_products(plans, mall.clock.now())
    except asyncpg.ForeignKeyViolationError as exc:
        raise CategoryNotFound(category=", ".join(str(p.draft.category_id) for p in plans[:3])) from exc
    await _write_skus(plans, ids)
    for each in plans:
        audit.record(
            mall, actor, "product.update" if each.known else "product.create", subject_kind="product",
            subject_id=ids[each.draft.handle], before=each.before or None, after=each.after,
        )  # fmt: skip
    products_changed(mall, list(ids.values()), actor)
    return ids


async def _write_products(plans: Sequence[Plan], now: datetime) -> dict[str, int]:
    # By handle, so that two imports of the same new products wait for each other in one order.
    new = sorted((_product_row(p) for p in plans if p.known is None), key=lambda row: row.handle)
    ids: dict[str, int] = {p.draft.handle: p.known.id for p in plans if p.known}
    if new:
        ids |= {r["handle"]: r["id"] for r in await db.rows(_INSERT, db.json(new), now)}
        missing = [r.handle for r in new if r.handle not in ids]
        if missing:
            raise HandleTaken(handle=missing[0])
    old = [_product_row(p) for p in plans if p.known]
    if old:
        try:
            written = await db.rows(_UPDATE, db.json(old), now)
        except asyncpg.UniqueViolationError as exc:
            raise HandleTaken(handle=", ".join(r.handle for r in old[:3])) from exc
        if len(written) < len(old):
            raise ChangedMeanwhile
    return ids


async def _write_skus(plans: Sequence[Plan], ids: dict[str, int]) -> None:
    retired = [sku_id for p in plans for sku_id in p.retired]
    if retired:
        await db.execute(_RETIRE, retired)
    # By code, so that two imports that meet on the same SKUs lock them in one order.
    wanted = sorted((_sku_row(p, n, ids) for p in plans for n in range(len(p.skus))), key=lambda row: row.code)
    if wanted:
        written = {r["code"] for r in await db.rows(_SKUS, db.json(wanted))}
        taken = [row.code for row in wanted if row.code not in written]
        if taken:
            raise SkuCodeTaken(sku=taken[0])


def _product_row(plan: Plan) -> _ProductRow:
    draft, known = plan.draft, plan.known
    return _ProductRow(
        id=known.id if known else None,
        version=known.version if known else 0,
        handle=draft.handle,
        title=draft.title,
        description_html=draft.description_html,
        brand=draft.brand,
        category_id=draft.category_id,
        tags=draft.tags,
        options=draft.options,
        images=draft.images,
        state=plan.state,
        listing=draft.listing,
        sort=draft.sort,
        min_price_fen=plan.prices[0],
        max_price_fen=plan.prices[1],
        min_per_order=draft.min_per_order,
        max_per_order=draft.max_per_order,
        max_per_member=draft.max_per_member,
        search_text=plan.search_text,
        extra=draft.attributes,
    )


def _sku_row(plan: Plan, n: int, ids: dict[str, int]) -> _SkuRow:
    sku = plan.skus[n].sku
    return _SkuRow(
        product_id=ids[plan.draft.handle],
        code=sku.code,
        options=sku.options,
        price_fen=sku.price_fen,
        compare_at_fen=sku.compare_at_fen,
        barcode=sku.barcode,
        weight_g=sku.weight_g,
        image_url=sku.image_url,
        position=plan.skus[n].position,
        active=sku.active,
        tracked=sku.tracked,
        backorder=sku.backorder,
        extra=sku.attributes,
    )
