"""Make and change products, one at a time, by people. Many at once: ``upserts.py``."""

from __future__ import annotations

import msgspec
from msgspec import UNSET

from core import db
from core.catalog import queries
from core.catalog.changes import products_changed
from core.catalog.drafts import clean
from core.catalog.errors import ChangedMeanwhile, NothingToSell, StateRefused
from core.catalog.plans import MOVES, plan, product_draft
from core.catalog.types import ProductChanges, ProductDraft, ProductState, ProductView
from core.catalog.writing import write
from core.events import audit
from core.kernel.mall import Mall
from core.kernel.origin import Actor

_MOVE = """UPDATE product p SET state = $2, version = version + 1, updated_at = $5
    WHERE id = $1 AND version = $3 AND state = ANY($4::text[])
    AND ($2 <> 'active' OR EXISTS (SELECT FROM sku s WHERE s.product_id = p.id AND s.active)) RETURNING id"""


async def create_product(mall: Mall, draft: ProductDraft, *, actor: Actor) -> ProductView:
    """Make a product; raises ``ProductInvalid``, ``HandleTaken``, ``SkuCodeTaken`` or ``CategoryNotFound``."""
    cleaned = clean(draft)
    wanted = plan(cleaned, None)
    assert wanted is not None
    async with db.transaction():
        ids = await write(mall, [wanted], actor)
        return await queries.get_product(mall, ids[cleaned.handle])


async def update_product(
    mall: Mall, product_id: int, changes: ProductChanges, *, version: int, actor: Actor
) -> ProductView:
    """Change what ``changes`` names, if the product is still the one that was read (``version``).

    Raises ``ChangedMeanwhile`` when it is not, and the refusals of ``create_product``. Changes that change nothing
    write nothing.
    """
    async with db.transaction():
        known = await queries.get_product(mall, product_id)
        if known.version != version:
            raise ChangedMeanwhile
        given = {
            name: value for name in ProductChanges.__struct_fields__ if (value := getattr(changes, name)) is not UNSET
        }
        draft = clean(msgspec.structs.replace(product_draft(known), **given))
        wanted = plan(draft, known, keep_skus=changes.skus is UNSET)
        if wanted is None:
            return known
        await write(mall, [wanted], actor)
        return await queries.get_product(mall, product_id)


async def change_state(mall: Mall, product_id: int, to: ProductState, *, version: int, actor: Actor) -> ProductView:
    """Publish (``active``), withdraw (``draft``) or archive a product, if it is still the one that was read.

    Raises ``ChangedMeanwhile``, ``StateRefused`` (see ``plans.MOVES``), or ``NothingToSell`` for a product without an
    active SKU. To the state that it already has: nothing is written.
    """
    async with db.transaction():
        known = await queries.get_product(mall, product_id)
        if known.version == version and known.state == to:
            return known
        moved = await db.value(_MOVE, product_id, to, version, list(MOVES[to]), mall.clock.now())
        if moved is None:
            if known.version != version:
                raise ChangedMeanwhile
            if known.state not in MOVES[to]:
                raise StateRefused(source=known.state, to=to)
            raise NothingToSell if not any(s.active for s in known.skus) else ChangedMeanwhile
        audit.record(
            mall, actor, f"product.{to}", subject_kind="product", subject_id=product_id,
            before={"state": known.state}, after={"state": to},
        )  # fmt: skip
        products_changed(mall, [product_id], actor)
        return await queries.get_product(mall, product_id)
