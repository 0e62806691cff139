"""Quotes from the catalog's prices and what plugins propose."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from core import db
from core.hookspecs import hookimpl
from core.kernel.errors import PluginUnavailable
from core.kernel.i18n import Text
from core.kernel.mall import Mall
from core.kernel.origin import Origin
from core.pricing import service as pricing
from core.pricing.types import Adjustment, Priced, Quote, Stage
from core.testing import builders

MakeMall = Callable[..., Awaitable[Mall]]


class Offer:
    """A plugin that answers ``price_adjustments`` with what it was given, in one stage."""

    def __init__(self, answer: Any, stage: Stage = Stage.COUPON) -> None:
        self.answer = answer
        self.stage = stage

    @hookimpl
    async def price_adjustments(self, stage: Stage, quote: Quote) -> Sequence[Adjustment] | None:
        if stage is not self.stage:
            return None
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def off(amount_fen: Any, code: str = "off") -> Adjustment:
    return Adjustment(code=code, amount_fen=-amount_fen, label=Text("减", "Off"))


async def quote(mall: Mall, *lines: tuple[int, int], store_id: int | None = None, placing: bool = False) -> Priced:
    return await pricing.quote(
        mall, member_id=1, lines=lines, store_id=store_id, origin=Origin(), fulfilment_method="pickup", placing=placing
    )


async def test_what_cannot_be_bought_is_left_out_and_named(mall: Mall) -> None:
    good = (await builders.a_product(mall, price_fen=300)).sku
    draft = (await builders.a_product(mall, state="draft")).sku
    retired = (await builders.a_product(mall, [{"active": False}])).sku

    priced = await quote(mall, (draft.id, 1), (good.id, 2), (retired.id, 1), (999_999, 1))

    assert [(line.key, line.sku_id, line.amount_fen) for line in priced.quote.lines] == [("2", good.id, 600)]
    assert [(p.code, p.details["sku_id"]) for p in priced.problems] == [
        ("catalog.not_on_sale", draft.id),
        ("catalog.not_on_sale", retired.id),
        ("catalog.sku_not_found", 999_999),
    ]


async def test_a_product_that_a_store_does_not_list_is_not_sold_there(mall: Mall) -> None:
    product = await builders.a_product(mall, listing="selected")
    listed, other = await builders.a_store(mall), await builders.a_store(mall)
    await db.execute(
        "INSERT INTO store_listing (product_id, store_id, listed) VALUES ($1, $2, true)", product.id, listed.id
    )

    assert (await quote(mall, (product.sku.id, 1), store_id=listed.id)).problems == ()
    refused = await quote(mall, (product.sku.id, 1), store_id=other.id)
    assert [p.code for p in refused.problems] == ["catalog.not_on_sale"]


async def test_limits_count_all_skus_of_a_product(mall: Mall) -> None:
    product = await builders.a_product(mall, skus=2, min_per_order=3, max_per_order=5)
    first, second = product.skus[0].id, product.skus[1].id

    assert [p.code for p in (await quote(mall, (first, 2))).problems] == ["catalog.below_minimum"]
    assert [p.code for p in (await quote(mall, (first, 3), (second, 3))).problems] == ["catalog.limit_exceeded"]
    assert (await quote(mall, (first, 2), (second, 3))).problems == ()


async def test_a_store_has_its_own_price(mall: Mall) -> None:
    sku, store = (await builders.a_product(mall, price_fen=1000)).sku, await builders.a_store(mall)
    await db.execute("INSERT INTO store_price (sku_id, store_id, price_fen) VALUES ($1, $2, 800)", sku.id, store.id)

    assert (await quote(mall, (sku.id, 3), store_id=store.id)).quote.payable_fen == 2400
    assert (await quote(mall, (sku.id, 3))).quote.payable_fen == 3000


async def test_a_quote_is_one_statement(mall: Mall) -> None:
    skus = (await builders.a_product(mall, skus=3)).skus
    db.round_trips.set(seen := [])

    await quote(mall, *[(sku.id, 1) for sku in skus])

    assert len(seen) == 1


async def test_plugins_take_off_in_their_stages(make_mall: MakeMall) -> None:
    late, early = Offer([off(10_000)], Stage.POINTS), Offer((off(400),), Stage.PROMOTION)
    mall = await make_mall(extra={"late": late, "early": early})
    sku = (await builders.a_product(mall, price_fen=1000)).sku

    priced = (await quote(mall, (sku.id, 1), placing=True)).quote

    assert [(a.plugin_id, a.stage.value, a.amount_fen) for a in priced.applied] == [
        ("early", "promotion", -400),
        ("late", "points", -600),
    ]
    assert priced.payable_fen == 0


@pytest.mark.parametrize("answer", [RuntimeError("broken"), [off(1.5)], "nonsense", [object()], 5])
async def test_a_failing_plugin_is_left_out_of_a_preview_and_stops_an_order(make_mall: MakeMall, answer: Any) -> None:
    mall = await make_mall(extra={"bad": Offer(answer), "good": Offer([off(100)])})
    sku = (await builders.a_product(mall, price_fen=1000)).sku

    shown = (await quote(mall, (sku.id, 1))).quote

    assert shown.payable_fen == 900
    assert [(s.plugin_id, s.reason) for s in shown.skipped] == [("bad", "plugin_failed")]
    with pytest.raises(PluginUnavailable):
        await quote(mall, (sku.id, 1), placing=True)
