from __future__ import annotations

import pytest

from core import db
from core.catalog import service as catalog
from core.catalog.errors import (
    CategoryNotFound,
    ChangedMeanwhile,
    HandleTaken,
    NothingToSell,
    ProductInvalid,
    ProductNotFound,
    SkuCodeTaken,
    StateRefused,
)
from core.catalog.types import Option, ProductChanges, SkuDraft
from core.kernel.mall import Mall
from core.testing.races import gap, run_together
from tests.core.catalog.samples import STAFF, audited, events, latte, plain


async def test_an_invalid_product_is_refused_and_leaves_nothing(mall: Mall) -> None:
    with pytest.raises(ProductInvalid):
        await catalog.create_product(mall, latte(skus=(SkuDraft(code="X", price_fen=1),)), actor=STAFF)
    with pytest.raises(CategoryNotFound):
        await catalog.create_product(mall, latte(category_id=999), actor=STAFF)

    assert await db.value("SELECT count(*) FROM product") == 0
    assert (await events(), await audited()) == ([], [])


async def test_handles_and_sku_codes_are_taken_once(mall: Mall) -> None:
    await catalog.create_product(mall, latte(), actor=STAFF)

    with pytest.raises(HandleTaken):
        await catalog.create_product(mall, plain(1, handle="LATTE"), actor=STAFF)
    with pytest.raises(SkuCodeTaken):
        await catalog.create_product(mall, plain(1, skus=(SkuDraft(code="LATTE-T", price_fen=1),)), actor=STAFF)

    assert await db.value("SELECT count(*) FROM product") == 1


async def test_a_product_comes_back_as_it_was_made(mall: Mall) -> None:
    made = await catalog.create_product(mall, latte(tags=("hot",), attributes={"kcal": 190}, state=None), actor=STAFF)

    assert made == await catalog.get_product_by_handle(mall, "latte") == await catalog.get_product(mall, made.id)
    assert (made.state, made.version, made.min_price_fen, made.max_price_fen) == ("draft", 1, 3000, 3300)
    assert [(s.code, s.options, s.position) for s in made.skus] == [
        ("LATTE-T", ("Tall",), 0),
        ("LATTE-G", ("Grande",), 1),
    ]
    assert await events() == [made.id]
    assert await audited() == ["product.create"]


async def test_an_edit_of_an_older_version_is_refused(mall: Mall) -> None:
    made = await catalog.create_product(mall, latte(), actor=STAFF)
    await catalog.update_product(mall, made.id, ProductChanges(title="Flat White"), version=1, actor=STAFF)

    with pytest.raises(ChangedMeanwhile):
        await catalog.update_product(mall, made.id, ProductChanges(title="Mocha"), version=1, actor=STAFF)
    with pytest.raises(ProductNotFound):
        await catalog.update_product(mall, 999, ProductChanges(title="Mocha"), version=1, actor=STAFF)

    assert (await catalog.get_product(mall, made.id)).title == "Flat White"


async def test_of_two_edits_of_one_version_one_is_kept(mall: Mall) -> None:
    made = await catalog.create_product(mall, latte(), actor=STAFF)

    outcomes = await run_together(
        6, lambda n: catalog.update_product(mall, made.id, ProductChanges(sort=n + 1), version=1, actor=STAFF)
    )

    assert sum(o.ok for o in outcomes) == 1
    assert all(isinstance(o.error, ChangedMeanwhile) for o in outcomes if not o.ok)
    assert (await catalog.get_product(mall, made.id)).version == 2


async def test_without_the_guard_the_race_loses_edits(mall: Mall) -> None:
    """The negative control: read, check, write without the version in the statement lets several through."""
    made = await catalog.create_product(mall, latte(), actor=STAFF)

    async def unguarded(n: int) -> None:
        if await db.value("SELECT version FROM product WHERE id = $1", made.id) != 1:
            raise ChangedMeanwhile
        await gap()
        await db.execute("UPDATE product SET sort = $2, version = version + 1 WHERE id = $1", made.id, n)

    assert sum(o.ok for o in await run_together(6, unguarded)) > 1


async def test_an_edit_that_changes_nothing_writes_nothing(mall: Mall) -> None:
    made = await catalog.create_product(mall, latte(), actor=STAFF)

    same = await catalog.update_product(
        mall, made.id, ProductChanges(title=made.title, skus=latte().skus), version=1, actor=STAFF
    )

    assert same == made
    assert (await events(), await audited()) == ([made.id], ["product.create"])


