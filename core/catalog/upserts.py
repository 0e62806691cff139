"""Bring many products to what drafts say, as importers need it: few statements, all or nothing for each product."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core import db
from core.catalog.drafts import clean
from core.catalog.errors import CategoryNotFound, ProductInvalid, SkuCodeTaken
from core.catalog.plans import Plan, plan
from core.catalog.queries import products_by_ids
from core.catalog.types import ProductDraft, ProductView, UpsertResult
from core.catalog.writing import write
from core.kernel.errors import MallError, Problem
from core.kernel.i18n import Text
from core.kernel.mall import Mall
from core.kernel.origin import Actor


async def upsert_products(mall: Mall, drafts: Sequence[ProductDraft], *, actor: Actor) -> list[UpsertResult]:
    """Make each product as its draft says, found by handle, and tell for each what became of it, in their order.

    A draft that breaks a rule is refused alone. One that changes nothing writes nothing: no version, no event.
    SKUs that a draft no longer names are taken off sale. One transaction, at most eight statements for all: hand
    over some hundreds at a time. Raises ``HandleTaken``, ``SkuCodeTaken`` or ``ChangedMeanwhile``, with nothing
    written, if somebody makes the same things at the same moment.
    """
    async with db.transaction():
        return await upsert_in_transaction(mall, drafts, actor=actor)


async def upsert_in_transaction(mall: Mall, drafts: Sequence[ProductDraft], *, actor: Actor) -> list[UpsertResult]:
    """Do what ``upsert_products`` does as a part of the caller's transaction."""
    db.assert_transaction()
    ready, results = _cleaned(drafts)
    known = await _locked(mall, [d.handle for d in ready.values()])
    owners = await _owners(code for d in ready.values() for code in (s.code for s in d.skus))
    categories = await _categories({d.category_id for d in ready.values() if d.category_id is not None})
    claimed: dict[str, str] = {}
    plans: dict[int, Plan] = {}
    for place, draft in ready.items():
        there = known.get(draft.handle)
        try:
            _refuse(draft, there, owners, claimed, categories)
            wanted = plan(draft, there)
        except MallError as refusal:
            results[place] = _refused(draft, [refusal.as_problem()])
            continue
        claimed.update((s.code, draft.handle) for s in draft.skus)
        if wanted is not None:
            plans[place] = wanted
    ids = await write(mall, list(plans.values()), actor)
    skus = await _sku_ids([*ids.values(), *(p.id for p in known.values())])
    for place, draft in ready.items():
        if place not in results:
            there = known.get(draft.handle)
            product_id = there.id if there else ids[draft.handle]
            results[place] = UpsertResult(
                handle=draft.handle,
                outcome="unchanged" if place not in plans else "updated" if there else "created",
                product_id=product_id,
                sku_ids={s.code: skus[product_id][s.code] for s in draft.skus},
            )
    return [results[place] for place in range(len(drafts))]


def _cleaned(drafts: Sequence[ProductDraft]) -> tuple[dict[int, ProductDraft], dict[int, UpsertResult]]:
    """Return the drafts that can be stored and the refusals of the others, by their place in ``drafts``."""
    ready: dict[int, ProductDraft] = {}
    refused: dict[int, UpsertResult] = {}
    handles: set[str] = set()
    for place, draft in enumerate(drafts):
        try:
            cleaned = clean(draft)
        except ProductInvalid as invalid:
            refused[place] = _refused(draft, invalid.problems)
            continue
        if cleaned.handle in handles:
            sentence = Text("同一批中商品标识重复", "the handle is there twice in one batch")
            refused[place] = _refused(draft, [Problem(code="catalog.handle_twice", message=sentence)])
            continue
        handles.add(cleaned.handle)
        ready[place] = cleaned
    return ready, refused


def _refused(draft: ProductDraft, problems: Iterable[Problem]) -> UpsertResult:
    return UpsertResult(handle=draft.handle, outcome="refused", problems=tuple(problems))


def _refuse(
    draft: ProductDraft,
    there: ProductView | None,
    owners: dict[str, int],
    claimed: dict[str, str],
    categories: set[int],
) -> None:
    for sku in draft.skus:
        owner = owners.get(sku.code)
        if sku.code in claimed or (owner is not None and (there is None or owner != there.id)):
            raise SkuCodeTaken(sku=sku.code)
    if draft.category_id is not None and draft.category_id not in categories:
        raise CategoryNotFound(category=draft.category_id)


async def _locked(mall: Mall, handles: Sequence[str]) -> dict[str, ProductView]:
    """Lock the products that exist, by id, and return them by handle.

    Locking and reading are two statements: a statement that waited for a lock would show the product as it is now
    with its SKUs as they were before the wait.
    """
    found = await db.rows("SELECT id FROM product WHERE handle = ANY($1::text[]) ORDER BY id FOR UPDATE", list(handles))
    if not found:
        return {}
    return {p.handle: p for p in (await products_by_ids(mall, [r["id"] for r in found])).values()}


async def _owners(codes: Iterable[str]) -> dict[str, int]:
    found = await db.rows("SELECT code, product_id FROM sku WHERE code = ANY($1::text[])", list(codes))
    return {r["code"]: r["product_id"] for r in found}


async def _categories(ids: set[int]) -> set[int]:
    if not ids:
        return set()
    # Shared with other imports; a category that is being deleted waits for us, or we for it.
    found = await db.rows("SELECT id FROM category WHERE id = ANY($1::bigint[]) ORDER BY id FOR KEY SHARE", list(ids))
    return {r["id"] for r in found}


async def _sku_ids(product_ids: list[int]) -> dict[int, dict[str, int]]:
    ids: dict[int, dict[str, int]] = {product_id: {} for product_id in product_ids}
    for found in await db.rows(
        "SELECT id, product_id, code FROM sku WHERE product_id = ANY($1::bigint[])", product_ids
    ):
        ids[found["product_id"]][found["code"]] = found["id"]
    return ids
