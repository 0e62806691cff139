from __future__ import annotations

import msgspec
import pytest

from core import db
from core.catalog import service as catalog
from core.catalog.types import ProductChanges, SkuDraft
from core.db.engine import round_trips
from core.kernel.mall import Mall
from core.kernel.origin import Actor
from core.testing.races import run_together
from tests.core.catalog.samples import STAFF, audited, events, latte, plain

IMPORT = Actor(kind="job", name="import")


async def test_bad_drafts_are_refused_alone_with_their_reasons(mall: Mall) -> None:
    other = await catalog.create_product(mall, plain(1), actor=STAFF)
    drafts = [
        latte(),
        latte(title="again"),
        plain(2, skus=()),
        plain(3, skus=(SkuDraft(code="P1", price_fen=1),)),
        plain(4, category_id=999),
        plain(5, skus=(SkuDraft(code="LATTE-T", price_fen=1),)),
        plain(6),
    ]

    results = await catalog.upsert_products(mall, drafts, actor=IMPORT)

    assert [(r.outcome, [p.code for p in r.problems]) for r in results] == [
        ("created", []),
        ("refused", ["catalog.handle_twice"]),
        ("refused", ["catalog.sku_count"]),
        ("refused", ["catalog.sku_code_taken"]),
        ("refused", ["catalog.category_not_found"]),
        ("refused", ["catalog.sku_code_taken"]),
        ("created", []),
    ]
    assert await db.value("SELECT count(*) FROM product") == 3
    assert await catalog.get_product(mall, other.id) == other


async def test_the_same_drafts_again_change_nothing(mall: Mall) -> None:
    drafts = [latte(description_html="<p>Milk & coffee<script>x()</script>", attributes={"kcal": 1.0}), plain(1)]
    first = await catalog.upsert_products(mall, drafts, actor=IMPORT)
    before = await db.rows("SELECT p.*, s.* FROM product p JOIN sku s ON s.product_id = p.id ORDER BY s.id")
    told = (await events(), await audited())

    again = await catalog.upsert_products(mall, drafts, actor=IMPORT)

    assert [r.outcome for r in again] == ["unchanged", "unchanged"]
    assert [(r.product_id, r.sku_ids) for r in again] == [(r.product_id, r.sku_ids) for r in first]
    assert await db.rows("SELECT p.*, s.* FROM product p JOIN sku s ON s.product_id = p.id ORDER BY s.id") == before
    assert (await events(), await audited()) == told


async def test_a_change_of_one_price_updates_that_product_only(mall: Mall) -> None:
    first = await catalog.upsert_products(mall, [latte(), plain(1)], actor=IMPORT)
    dearer = latte(skus=(msgspec.structs.replace(latte().skus[0], price_fen=9900), latte().skus[1]))

    results = await catalog.upsert_products(mall, [dearer, plain(1)], actor=IMPORT)

    assert [r.outcome for r in results] == ["updated", "unchanged"]
    product = await catalog.get_product_by_handle(mall, "latte")
    assert (product.version, product.max_price_fen, results[0].sku_ids) == (2, 9900, first[0].sku_ids)
    assert await events() == [first[0].product_id, first[1].product_id, product.id]


async def test_a_draft_without_a_state_keeps_what_staff_decided(mall: Mall) -> None:
    made = await catalog.create_product(mall, latte(), actor=STAFF)
    await catalog.change_state(mall, made.id, "archived", version=1, actor=STAFF)

    results = await catalog.upsert_products(mall, [latte(state=None), latte(state=None, handle="x")], actor=IMPORT)

    assert [r.outcome for r in results] == ["unchanged", "refused"]
    assert (await catalog.get_product(mall, made.id)).state == "archived"


async def test_many_products_take_few_statements(mall: Mall) -> None:
    known = [plain(n) for n in range(100)]
    await catalog.upsert_products(mall, known, actor=IMPORT)
    drafts = [plain(n, title=f"New {n}") for n in range(200)]
    seen: list[str] = []
    token = round_trips.set(seen)

    results = await catalog.upsert_products(mall, drafts, actor=IMPORT)

    round_trips.reset(token)
    assert [r.outcome for r in results] == ["updated"] * 100 + ["created"] * 100
    assert len(seen) <= 12


async def test_two_imports_of_the_same_products_at_once_leave_each_there_once(mall: Mall) -> None:
    drafts = [plain(n) for n in range(20)]

    outcomes = await run_together(
        4, lambda n: catalog.upsert_products(mall, drafts if n % 2 else drafts[::-1], actor=IMPORT)
    )

    assert any(o.ok for o in outcomes)
    assert {getattr(o.error, "code", None) for o in outcomes if not o.ok} <= {"catalog.handle_taken"}
    assert await db.value("SELECT count(*) FROM product") == 20


async def test_an_import_and_an_edit_at_once_lose_nothing(mall: Mall) -> None:
    made = await catalog.create_product(mall, latte(), actor=STAFF)

    async def both(n: int) -> None:
        if n:
            await catalog.upsert_products(mall, [latte(brand=f"b{n}")], actor=IMPORT)
        else:
            await catalog.update_product(mall, made.id, ProductChanges(title="Mocha"), version=1, actor=STAFF)

    outcomes = await run_together(4, both)

    assert (await catalog.get_product(mall, made.id)).version == 1 + sum(o.ok for o in outcomes)


async def test_inside_a_callers_transaction_all_goes_with_it(mall: Mall) -> None:
    with pytest.raises(RuntimeError, match="inside a transaction"):
        await catalog.upsert_in_transaction(mall, [plain(1)], actor=IMPORT)

    async def undone() -> None:
        async with db.transaction():
            await catalog.upsert_in_transaction(mall, [plain(1)], actor=IMPORT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await undone()

    assert await db.value("SELECT count(*) FROM product") == 0
    assert await audited() == []


async def test_nothing_to_do_is_fine(mall: Mall) -> None:
    assert await catalog.upsert_products(mall, [], actor=IMPORT) == []
