"""The category tree. Changes of its shape take one lock, so two moves cannot close a circle between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import asyncpg

from core import db
from core.catalog.changes import categories_changed
from core.catalog.drafts import line
from core.catalog.errors import (
    CategoryCodeTaken,
    CategoryCycle,
    CategoryInvalid,
    CategoryNameTaken,
    CategoryNotEmpty,
    CategoryNotFound,
)
from core.catalog.types import CategoryNode, CategoryView
from core.events import audit
from core.kernel.ids import new_code
from core.kernel.mall import Mall
from core.kernel.origin import Actor

_LOCK = 0x63617465  # "cate": the shape of the tree changes one at a time
_LENGTH = 64


async def list_categories(mall: Mall) -> list[CategoryView]:
    """Return all categories, parents and children mixed, by sort and name."""
    return await db.fetch(CategoryView, "SELECT * FROM category ORDER BY sort, name, id")


async def category_tree(mall: Mall) -> tuple[CategoryNode, ...]:
    """Return the top categories, each with those below it."""
    below: dict[int | None, list[CategoryView]] = {}
    for category in await list_categories(mall):
        below.setdefault(category.parent_id, []).append(category)

    def nodes(parent_id: int | None) -> tuple[CategoryNode, ...]:
        return tuple(
            CategoryNode(id=c.id, code=c.code, name=c.name, children=nodes(c.id)) for c in below.get(parent_id, ())
        )

    return nodes(None)


async def get_category(mall: Mall, category_id: int) -> CategoryView:
    """Return one category; raises ``CategoryNotFound``."""
    found = await db.fetch_one(CategoryView, "SELECT * FROM category WHERE id = $1", category_id)
    if found is None:
        raise CategoryNotFound(category=category_id)
    return found


async def create_category(
    mall: Mall, name: str, *, code: str = "", parent_id: int | None = None, sort: int = 0, actor: Actor
) -> CategoryView:
    """Make a category; without a code it gets one. Raises ``CategoryNotFound`` (the parent), code or name taken."""
    name, code = _checked(name, code or new_code())
    sql = """INSERT INTO category (parent_id, code, name, sort, created_at) VALUES ($1, $2, $3, $4, $5)
        RETURNING *"""
    async with db.transaction():
        try:
            made = await db.fetch_one(CategoryView, sql, parent_id, code, name, sort, mall.clock.now())
        except asyncpg.ForeignKeyViolationError as exc:
            raise CategoryNotFound(category=parent_id) from exc
        except asyncpg.UniqueViolationError as exc:
            raise _taken(exc, code, name) from exc
        assert made is not None
        audit.record(mall, actor, "category.create", subject_kind="category", subject_id=made.id, after=made)
        categories_changed(mall)
        return made


async def update_category(
    mall: Mall,
    category_id: int,
    *,
    name: str | None = None,
    code: str | None = None,
    sort: int | None = None,
    actor: Actor,
) -> CategoryView:
    """Rename or re-sort a category; ``None`` leaves a field. Moving is ``move_category``."""
    async with db.transaction():
        known = await get_category(mall, category_id)
        name, code = _checked(known.name if name is None else name, known.code if code is None else code)
        sql = """UPDATE category SET name = $2, code = $3, sort = $4 WHERE id = $1 RETURNING *"""
        try:
            changed = await db.fetch_one(
                CategoryView, sql, category_id, name, code, known.sort if sort is None else sort
            )
        except asyncpg.UniqueViolationError as exc:
            raise _taken(exc, code, name) from exc
        return _changed(mall, "category.update", known, changed, actor)


async def move_category(mall: Mall, category_id: int, *, parent_id: int | None, actor: Actor) -> CategoryView:
    """Hang a category, with all below it, under another one (``None``: at the top).

    Raises ``CategoryCycle`` for a place below itself. Takes the lock of the tree.
    """
    sql = """
        WITH RECURSIVE above AS (
            SELECT id, parent_id FROM category WHERE id = $2
            UNION ALL SELECT c.id, c.parent_id FROM category c JOIN above ON c.id = above.parent_id)
        UPDATE category SET parent_id = $2 WHERE id = $1 AND NOT EXISTS (SELECT FROM above WHERE id = $1)
        RETURNING *"""
    async with db.transaction():
        await db.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        known = await get_category(mall, category_id)
        try:
            changed = await db.fetch_one(CategoryView, sql, category_id, parent_id)
        except asyncpg.ForeignKeyViolationError as exc:
            raise CategoryNotFound(category=parent_id) from exc
        except asyncpg.UniqueViolationError as exc:
            raise CategoryNameTaken(name=known.name) from exc
        if changed is None:
            raise CategoryCycle
        return _changed(mall, "category.move", known, changed, actor)


async def delete_category(mall: Mall, category_id: int, *, actor: Actor) -> None:
    """Delete a category that holds nothing; raises ``CategoryNotEmpty``. Foreign keys are the last word."""
    async with db.transaction():
        try:
            gone = await db.fetch_one(CategoryView, "DELETE FROM category WHERE id = $1 RETURNING *", category_id)
        except (asyncpg.RestrictViolationError, asyncpg.ForeignKeyViolationError) as exc:  # from 18 on; before
            raise CategoryNotEmpty from exc
        if gone is None:
            raise CategoryNotFound(category=category_id)
        audit.record(mall, actor, "category.delete", subject_kind="category", subject_id=category_id, before=gone)
        categories_changed(mall)


async def ensure_categories(
    mall: Mall, paths: Iterable[tuple[str, ...]], *, actor: Actor
) -> dict[tuple[str, ...], int]:
    """Return the id of each path of names (``("Drinks", "Coffee")``), making what is missing, level by level.

    Keys are the paths as given; spaces around names do not count. Two statements a level.
    """
    async with db.transaction():
        return await ensure_in_transaction(mall, paths, actor=actor)


async def ensure_in_transaction(
    mall: Mall, paths: Iterable[tuple[str, ...]], *, actor: Actor
) -> dict[tuple[str, ...], int]:
    """Do what ``ensure_categories`` does as a part of the caller's transaction."""
    db.assert_transaction()
    given = {path: tuple(line(name) for name in path) for path in paths}
    wanted = {path[:depth] for path in given.values() for depth in range(1, len(path) + 1)}
    ids: dict[tuple[str, ...], int] = {}
    for depth in range(1, max(map(len, wanted), default=0) + 1):
        level = sorted(path for path in wanted if len(path) == depth)
        ids |= await _ensure_level(mall, level, [ids.get(path[:-1]) for path in level], actor)
    return {path: ids[cleaned] for path, cleaned in given.items() if cleaned}


