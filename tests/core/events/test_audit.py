from __future__ import annotations

import pytest

from core import db
from core.events import audit
from core.kernel import request
from core.kernel.mall import Mall
from core.kernel.origin import Actor

STAFF = Actor(kind="staff", id=7, name="Mei")


def note(mall: Mall, action: str) -> None:
    audit.record(
        mall, STAFF, action, subject_kind="thing", subject_id=5, store_id=3, before={"a": 1}, after=Actor(kind="x")
    )


async def recorded() -> list[str]:
    return [r["action"] for r in await db.rows("SELECT action FROM audit_entry ORDER BY id")]


async def test_outside_a_transaction_nothing_is_recorded(mall: Mall) -> None:
    with pytest.raises(db.NoTransaction):
        note(mall, "thing.change")


async def test_what_is_undone_leaves_no_entry(mall: Mall) -> None:
    async def part() -> None:
        async with db.savepoint():
            note(mall, "thing.undone")
            raise ValueError

    async with db.transaction():
        note(mall, "thing.first")
        with pytest.raises(ValueError):  # noqa: PT011 - our own
            await part()
        note(mall, "thing.last")

    assert await recorded() == ["thing.first", "thing.last"]


async def test_a_transaction_that_fails_leaves_no_entry(mall: Mall) -> None:
    async def use_case() -> None:
        async with db.transaction():
            note(mall, "thing.change")
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - our own
        await use_case()

    assert await recorded() == []


async def test_an_entry_says_who_what_where_and_when_in_one_statement_for_all(mall: Mall) -> None:
    token = request.current.set(request.RequestInfo(request_id="r" * 100, ip="10.0.0.1"))
    seen: list[str] = []
    trips = db.round_trips.set(seen)
    async with db.transaction():
        for n in range(3):
            note(mall, f"thing.{n}")
    db.round_trips.reset(trips)
    request.current.reset(token)

    assert sum("audit_entry" in sql for sql in seen) == 1
    row = await db.row("SELECT * FROM audit_entry ORDER BY id LIMIT 1")
    assert row is not None
    assert (row["actor_kind"], row["actor_id"], row["actor_name"]) == ("staff", 7, "Mei")
    assert (row["subject_kind"], row["subject_id"], row["store_id"]) == ("thing", "5", 3)
    assert (row["before"], row["after"]) == ('{"a": 1}', '{"id": null, "kind": "x", "name": ""}')
    assert (row["request_id"], row["ip"], row["at"]) == ("r" * 64, "10.0.0.1", mall.clock.now())
