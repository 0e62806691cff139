from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import asyncpg
import pytest

from core import db
from core.kernel.origin import Actor
from core.staff import service
from core.staff.service import AuditFilter
from core.staff.types import StaffChange

if TYPE_CHECKING:
    from core.kernel.mall import Mall
    from core.testing.clock import FrozenClock

PASSWORD = "a long pass phrase"
ACTOR = Actor(kind="staff", id=7, name="Wei")


async def _note(mall: Mall, action: str, *, actor: Actor = ACTOR, store_id: int | None = None) -> None:
    async with db.transaction():
        service.audit(mall, actor, action, subject_kind="thing", subject_id=1, store_id=store_id, after={"n": 1})


async def test_an_entry_can_neither_be_changed_nor_removed(mall: Mall) -> None:
    await _note(mall, "thing.make")

    with pytest.raises(asyncpg.RaiseError):
        await db.execute("UPDATE audit_entry SET action = 'other'")
    with pytest.raises(asyncpg.RaiseError):
        await db.execute("DELETE FROM audit_entry")


async def test_a_change_that_changes_nothing_leaves_no_entry(mall: Mall) -> None:
    person = await service.create_staff(mall, "chen", name="Chen", password=PASSWORD)
    await service.update_staff(mall, person.id, change=StaffChange(name="Chen"), actor=Actor(kind="system"))

    entries = await service.list_audit(mall, AuditFilter(action="staff.*"))

    assert [e.action for e in entries] == ["staff.create"]


async def test_a_change_shows_before_and_after(mall: Mall) -> None:
    person = await service.create_staff(mall, "chen", name="Chen", password=PASSWORD)
    await service.update_staff(mall, person.id, change=StaffChange(name="Li"), actor=Actor(kind="system"))

    [entry] = await service.list_audit(mall, AuditFilter(action="staff.update", subject_id=str(person.id)))

    assert entry.before is not None
    assert entry.after is not None
    assert (entry.before["name"], entry.after["name"]) == ("Chen", "Li")


async def test_entries_are_found_by_actor_action_store_and_time(mall: Mall, clock: FrozenClock) -> None:
    early = clock.now()
    await _note(mall, "thing.make", store_id=3)
    clock.advance(timedelta(hours=1))
    await _note(mall, "thing.drop", actor=Actor(kind="job", name="nightly"))

    async def actions(wanted: AuditFilter, scope: tuple[int, ...] | None = None) -> list[str]:
        return [e.action for e in await service.list_audit(mall, wanted, scope=scope)]

    assert await actions(AuditFilter()) == ["thing.drop", "thing.make"]
    assert await actions(AuditFilter(actor_kind="staff", actor_id=7)) == ["thing.make"]
    assert await actions(AuditFilter(actor_kind="job")) == ["thing.drop"]
    assert await actions(AuditFilter(action="thing.drop")) == ["thing.drop"]
    assert await actions(AuditFilter(action="other.*")) == []
    assert await actions(AuditFilter(until=clock.now())) == ["thing.make"]
    assert await actions(AuditFilter(since=early, until=early)) == []
    assert await actions(AuditFilter(), scope=(3,)) == ["thing.make"]
    assert await actions(AuditFilter(), scope=()) == []


async def test_pages_follow_each_other_without_a_gap(mall: Mall) -> None:
    for i in range(5):
        await _note(mall, f"thing.make{i}")

    first = await service.list_audit(mall, AuditFilter(), limit=3)
    second = await service.list_audit(mall, AuditFilter(), before_id=first[-1].id, limit=3)

    assert [e.action for e in first + second] == [f"thing.make{i}" for i in (4, 3, 2, 1, 0)]