async def _ensure_level(
    mall: Mall, level: Sequence[tuple[str, ...]], parents: Sequence[int | None], actor: Actor
) -> dict[tuple[str, ...], int]:
    names = [_checked(path[-1], "-")[0] for path in level]
    args = (list(parents), names)
    made = await db.rows(
        """INSERT INTO category (parent_id, code, name, sort, created_at)
           SELECT * FROM unnest($1::bigint[], $3::text[], $2::text[], array_fill(0, ARRAY[cardinality($2::text[])]),
                                array_fill($4::timestamptz, ARRAY[cardinality($2::text[])]))
           ON CONFLICT (coalesce(parent_id, 0), name) DO NOTHING RETURNING id, name""",
        *args, [new_code() for _ in level], mall.clock.now(),
    )  # fmt: skip
    for row in made:
        audit.record(
            mall, actor, "category.create", subject_kind="category", subject_id=row["id"], after={"name": row["name"]}
        )
    if made:
        categories_changed(mall)
    found = await db.rows(
        """SELECT c.id, c.parent_id, c.name FROM category c
           JOIN unnest($1::bigint[], $2::text[]) AS w(parent_id, name)
           ON c.name = w.name AND coalesce(c.parent_id, 0) = coalesce(w.parent_id, 0)""",
        *args,
    )  # fmt: skip
    by_place = {(r["parent_id"], r["name"]): r["id"] for r in found}
    return {path: by_place[parent, path[-1]] for path, parent in zip(level, parents, strict=True)}


def _checked(name: str, code: str) -> tuple[str, str]:
    name, code = line(name), line(code)
    if not 1 <= len(name) <= _LENGTH or not 1 <= len(code) <= _LENGTH:
        raise CategoryInvalid(reason=f"1 … {_LENGTH}")
    return name, code


def _taken(exc: asyncpg.UniqueViolationError, code: str, name: str) -> CategoryCodeTaken | CategoryNameTaken:
    if exc.constraint_name == "category_sibling_name":
        return CategoryNameTaken(name=name)
    return CategoryCodeTaken(category=code)


def _changed(mall: Mall, action: str, known: CategoryView, changed: CategoryView | None, actor: Actor) -> CategoryView:
    if changed is None:
        raise CategoryNotFound(category=known.id)
    if changed != known:
        audit.record(mall, actor, action, subject_kind="category", subject_id=known.id, before=known, after=changed)
        categories_changed(mall)
    return changed
