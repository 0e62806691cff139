from __future__ import annotations

import pytest

from core import db
from core.catalog import service as catalog
from core.catalog.errors import (
    CategoryCodeTaken,
    CategoryCycle,
    CategoryInvalid,
    CategoryNameTaken,
    CategoryNotEmpty,
    CategoryNotFound,
)
from core.catalog.types import CategoryView
from core.kernel.mall import Mall
from core.testing.races import gap, run_together
from tests.core.catalog.samples import STAFF, audited, latte


async def a_category(mall: Mall, name: str, parent: CategoryView | None = None) -> CategoryView:
    return await catalog.create_category(mall, name, parent_id=parent.id if parent else None, actor=STAFF)


async def test_bad_names_and_places_are_refused(mall: Mall) -> None:
    await catalog.create_category(mall, "Drinks", code="drinks", actor=STAFF)

    with pytest.raises(CategoryInvalid):
        await a_category(mall, "  ")
    with pytest.raises(CategoryNotFound):
        await catalog.create_category(mall, "Tea", parent_id=999, actor=STAFF)
    with pytest.raises(CategoryNameTaken):
        await a_category(mall, " Drinks ")
    with pytest.raises(CategoryCodeTaken):
        await catalog.create_category(mall, "Tea", code="drinks", actor=STAFF)


async def test_a_category_cannot_be_moved_below_itself(mall: Mall) -> None:
    top = await a_category(mall, "Drinks")
    middle = await a_category(mall, "Coffee", top)
    leaf = await a_category(mall, "Hot", middle)

    for parent in (top, middle, leaf):
        with pytest.raises(CategoryCycle):
            await catalog.move_category(mall, top.id, parent_id=parent.id, actor=STAFF)
    with pytest.raises(CategoryNotFound):
        await catalog.move_category(mall, top.id, parent_id=999, actor=STAFF)

    moved = await catalog.move_category(mall, leaf.id, parent_id=None, actor=STAFF)
    assert moved.parent_id is None
    assert (await audited())[-1] == "category.move"


async def test_two_moves_at_once_do_not_close_a_circle(mall: Mall) -> None:
    for _ in range(5):
        a, b = await a_category(mall, f"a{_}"), await a_category(mall, f"b{_}")
        pairs = [(a.id, b.id), (b.id, a.id)]

        outcomes = await run_together(
            2, lambda n, pairs=pairs: catalog.move_category(mall, pairs[n][0], parent_id=pairs[n][1], actor=STAFF)
        )

        assert sorted(o.ok for o in outcomes) == [False, True]
        assert [type(o.error) for o in outcomes if not o.ok] == [CategoryCycle]


async def test_without_the_lock_the_circle_closes(mall: Mall) -> None:
    """The negative control: each statement alone sees no circle."""
    a, b = await a_category(mall, "a"), await a_category(mall, "b")
    pairs = [(a.id, b.id), (b.id, a.id)]

    async def unguarded(n: int) -> None:
        async with db.transaction():
            if await db.value("SELECT parent_id FROM category WHERE id = $1", pairs[n][1]) == pairs[n][0]:
                raise CategoryCycle
            await gap()
            await db.execute("UPDATE category SET parent_id = $2 WHERE id = $1", *pairs[n])

    assert all(o.ok for o in await run_together(2, unguarded))


async def test_only_an_empty_category_is_deleted(mall: Mall) -> None:
    top = await a_category(mall, "Drinks")
    leaf = await a_category(mall, "Coffee", top)
    await catalog.create_product(mall, latte(category_id=leaf.id), actor=STAFF)

    for category in (top, leaf):
        with pytest.raises(CategoryNotEmpty):
            await catalog.delete_category(mall, category.id, actor=STAFF)
    with pytest.raises(CategoryNotFound):
        await catalog.delete_category(mall, 999, actor=STAFF)

    empty = await a_category(mall, "Tea")
    await catalog.delete_category(mall, empty.id, actor=STAFF)
    assert [c.name for c in await catalog.list_categories(mall)] == ["Coffee", "Drinks"]


async def test_the_tree_is_nested_in_its_order(mall: Mall) -> None:
    food = await a_category(mall, "Food")
    drinks = await catalog.create_category(mall, "Zero drinks", sort=-1, actor=STAFF)
    await a_category(mall, "Tea", drinks)
    await a_category(mall, "Coffee", drinks)

    tree = await catalog.category_tree(mall)

    assert [(n.name, [c.name for c in n.children]) for n in tree] == [("Zero drinks", ["Coffee", "Tea"]), ("Food", [])]
    renamed = await catalog.update_category(mall, food.id, name="Bakery", actor=STAFF)
    assert (renamed.name, renamed.code) == ("Bakery", food.code)


async def test_paths_are_made_once(mall: Mall) -> None:
    paths = [("饮品", "咖啡"), ("饮品", "茶"), ("饮品",), ("Food", "咖啡"), (" 饮品 ", "咖啡")]

    first = await catalog.ensure_categories(mall, paths, actor=STAFF)
    again = await catalog.ensure_categories(mall, paths, actor=STAFF)

    assert first == again
    assert len({first[p] for p in paths}) == 4
    assert first[paths[0]] == first[paths[4]]
    assert len(await catalog.list_categories(mall)) == 5
    assert await catalog.ensure_categories(mall, [], actor=STAFF) == {}
