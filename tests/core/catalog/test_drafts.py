from __future__ import annotations

from typing import Any

import pytest

from core.catalog.drafts import clean, plain, sanitise
from core.catalog.errors import ProductInvalid
from core.catalog.types import Image, Option, ProductDraft, SkuDraft

SIZE = Option("Size", ("Tall", "Grande"))
MILK = Option("Milk", ("Oat", "Soy"))


def a_draft(**over: Any) -> ProductDraft:
    values: dict[str, Any] = {
        "handle": "latte",
        "title": "Latte",
        "skus": (SkuDraft(code="L", price_fen=3000),),
        **over,
    }
    return ProductDraft(**values)


def codes(draft: ProductDraft) -> set[str]:
    with pytest.raises(ProductInvalid) as refused:
        clean(draft)
    return {p.code for p in refused.value.problems}


def sku(code: str, *options: str, **over: Any) -> SkuDraft:
    return SkuDraft(code=code, options=options, **{"price_fen": 3000, **over})


@pytest.mark.parametrize(
    "skus",
    [
        (sku("A"),),
        (sku("A", "Tall"),),
        (sku("A", "Tall", "Oat", "Hot"),),
        (sku("A", "Tall", "Almond"),),
        (sku("A", "Oat", "Tall"),),
    ],
    ids=["none", "one missing", "one too many", "unknown value", "wrong order"],
)
def test_a_sku_needs_exactly_one_known_value_for_each_option(skus: tuple[SkuDraft, ...]) -> None:
    assert codes(a_draft(options=(SIZE, MILK), skus=skus)) == {"catalog.options_mismatch"}


def test_two_skus_on_sale_cannot_share_a_combination_or_a_code() -> None:
    same = a_draft(options=(SIZE,), skus=(sku("A", "Tall"), sku("B", "Tall")))
    twice = a_draft(options=(SIZE,), skus=(sku("A", "Tall"), sku("A", "Grande")))

    assert codes(same) == {"catalog.combination_twice"}
    assert codes(twice) == {"catalog.sku_twice"}


def test_without_options_there_is_one_sku() -> None:
    assert codes(a_draft(skus=(sku("A"), sku("B")))) == {"catalog.combination_twice"}


def test_there_are_at_most_three_options_and_200_skus_and_at_least_one_sku() -> None:
    four = tuple(Option(f"O{n}", ("x",)) for n in range(4))
    many = Option("N", tuple(str(n) for n in range(201)))

    assert "catalog.too_many_options" in codes(a_draft(options=four, skus=(sku("A", "x", "x", "x", "x"),)))
    assert "catalog.sku_count" in codes(a_draft(skus=()))
    assert codes(a_draft(options=(many,), skus=tuple(sku(str(n), str(n)) for n in range(201)))) == {"catalog.sku_count"}
    clean(a_draft(options=(many,), skus=tuple(sku(str(n), str(n)) for n in range(200))))


def test_every_reason_is_named_at_once() -> None:
    bad = a_draft(handle="a b/c", title=" ", min_per_order=5, max_per_order=2, images=(Image("javascript:alert(1)"),))

    assert codes(bad) == {
        "catalog.handle_invalid",
        "catalog.title_invalid",
        "catalog.limits_invalid",
        "catalog.image_invalid",
    }


@pytest.mark.parametrize("price_fen", [-1, 10**12])
def test_a_price_has_limits(price_fen: int) -> None:
    assert codes(a_draft(skus=(sku("A", price_fen=price_fen),))) == {"catalog.price_invalid"}


def test_options_and_values_are_not_there_twice() -> None:
    assert "catalog.option_twice" in codes(a_draft(options=(SIZE, SIZE), skus=(sku("A", "Tall", "Tall"),)))
    assert codes(a_draft(options=(Option("S", ("x", " x ")),), skus=(sku("A", "x"),))) == {"catalog.option_twice"}


@pytest.mark.parametrize(
    ("html", "safe"),
    [
        ("<p>Nice<script>alert(1)</script></p>", "<p>Nice</p>"),
        ('<p onclick="x()">Nice</p>', "<p>Nice</p>"),
        ('<a href="javascript:x()">go</a>', '<a rel="noopener noreferrer">go</a>'),
        ('<img src="data:text/html,x" onerror="x()">', "<img>"),
        ('<p style="position:fixed">Nice</p><iframe src="//x"></iframe>', "<p>Nice</p>"),
        ("a\x00b", "ab"),
    ],
)
def test_descriptions_are_sanitised_and_stay_so(html: str, safe: str) -> None:
    assert sanitise(html) == safe
    assert sanitise(safe) == safe


def test_cleaning_twice_changes_nothing() -> None:
    draft = clean(
        a_draft(
            handle="LATTE", title=" Caffè\n Latte ", tags=("hot", " hot", "", "new"), description_html="a & b <b>x",
            attributes={"kcal": 1.5, "of": ("a", "b"), "nul": "a\x00b"},
        )
    )  # fmt: skip

    assert clean(draft) == draft
    assert (draft.handle, draft.title, draft.tags) == ("latte", "Caffè Latte", ("hot", "new"))
    assert draft.attributes == {"kcal": 1.5, "of": ["a", "b"], "nul": "ab"}


def test_search_folds_width_and_case() -> None:
    assert plain("  ＬＡＴＴＥ　拿铁 ") == "latte 拿铁"