async def test_new_skus_replace_the_list_and_old_ones_go_off_sale(mall: Mall) -> None:
    made = await catalog.create_product(mall, latte(), actor=STAFF)
    skus = (
        SkuDraft(code="LATTE-G", options=("Grande", "Oat"), price_fen=3500),
        SkuDraft(code="LATTE-V", options=("Venti", "Oat"), price_fen=3900),
    )
    options = (Option("Size", ("Grande", "Venti")), Option("Milk", ("Oat",)))

    new = await catalog.update_product(
        mall, made.id, ProductChanges(options=options, skus=skus), version=1, actor=STAFF
    )

    by_code = {s.code: s for s in new.skus}
    assert not by_code["LATTE-T"].active
    assert by_code["LATTE-G"].id == made.skus[1].id
    assert (new.min_price_fen, new.max_price_fen, new.version) == (3500, 3900, 2)
    again = await catalog.update_product(mall, made.id, ProductChanges(title="Latte"), version=2, actor=STAFF)
    assert again.skus == new.skus


async def test_skus_may_swap_their_options_in_one_edit(mall: Mall) -> None:
    made = await catalog.create_product(mall, latte(), actor=STAFF)
    swapped = (
        SkuDraft(code="LATTE-T", options=("Grande",), price_fen=3000),
        SkuDraft(code="LATTE-G", options=("Tall",), price_fen=3300),
    )

    new = await catalog.update_product(mall, made.id, ProductChanges(skus=swapped), version=1, actor=STAFF)

    assert [s.options for s in new.skus] == [("Grande",), ("Tall",)]


async def test_a_sku_of_another_product_cannot_be_taken_over(mall: Mall) -> None:
    await catalog.create_product(mall, latte(), actor=STAFF)
    other = await catalog.create_product(mall, plain(1), actor=STAFF)

    with pytest.raises(SkuCodeTaken):
        await catalog.update_product(
            mall, other.id, ProductChanges(skus=(SkuDraft(code="LATTE-T", price_fen=1),)), version=1, actor=STAFF
        )
    with pytest.raises(HandleTaken):
        await catalog.update_product(mall, other.id, ProductChanges(handle="latte"), version=1, actor=STAFF)

    assert await catalog.get_product(mall, other.id) == other


async def test_states_follow_the_table_and_the_version(mall: Mall) -> None:
    made = await catalog.create_product(mall, latte(state=None), actor=STAFF)

    active = await catalog.change_state(mall, made.id, "active", version=1, actor=STAFF)
    assert (active.state, active.version) == ("active", 2)
    with pytest.raises(ChangedMeanwhile):
        await catalog.change_state(mall, made.id, "archived", version=1, actor=STAFF)
    assert await catalog.change_state(mall, made.id, "active", version=2, actor=STAFF) == active

    archived = await catalog.change_state(mall, made.id, "archived", version=2, actor=STAFF)
    with pytest.raises(StateRefused):
        await catalog.change_state(mall, made.id, "draft", version=archived.version, actor=STAFF)
    back = await catalog.change_state(mall, made.id, "active", version=archived.version, actor=STAFF)
    assert back.state == "active"
    assert await audited() == ["product.create", "product.active", "product.archived", "product.active"]


async def test_a_product_with_nothing_to_sell_is_not_published(mall: Mall) -> None:
    off = (SkuDraft(code="A", price_fen=1, active=False),)
    made = await catalog.create_product(mall, plain(1, skus=off, state=None), actor=STAFF)

    with pytest.raises(NothingToSell):
        await catalog.change_state(mall, made.id, "active", version=1, actor=STAFF)
    with pytest.raises(NothingToSell):
        await catalog.create_product(mall, plain(2, skus=off), actor=STAFF)


async def test_the_database_keeps_two_skus_from_sharing_a_combination(mall: Mall) -> None:
    made = await catalog.create_product(mall, latte(), actor=STAFF)

    with pytest.raises(Exception, match="sku_combination"):
        await db.execute("UPDATE sku SET options = '[\"Tall\"]' WHERE product_id = $1", made.id)


async def test_the_audit_trail_holds_only_what_differs(mall: Mall) -> None:
    made = await catalog.create_product(mall, latte(), actor=STAFF)
    await catalog.update_product(mall, made.id, ProductChanges(title="Mocha", sort=0), version=1, actor=STAFF)

    row = await db.row("SELECT * FROM audit_entry WHERE action = 'product.update'")
    assert row is not None
    assert row["before"] == '{"title": "Caffè Latte 拿铁"}'
    assert row["after"] == '{"title": "Mocha"}'
    assert (row["actor_kind"], row["actor_id"], row["subject_id"]) == ("staff", 7, str(made.id))
