"""Stores: their details, hours and position. A change is one transaction with its audit entry and its event."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from core import db
from core.events import audit, emit
from core.kernel.errors import Problem
from core.kernel.mall import Mall
from core.kernel.origin import Actor, Origin
from core.stores import checks, queries
from core.stores.errors import CloseInvalid, StoreCodeTaken, StoreInvalid, StoreNotFound, StoreVersionConflict, problem
from core.stores.events import StoreChanged, StoreCreated
from core.stores.types import (
    Box,
    CityCount,
    Extras,
    Service,
    StoreChange,
    StoreDraft,
    StoreFilter,
    StorePoint,
    StoreView,
    UpsertResult,
)

# reading --------------------------------------------------------------------------------------------------------------


async def get_store(mall: Mall, store_id: int) -> StoreView:
    """Return a store in any state. Raises ``StoreNotFound``."""
    found = await queries.get(store_id)
    if found is None:
        raise StoreNotFound
    return found


async def get_by_code(mall: Mall, code: str) -> StoreView:
    """Return a store in any state by its code. Raises ``StoreNotFound``."""
    found = await queries.get_by_code(code)
    if found is None:
        raise StoreNotFound
    return found


async def stores_by_ids(mall: Mall, ids: Sequence[int]) -> dict[int, StoreView]:
    """Return the stores that exist among ``ids``, in any state: one statement."""
    return {store.id: store for store in await queries.by_ids(ids)}


async def list_stores(
    mall: Mall, where: StoreFilter | None = None, *, after: int | None = None, limit: int = 20
) -> list[StoreView]:
    """Return up to ``limit`` stores in the default order (by id), beginning after the id ``after``."""
    return await queries.page(where or StoreFilter(), after=after or 0, limit=limit)


async def active_ids(mall: Mall, *, city: str = "", service: Service | None = None) -> list[int]:
    """Return the ids of all active stores of a city with a service, in the default order."""
    return await queries.ids(StoreFilter(city=city, service=service, state="active"))


async def active_points(
    mall: Mall,
    *,
    box: Box | None = None,
    service: Service | None = None,
    ids: Sequence[int] | None = None,
    or_changed_since: datetime | None = None,
) -> list[StorePoint]:
    """Return where the active stores with a position are, in no order: those in ``box`` that have ``service``.

    With ``ids`` only these, and besides them the stores that changed after ``or_changed_since``: what an index that
    lags behind may not know yet.
    """
    return await queries.points(box=box, service=service, ids=ids, or_changed_since=or_changed_since)


async def search_stores(mall: Mall, q: str, *, limit: int = 20) -> list[StoreView]:
    """Return active stores whose name, code or address has every word of ``q``, the best first; else similar ones."""
    q = q.strip().replace("\0", "")
    return await queries.search(q, limit=limit) if q else []


async def list_cities(mall: Mall) -> list[CityCount]:
    """Return the cities with active stores, the ones with most stores first."""
    return await queries.cities()


async def extras(mall: Mall, ids: Sequence[int]) -> Extras:
    """Ask the plugins once (``extend_stores``) what they add to these stores: one call a page, lenient."""
    if not ids or not mall.hooks.has("extend_stores"):
        return Extras()
    answers = await mall.hooks.lenient("extend_stores", mall=mall, ids=tuple(ids))
    found: dict[int, dict[str, object]] = {}
    for plugin_id, by_id in answers.given:
        for store_id, extra in by_id.items():
            found.setdefault(store_id, {})[plugin_id] = extra
    return Extras(by_store=found, failed=answers.failed)


# changing -------------------------------------------------------------------------------------------------------------


async def create_store(mall: Mall, draft: StoreDraft, *, actor: Actor) -> StoreView:
    """Make a store. Raises ``StoreInvalid`` with every reason, or ``StoreCodeTaken``."""
    row = _checked(draft)
    async with db.transaction():
        store = await queries.insert(row, mall.clock.now())
        if store is None:
            raise StoreCodeTaken(store=draft.code)
        _record(mall, actor, "store.create", store.id, before=None, after=_facts(store, row))
        emit(mall, StoreCreated(store_id=store.id, origin=_origin(store.id, actor)))
    return store


async def update_store(mall: Mall, store_id: int, change: StoreChange, *, version: int, actor: Actor) -> StoreView:
    """Change what ``change`` gives, if the store still has ``version``. What is the same already is no change.

    Raises ``StoreNotFound``, ``StoreInvalid`` with every reason, or ``StoreVersionConflict``.
    """
    row = _checked(change)
    async with db.transaction():
        before = await queries.get(store_id)
        if before is None:
            raise StoreNotFound
        if before.version != version:
            raise StoreVersionConflict
        now_there = msgspec.to_builtins(before)
        changed = {name: value for name, value in row.items() if now_there[name] != msgspec.to_builtins(value)}
        if not changed:
            return before
        # The version in WHERE is the guard: whoever was faster between the two statements wins.
        after = await queries.update(store_id, version, changed, mall.clock.now())
        if after is None:
            raise StoreVersionConflict
        _record(mall, actor, "store.update", store_id, before=_facts(before, changed), after=_facts(after, changed))
        emit(mall, StoreChanged(store_id=store_id, origin=_origin(store_id, actor)))
    return after


async def close_temporarily(
    mall: Mall,
    store_id: int,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    reason: str = "",
    actor: Actor,
) -> StoreView:
    """Close a store from ``since`` (now, if ``None``) until ``until`` (until reopened, if ``None``).

    Raises ``StoreNotFound`` or ``CloseInvalid``.
    """
    now = mall.clock.now()
    begin = since or now
    if until is not None and (until <= begin or until <= now):
        raise CloseInvalid
    return await _set_close(mall, store_id, "store.close", since=begin, until=until, reason=reason.strip(), actor=actor)


async def reopen(mall: Mall, store_id: int, *, actor: Actor) -> StoreView:
    """Lift a temporary close; harmless when there is none. Raises ``StoreNotFound``."""
    return await _set_close(mall, store_id, "store.reopen", since=None, until=None, reason="", actor=actor)


async def upsert_stores(
    mall: Mall, drafts: Sequence[StoreDraft], *, actor: Actor, dry_run: bool = False
) -> list[UpsertResult]:
    """Create or change many stores by code, in a few statements and one transaction; results in the drafts' order.

    A draft that cannot be used is rejected alone, with its reasons. What is the same already is not written, audited or
    announced. ``dry_run`` says what would happen and undoes it.
    """
    async with db.transaction():
        if not dry_run:
            return await upsert_in_transaction(mall, drafts, actor=actor)
        results: list[UpsertResult] = []
        with contextlib.suppress(_Undo):
            async with db.savepoint():
                results = await upsert_in_transaction(mall, drafts, actor=actor)
                raise _Undo
    return [msgspec.structs.replace(r, store_id=None) if r.outcome == "created" else r for r in results]


async def upsert_in_transaction(mall: Mall, drafts: Sequence[StoreDraft], *, actor: Actor) -> list[UpsertResult]:
    """Do the work of ``upsert_stores`` in the running transaction."""
    db.assert_transaction()
    rejected: dict[int, tuple[Problem, ...]] = {}
    groups: dict[tuple[str, ...], dict[str, dict[str, Any]]] = {}
    seen: set[str] = set()
    for position, draft in enumerate(drafts):
        row, problems = checks.columns(draft)
        if draft.code in seen:
            zh, en = "门店编码“{store}”重复出现。", "The store code “{store}” comes twice."
            problems.append(problem("stores.code_twice", zh, en, store=draft.code))
        seen.add(draft.code)
        if problems:
            rejected[position] = tuple(problems)
        else:
            groups.setdefault(tuple(name for name in queries.COLUMNS if name in row), {})[draft.code] = row
    written: dict[str, tuple[int, bool]] = {}
    for given, rows in groups.items():
        # One order of codes for every import: two at once queue up instead of locking each other out.
        written |= await queries.upsert([rows[code] for code in sorted(rows)], given, mall.clock.now())
    same = [code for rows in groups.values() for code in rows if code not in written]
    known = await queries.ids_by_code(same) if same else {}
    for code, (store_id, created) in written.items():
        _record(mall, actor, "store.import", store_id, before=None, after={"code": code, "created": created})
        origin = _origin(store_id, actor)
        event = StoreCreated if created else StoreChanged
        emit(mall, event(store_id=store_id, origin=origin))
    return [
        UpsertResult(code=draft.code, outcome="rejected", problems=rejected[position])
        if position in rejected
        else _result(draft.code, written, known)
        for position, draft in enumerate(drafts)
    ]


class _Undo(Exception):
    """Takes back what a dry run wrote."""


def _result(code: str, written: Mapping[str, tuple[int, bool]], known: Mapping[str, int]) -> UpsertResult:
    if code in written:
        store_id, created = written[code]
        return UpsertResult(code=code, outcome="created" if created else "changed", store_id=store_id)
    return UpsertResult(code=code, outcome="unchanged", store_id=known[code])


async def _set_close(
    mall: Mall, store_id: int, action: str, *, since: datetime | None, until: datetime | None, reason: str, actor: Actor
) -> StoreView:
    async with db.transaction():
        before = await get_store(mall, store_id)
        after = await queries.set_close(store_id, since=since, until=until, reason=reason, now=mall.clock.now())
        if after is None:
            return before
        facts = ("closed_from", "closed_until", "closed_reason")
        _record(mall, actor, action, store_id, before=_facts(before, facts), after=_facts(after, facts))
        emit(mall, StoreChanged(store_id=store_id, origin=_origin(store_id, actor)))
    return after


def _checked(change: StoreChange) -> dict[str, Any]:
    row, problems = checks.columns(change)
    if problems:
        raise StoreInvalid(problems=problems, count=len(problems))
    return row


def _facts(store: StoreView, names: Sequence[str] | Mapping[str, Any]) -> dict[str, Any]:
    return {name: getattr(store, name) for name in names}


def _record(mall: Mall, actor: Actor, action: str, store_id: int, *, before: object, after: object) -> None:
    audit.record(
        mall, actor, action, subject_kind="store", subject_id=store_id, store_id=store_id, before=before, after=after
    )


def _origin(store_id: int, actor: Actor) -> Origin:
    return Origin(channel="admin", store_id=store_id, staff_id=actor.id if actor.kind == "staff" else None)
