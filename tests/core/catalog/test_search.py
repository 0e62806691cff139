from __future__ import annotations

import pytest

from core import db
from core.catalog import service as catalog
from core.catalog.types import SkuDraft
from core.kernel.mall import Mall
from core.testing.builders import a_store
from tests.core.catalog.samples import STAFF, plain


@pytest.fixture(autouse=True)
async def menu(mall: Mall) -> None:
    names = ["Caffè Latte 拿铁咖啡", "燕麦拿铁", "Cappuccino 卡布奇诺", "Espresso", "Green Tea Latte", "100% Juice"]
    drafts = [
        plain(n, handle=f"h{n}", title=title, brand="Mini", tags=("hot",) if n < 2 else ())
        for n, title in enumerate(names)
    ]
    off = plain(90, title="Latte archived", state=None)
    await catalog.upsert_products(mall, [*drafts, off], actor=STAFF)


async def found(mall: Mall, q: str, **over: int) -> list[str]:
    return [hit.title for hit in await catalog.search_products(mall, q, **over)]


@pytest.mark.parametrize("q", ["", "   ", "\x00", "zzzzzz", "%", "_", "\\", "'; DROP TABLE product"])
async def test_nothing_is_found_for_nothing(mall: Mall, q: str) -> None:
    assert await found(mall, q) == (["100% Juice"] if q == "%" else [])


@pytest.mark.parametrize(
    ("q", "titles"),
    [
        ("拿铁", ["燕麦拿铁", "Caffè Latte 拿铁咖啡"]),
        ("拿铁 caffè", ["Caffè Latte 拿铁咖啡"]),
        ("LATTE", ["Caffè Latte 拿铁咖啡", "Green Tea Latte"]),
        ("ｌａｔｔｅ　tea", ["Green Tea Latte"]),
        ("卡布", ["Cappuccino 卡布奇诺"]),
        ("P3", ["Espresso"]),
        ("hot latte", ["Caffè Latte 拿铁咖啡"]),
    ],
)
async def test_what_contains_every_word_is_found(mall: Mall, q: str, titles: list[str]) -> None:
    assert (await found(mall, q))[: len(titles)] == titles


@pytest.mark.parametrize(
    ("q", "title"), [("capuccino", "Cappuccino 卡布奇诺"), ("expresso", "Espresso"), ("lattte", "Caffè Latte 拿铁咖啡")]
)
async def test_typing_mistakes_are_forgiven(mall: Mall, q: str, title: str) -> None:
    assert title in await found(mall, q)


async def test_exact_comes_before_similar_and_the_limit_holds(mall: Mall) -> None:
    await catalog.create_product(mall, plain(50, title="Lattte special"), actor=STAFF)

    assert (await found(mall, "lattte"))[0] == "Lattte special"
    assert len(await found(mall, "latte", limit=1)) == 1


async def test_a_store_finds_only_what_it_lists(mall: Mall) -> None:
    store = await a_store(mall)
    espresso = await catalog.get_product_by_handle(mall, "h3")
    await catalog.set_store_listings(mall, espresso.id, {store.id: False}, actor=STAFF)

    assert await found(mall, "espresso", store_id=store.id) == []
    assert await found(mall, "expresso", store_id=store.id) == []
    assert await found(mall, "espresso") == ["Espresso"]


async def test_a_changed_product_is_found_by_its_new_name_and_code(mall: Mall) -> None:
    await catalog.upsert_products(
        mall, [plain(3, handle="h3", title="Ristretto", skus=(SkuDraft(code="RIS-1", price_fen=1),))], actor=STAFF
    )

    assert await found(mall, "ristretto") == ["Ristretto"] == await found(mall, "ris-1")
    assert await found(mall, "espresso") == []


async def test_chinese_has_trigrams_here(mall: Mall) -> None:
    """pg_trgm sees Chinese only where the database's locale knows letters; the embedded server must."""
    assert await db.value("SELECT cardinality(show_trgm('拿铁咖啡'))") > 0


async def test_words_that_only_share_letters_are_not_similar(mall: Mall) -> None:
    assert await found(mall, "cappelletti") == []
    assert await found(mall, "stress") == []
