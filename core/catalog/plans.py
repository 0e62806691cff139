"""Compare a cleaned draft with the product as it is: what must be written, if anything. Pure: no database here."""

from __future__ import annotations

import msgspec

from core.catalog.drafts import price_range, search_text
from core.catalog.errors import NothingToSell, StateRefused
from core.catalog.types import ProductDraft, ProductState, ProductView, SkuDraft, SkuView

# From which states a product may come to this one. Archived is kept for old orders and can be brought back.
MOVES: dict[ProductState, frozenset[ProductState]] = {
    "draft": frozenset({"active"}),
    "active": frozenset({"draft", "archived"}),
    "archived": frozenset({"draft", "active"}),
}
_FIELDS = (
    "handle", "title", "description_html", "brand", "category_id", "tags", "options", "images", "listing", "sort",
    "min_per_order", "max_per_order", "max_per_member", "attributes",
)  # fmt: skip
_SKU_FIELDS = tuple(f for f in SkuDraft.__struct_fields__)


class SkuPlan(msgspec.Struct, frozen=True, kw_only=True):
    position: int
    sku: SkuDraft


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to write for one product. ``before`` and ``after`` are the fields that differ, for the audit trail."""

    draft: ProductDraft
    state: ProductState
    known: ProductView | None
    skus: tuple[SkuPlan, ...]
    retired: tuple[int, ...]
    prices: tuple[int, int]
    search_text: str
    before: dict[str, object]
    after: dict[str, object]


def plan(draft: ProductDraft, known: ProductView | None, *, keep_skus: bool = False) -> Plan | None:
    """Return what must be written so that the product is as ``draft`` says; ``None`` when it already is.

    ``keep_skus``: the draft's SKUs are the product's own and stay untouched. Raises ``StateRefused`` and
    ``NothingToSell``.
    """
    state = draft.state or (known.state if known else "draft")
    if known and state != known.state and known.state not in MOVES[state]:
        raise StateRefused(source=known.state, to=state)
    if state == "active" and not any(s.active for s in draft.skus):
        raise NothingToSell
    by_code = {s.code: s for s in known.skus} if known else {}
    skus: list[SkuPlan] = []
    if not keep_skus:
        for position, sku in enumerate(draft.skus):
            there = by_code.get(sku.code)
            if there is None or there.position != position or sku_draft(there) != sku:
                skus.append(SkuPlan(position=position, sku=sku))
    wanted = {s.code for s in draft.skus}
    retired = tuple(s.id for s in by_code.values() if s.active and s.code not in wanted)
    before, after = _difference(draft, known, state)
    if not (after or skus or retired):
        return None
    if known and (skus or retired):
        codes = {s.sku.code for s in skus}
        before["skus"] = [sku_draft(s) for s in known.skus if s.code in codes or s.id in retired]
        after["skus"] = [s.sku for s in skus]
    return Plan(
        draft=draft, state=state, known=known, skus=tuple(skus), retired=retired,
        prices=price_range(draft.skus), search_text=search_text(draft), before=before, after=after,
    )  # fmt: skip


def _difference(
    draft: ProductDraft, known: ProductView | None, state: ProductState
) -> tuple[dict[str, object], dict[str, object]]:
    if known is None:
        return {}, {"handle": draft.handle, "title": draft.title, "state": state}
    after: dict[str, object] = {f: getattr(draft, f) for f in _FIELDS if getattr(draft, f) != getattr(known, f)}
    if state != known.state:
        after["state"] = state
    return {name: getattr(known, name) for name in after}, after


def sku_draft(sku: SkuView) -> SkuDraft:
    """Return the draft that would make this SKU."""
    return SkuDraft(**{name: getattr(sku, name) for name in _SKU_FIELDS})


def product_draft(product: ProductView) -> ProductDraft:
    """Return the draft that would make this product."""
    same = {name: getattr(product, name) for name in _FIELDS}
    return ProductDraft(**same, state=product.state, skus=tuple(sku_draft(s) for s in product.skus))
