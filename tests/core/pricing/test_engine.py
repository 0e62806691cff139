"""The engine decides, whatever plugins propose (behaviour.md 5.2)."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.kernel.i18n import Text
from core.kernel.origin import Origin
from core.pricing.engine import STAGES, apply_stage, explain, start_quote
from core.pricing.types import Adjustment, Quote, QuoteLine, Stage

LABEL = Text("优惠", "Offer")


def a_line(key: str, unit_fen: int, qty: int = 1) -> QuoteLine:
    return QuoteLine(
        key=key, sku_id=int(key), product_id=1, category_id=None, sku_code=f"S{key}", title="A thing",
        qty=qty, unit_fen=unit_fen, amount_fen=0, left_fen=0,
    )  # fmt: skip


def a_quote(*units: int, freight_fen: int = 0) -> Quote:
    return start_quote(
        member_id=1, store_id=None, origin=Origin(), fulfilment_method="pickup",
        lines=[a_line(str(i), unit) for i, unit in enumerate(units, 1)], freight_fen=freight_fen,
    )  # fmt: skip


def off(amount_fen: int, *, code: str = "off", **more: Any) -> Adjustment:
    return Adjustment(code=code, label=LABEL, amount_fen=-amount_fen, **more)


def lefts(quote: Quote) -> list[int]:
    return [line.left_fen for line in quote.lines]


def reasons(quote: Quote) -> list[tuple[str, str]]:
    return [(s.plugin_id, s.reason) for s in quote.skipped]


@pytest.mark.parametrize(
    ("stage", "adjustment", "reason"),
    [
        (Stage.COUPON, off(-5), "wrong_sign"),
        (Stage.COUPON, off(0), "wrong_sign"),
        (Stage.SHIPPING, off(-5), "wrong_sign"),
        (Stage.COUPON, off(-5, target="freight"), "wrong_sign"),
        (Stage.COUPON, off(5, target="freight"), "nothing_left"),
        (Stage.COUPON, off(5, target="line", line_key="9"), "unknown_line"),
        (Stage.COUPON, off(5, target="line"), "unknown_line"),
        (Stage.COUPON, off(5, line_keys=("1", "9")), "unknown_line"),
        (Stage.COUPON, off(5, target="line", line_key="2"), "nothing_left"),
    ],
)
def test_what_does_not_count_is_skipped_with_its_reason(stage: Stage, adjustment: Adjustment, reason: str) -> None:
    before = a_quote(100, 0)

    after = apply_stage(before, stage, [("p", [adjustment])])

    assert reasons(after) == [("p", reason)]
    assert (after.payable_fen, after.applied) == (100, ())


def test_a_failed_plugin_is_named() -> None:
    after = apply_stage(a_quote(100), Stage.COUPON, [("good", [off(10)])], failed=["bad"])

    assert reasons(after) == [("bad", "plugin_failed")]
    assert after.payable_fen == 90


def test_a_line_never_goes_below_zero() -> None:
    after = apply_stage(a_quote(100, 50), Stage.PROMOTION, [("p", [off(500, target="line", line_key="1")])])

    assert lefts(after) == [0, 50]
    assert after.applied[0].amount_fen == -100
    assert after.applied[0].parts == {"1": -100}


def test_two_adjustments_of_one_line_share_what_is_left() -> None:
    line = {"target": "line", "line_key": "1"}

    after = apply_stage(a_quote(100), Stage.PROMOTION, [("b", [off(70, **line)]), ("a", [off(60, **line)])])

    assert [(a.plugin_id, a.amount_fen) for a in after.applied] == [("a", -60), ("b", -40)]


def test_an_order_amount_is_spread_by_what_is_left_with_the_largest_remainder() -> None:
    after = apply_stage(a_quote(100, 100, 100), Stage.COUPON, [("p", [off(100)])])

    assert after.applied[0].parts == {"1": -34, "2": -33, "3": -33}
    assert (after.discount_fen, after.payable_fen) == (-100, 200)


def test_only_the_eligible_lines_take_part() -> None:
    after = apply_stage(a_quote(100, 300, 100), Stage.COUPON, [("p", [off(900, line_keys=("1", "3"))])])

    assert lefts(after) == [0, 300, 0]


def test_the_best_of_an_exclusive_key_stays_measured_by_what_it_really_takes_off() -> None:
    loud = off(10_000, code="loud", target="line", line_key="1", exclusive_key="k")
    real = off(150, code="real", exclusive_key="k")

    after = apply_stage(a_quote(100, 100), Stage.COUPON, [("a", [loud]), ("b", [real])])

    assert [a.code for a in after.applied] == ["real"]
    assert reasons(after) == [("a", "exclusive")]


@pytest.mark.parametrize(
    ("one", "two", "winner"),
    [(("b", "x"), ("a", "z"), ("a", "z")), (("a", "z"), ("a", "x"), ("a", "x"))],
)
def test_a_tie_goes_to_the_plugin_id_then_the_code(
    one: tuple[str, str], two: tuple[str, str], winner: tuple[str, str]
) -> None:
    proposals = [(plugin, [off(10, code=code, exclusive_key="k")]) for plugin, code in (one, two)]

    after = apply_stage(a_quote(100), Stage.COUPON, proposals)

    assert [(a.plugin_id, a.code) for a in after.applied] == [winner]


def test_freight_is_put_on_in_shipping_and_taken_off_to_zero() -> None:
    put_on = apply_stage(a_quote(100), Stage.SHIPPING, [("p", [off(-800, target="freight")])])
    free = apply_stage(put_on, Stage.POINTS, [("q", [off(2000, target="freight")])])

    assert (put_on.freight_fen, put_on.payable_fen) == (800, 900)
    assert (free.freight_fen, free.payable_fen, free.discount_fen) == (0, 100, 0)
    assert free.applied[-1].amount_fen == -800


def test_an_empty_basket_can_be_priced() -> None:
    after = apply_stage(a_quote(), Stage.COUPON, [("p", [off(5)])])

    assert (after.payable_fen, reasons(after)) == (0, [("p", "nothing_left")])


@pytest.mark.parametrize(("qty", "unit"), [(0, 1), (1, -1)])
def test_a_quote_does_not_start_from_nonsense(qty: int, unit: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        start_quote(
            member_id=None, store_id=None, origin=Origin(), fulfilment_method="pickup", lines=[a_line("1", unit, qty)]
        )


KEYS = st.sampled_from(["1", "2", "3", "4", "9"])
ADJUSTMENTS = st.builds(
    Adjustment,
    code=st.sampled_from(["a", "b", "c"]),
    amount_fen=st.integers(-5000, 500),
    label=st.just(LABEL),
    source=st.sampled_from(["", "s"]),
    target=st.sampled_from(["line", "order", "freight"]),
    line_key=st.none() | KEYS,
    line_keys=st.lists(KEYS, max_size=3).map(tuple),
    exclusive_key=st.none() | st.sampled_from(["k", "l"]),
)
PROPOSALS = st.lists(st.tuples(st.sampled_from(["p", "q", "r"]), st.lists(ADJUSTMENTS, max_size=3)), max_size=4)
Round = list[tuple[str, list[Adjustment]]]
UNITS = st.lists(st.integers(0, 3000), max_size=4)


def through(units: list[int], freight_fen: int, rounds: list[Round]) -> list[Quote]:
    quotes = [a_quote(*units, freight_fen=freight_fen)]
    for stage, proposals in zip(STAGES, rounds, strict=False):
        quotes.append(apply_stage(quotes[-1], stage, proposals))
    return quotes


@given(UNITS, st.integers(0, 1500), st.lists(PROPOSALS, max_size=6))
def test_the_invariants_hold_for_any_proposals(units: list[int], freight: int, rounds: list[Round]) -> None:
    quotes = through(units, freight, rounds)

    for before, after in pairwise(quotes):
        assert after.goods_fen == before.goods_fen == sum(line.qty * line.unit_fen for line in after.lines)
        assert all(0 <= now.left_fen <= was.left_fen for now, was in zip(after.lines, before.lines, strict=True))
        assert after.freight_fen >= 0
    last = quotes[-1]
    assert last.payable_fen == sum(lefts(last)) + last.freight_fen
    assert last.payable_fen == last.goods_fen + last.discount_fen + last.freight_fen
    assert last.discount_fen == sum(a.amount_fen for a in last.applied if a.target != "freight") <= 0
    assert last.freight_fen == freight + sum(a.amount_fen for a in last.applied if a.target == "freight")
    for done in last.applied:
        assert done.amount_fen != 0
        assert done.target == "freight" or sum(done.parts.values()) == done.amount_fen
        assert all(part < 0 for part in done.parts.values())
    for line in last.lines:
        assert line.left_fen == line.amount_fen + sum(a.parts.get(line.key, 0) for a in last.applied)
    proposed = sum(len(given) for proposals in rounds for _, given in proposals)
    assert len(last.applied) + len(last.skipped) == proposed


@given(UNITS, PROPOSALS, st.randoms())
def test_the_order_in_which_plugins_are_asked_does_not_matter(
    units: list[int], proposals: Round, chance: random.Random
) -> None:
    plugins = chance.sample(proposals, len(proposals))
    shuffled = [(plugin, chance.sample(given, len(given))) for plugin, given in plugins]

    one = apply_stage(a_quote(*units), Stage.COUPON, proposals)
    two = apply_stage(a_quote(*units), Stage.COUPON, shuffled)

    assert one == two


@given(UNITS, PROPOSALS)
def test_of_an_exclusive_key_at_most_one_is_applied_and_none_better_is_skipped(
    units: list[int], proposals: Round
) -> None:
    only_k = [
        (plugin, [a for a in given if a.exclusive_key == "k" and a.target == "order" and not a.line_keys])
        for plugin, given in proposals
    ]

    after = apply_stage(a_quote(*units), Stage.COUPON, only_k)

    best = min((a.amount_fen for _, given in only_k for a in given if a.amount_fen < 0), default=0)
    assert len(after.applied) == (1 if best and sum(units) else 0)
    assert after.payable_fen == max(sum(units) + best, 0)


@given(UNITS, st.integers(0, 1500), st.lists(PROPOSALS, max_size=6))
def test_the_explanation_leads_from_the_goods_to_the_payable_amount(
    units: list[int], freight: int, rounds: list[Round]
) -> None:
    last = through(units, freight, rounds)[-1]

    steps = explain(last)

    assert steps[0].payable_fen == last.goods_fen + freight
    assert steps[-1].lines == {line.key: line.left_fen for line in last.lines}
    assert steps[-1].freight_fen == last.freight_fen
    assert steps[-1].payable_fen == last.payable_fen
    assert len(steps) == 1 + len(last.applied) + len(last.skipped)
    for before, step in pairwise(steps):
        assert (step.lines_before, step.freight_before_fen) == (before.lines, before.freight_fen)
        assert step.payable_fen == before.payable_fen + step.amount_fen
