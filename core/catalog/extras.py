"""What plugins add to products."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from core.kernel.mall import Mall


class Extras(msgspec.Struct, frozen=True, kw_only=True):
    """By product and plugin; ``failed`` names the plugins that gave no answer this time."""

    by_product: dict[int, dict[str, object]] = {}
    failed: tuple[str, ...] = ()


async def extras(mall: Mall, product_ids: Sequence[int]) -> Extras:
    """Ask the plugins once (``extend_products``) what they add to these products: one call a page, lenient."""
    if not product_ids or not mall.hooks.has("extend_products"):
        return Extras()
    answers = await mall.hooks.lenient("extend_products", mall=mall, ids=product_ids)
    found: dict[int, dict[str, object]] = {}
    for plugin, by_id in answers.given:
        for product_id, extra in by_id.items():
            found.setdefault(product_id, {})[plugin] = extra
    return Extras(by_product=found, failed=answers.failed)
