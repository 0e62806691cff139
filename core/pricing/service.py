"""Price a basket: the base price from the catalog, then the stages, each asked of the plugins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec
import structlog

from core.catalog.errors import NotOnSale, SkuNotFound
from core.catalog.selling import limit_problems, sellable
from core.catalog.types import SellableSku
from core.kernel.errors import PluginUnavailable, Problem
from core.kernel.mall import Mall
from core.kernel.origin import Origin
from core.pricing.engine import STAGES, apply_stage, explain, start_quote
from core.pricing.types import Adjustment, Priced, Quote, QuoteLine

__all__ = ["explain", "problems_of", "quote"]
log = structlog.get_logger("mall.pricing")
_HOOK = "price_adjustments"


async def quote(
    mall: Mall,
    *,
    member_id: int | None,
    lines: Sequence[tuple[int, int]],
    store_id: int | None,
    origin: Origin,
    fulfilment_method: str,
    freight_fen: int = 0,
    extensions: Mapping[str, dict[str, object]] | None = None,
    placing: bool,
) -> Priced:
    """Price ``(sku_id, qty)`` lines; one SQL, and no hook call when no plugin prices.

    Line keys are positions from ``"1"``. SKUs that cannot be bought in the store are left out and named in
    ``problems``, as are limits per order. In a preview a failing plugin is left out (``skipped`` says so); when
    ``placing`` it refuses with ``PluginUnavailable``.
    """
    known = await sellable(mall, [sku_id for sku_id, _ in lines], store_id)
    started = start_quote(
        member_id=member_id,
        store_id=store_id,
        origin=origin,
        fulfilment_method=fulfilment_method,
        lines=[
            _line(str(place), known[sku_id], qty)
            for place, (sku_id, qty) in enumerate(lines, start=1)
            if sku_id in known and known[sku_id].on_sale
        ],
        freight_fen=freight_fen,
        extensions=extensions,
    )
    priced = await _through_stages(mall, started, placing=placing) if mall.hooks.has(_HOOK) else started
    return Priced(quote=priced, problems=tuple(problems_of(known, lines)))


def problems_of(known: Mapping[int, SellableSku], lines: Sequence[tuple[int, int]]) -> list[Problem]:
    """Say which lines cannot be bought, and which products break their limits (which count all SKUs of the order)."""
    problems: list[Problem] = []
    wanted: dict[int, int] = {}
    for sku_id, qty in lines:
        wanted[sku_id] = wanted.get(sku_id, 0) + qty
    for sku_id in wanted:
        sku = known.get(sku_id)
        if sku is None:
            problems.append(SkuNotFound(sku=sku_id, sku_id=sku_id).as_problem())
        elif not sku.on_sale:
            problems.append(NotOnSale(title=sku.title, sku_id=sku_id, product_id=sku.product_id).as_problem())
    on_sale = {sku_id: sku for sku_id, sku in known.items() if sku.on_sale}
    return problems + limit_problems(on_sale, {sku_id: qty for sku_id, qty in wanted.items() if sku_id in on_sale})


async def _through_stages(mall: Mall, quote: Quote, *, placing: bool) -> Quote:
    for stage in STAGES:
        if placing:
            given = await mall.hooks.strict(_HOOK, mall=mall, stage=stage, quote=quote)
            failed: tuple[str, ...] = ()
        else:
            answers = await mall.hooks.lenient(_HOOK, mall=mall, stage=stage, quote=quote)
            given, failed = answers.given, answers.failed
        unsound = tuple(plugin_id for plugin_id, said in given if not _is_proposal(said))
        if unsound:
            log.error("price_adjustments answered with something else", plugins=unsound, stage=stage)
            if placing:
                raise PluginUnavailable(plugin=unsound[0])
        proposals = [(plugin_id, said) for plugin_id, said in given if plugin_id not in unsound]
        quote = apply_stage(quote, stage, proposals, failed=(*failed, *unsound))
    return quote


def _is_proposal(said: Any) -> bool:
    """Check a plugin's answer: msgspec does not check what a constructor is given, and a float must never be money."""
    if not isinstance(said, list | tuple):
        return False
    try:
        for one in cast("Sequence[object]", said):
            if not isinstance(one, Adjustment):
                return False
            msgspec.convert(msgspec.to_builtins(one), Adjustment)
    except (msgspec.ValidationError, TypeError):
        return False
    return True


def _line(key: str, sku: SellableSku, qty: int) -> QuoteLine:
    return QuoteLine(
        key=key,
        sku_id=sku.sku_id,
        product_id=sku.product_id,
        category_id=sku.category_id,
        sku_code=sku.sku_code,
        title=sku.title,
        options=sku.options,
        image_url=sku.image_url,
        qty=qty,
        unit_fen=sku.price_fen,
        amount_fen=qty * sku.price_fen,
        left_fen=qty * sku.price_fen,
        max_per_member=sku.max_per_member,
    )
