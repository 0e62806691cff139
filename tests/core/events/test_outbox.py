"""What a transaction emits and defers is written with it, or not at all."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import ClassVar

import pytest

from core import db
from core.events import Event, defer, emit
from core.events.outbox import PayloadInvalid
from core.kernel.contracts import EventHandler, Job, ObjectMissing
from core.kernel.mall import Mall
from core.kernel.origin import Origin
from core.plugin_host import disable
from core.testing.pytest_plugin import MakeMall


class Rang(Event, frozen=True, kw_only=True):
    """Emitted by these tests only."""

    name: ClassVar[str] = "bell.rang"
    times: int


async def ignore(_mall: Mall, _event: object) -> None:
    """Handle an event by doing nothing."""


async def do_nothing(_mall: Mall, _payload: dict[str, object]) -> None:
    """Run as a job by doing nothing."""


@pytest.fixture
def listening(mall: Mall) -> Mall:
    mall.objects.add(EventHandler, "bell.one", EventHandler("bell.one", Rang, ignore))
    mall.objects.add(EventHandler, "bell.two", EventHandler("bell.two", Rang, ignore))
    mall.objects.add(Job, "bell.wind", Job("bell.wind", do_nothing))
    return mall


def fail() -> None:
    raise ZeroDivisionError


async def count(table: str) -> int:
    return await db.value(f"SELECT count(*) FROM {table}")


async def test_emit_outside_a_transaction_is_refused(listening: Mall) -> None:
    with pytest.raises(db.NoTransaction):
        emit(listening, Rang(times=1))


async def test_defer_outside_a_transaction_is_refused(listening: Mall) -> None:
    with pytest.raises(db.NoTransaction):
        defer(listening, "bell.wind", {}, at=listening.clock.now())


async def test_a_job_that_nobody_registered_is_refused(listening: Mall) -> None:
    async with db.transaction():
        with pytest.raises(ObjectMissing):
            defer(listening, "bell.melt", {}, at=listening.clock.now())


async def test_a_payload_that_is_not_json_is_refused(listening: Mall) -> None:
    async with db.transaction():
        with pytest.raises(PayloadInvalid):
            defer(listening, "bell.wind", {"bell": object()}, at=listening.clock.now())


async def test_a_rollback_takes_events_and_jobs_with_it(listening: Mall) -> None:
    with contextlib.suppress(ZeroDivisionError):
        async with db.transaction():
            emit(listening, Rang(times=1))
            defer(listening, "bell.wind", {}, at=listening.clock.now())
            fail()

    assert [await count(t) for t in ("event", "event_delivery", "pgqueuer")] == [0, 0, 0]


async def test_a_savepoint_that_is_undone_forgets_what_it_emitted_and_deferred(listening: Mall) -> None:
    async with db.transaction():
        emit(listening, Rang(times=1))
        with contextlib.suppress(ZeroDivisionError):
            async with db.savepoint():
                emit(listening, Rang(times=2))
                defer(listening, "bell.wind", {}, at=listening.clock.now())
                fail()
        emit(listening, Rang(times=3))

    found = await db.rows("SELECT payload->>'times' AS times FROM event ORDER BY id")
    assert [r["times"] for r in found] == ["1", "3"]
    assert await count("pgqueuer") == 0


async def test_events_and_deliveries_take_one_statement_and_jobs_another(listening: Mall) -> None:
    seen: list[str] = []
    token = db.round_trips.set(seen)
    try:
        async with db.transaction():
            for times in range(3):
                emit(listening, Rang(times=times))
                defer(listening, "bell.wind", {"times": times}, at=listening.clock.now())
    finally:
        db.round_trips.reset(token)

    assert len(seen) == 4  # BEGIN, events with deliveries, jobs, COMMIT
    assert [await count(t) for t in ("event", "event_delivery", "pgqueuer")] == [3, 6, 3]


async def test_an_event_carries_its_origin_and_the_time_of_the_mall(listening: Mall) -> None:
    async with db.transaction():
        emit(listening, Rang(times=1, origin=Origin(channel="pos", store_id=7, staff_id=9)))

    row = await db.row("SELECT * FROM event")
    assert row is not None
    assert (row["name"], row["channel"], row["store_id"], row["staff_id"]) == ("bell.rang", "pos", 7, 9)
    assert row["at"] == listening.clock.now()


async def test_an_event_that_nobody_handles_is_kept_and_owed_to_nobody(mall: Mall) -> None:
    async with db.transaction():
        emit(mall, Rang(times=1))

    assert [await count(t) for t in ("event", "event_delivery")] == [1, 0]


async def test_an_event_is_owed_to_the_plugins_that_are_on_only(make_mall: MakeMall) -> None:
    mall = await make_mall(extra={"on_one": object(), "off_one": object()})
    for owner in ("on_one", "off_one"):
        mall.objects.add(EventHandler, f"{owner}.bell", EventHandler(f"{owner}.bell", Rang, ignore), owner=owner)
    await disable(mall, "off_one")

    async with db.transaction():
        emit(mall, Rang(times=1))

    assert [r["handler"] for r in await db.rows("SELECT handler FROM event_delivery")] == ["on_one.bell"]


async def test_an_event_cannot_be_changed_afterwards(listening: Mall) -> None:
    async with db.transaction():
        emit(listening, Rang(times=1))

    with pytest.raises(Exception, match="events are not changed"):
        await db.execute("UPDATE event SET name = 'bell.sang'")


async def test_a_key_that_waits_is_not_queued_again(listening: Mall) -> None:
    at = listening.clock.now() + timedelta(minutes=5)
    for _ in range(2):
        async with db.transaction():
            defer(listening, "bell.wind", {}, at=at, key="7")
            defer(listening, "bell.wind", {}, at=at, key="7")
            defer(listening, "bell.wind", {}, at=at)

    keys = [r["dedupe_key"] for r in await db.rows("SELECT dedupe_key FROM pgqueuer ORDER BY id")]
    assert sorted(k or "" for k in keys) == ["", "", "bell.wind:7"]


async def test_a_job_waits_from_now_on_until_its_time(listening: Mall) -> None:
    async with db.transaction():
        defer(listening, "bell.wind", {}, at=listening.clock.now() + timedelta(minutes=30))
        defer(listening, "bell.wind", {}, at=listening.clock.now() - timedelta(minutes=30))

    waits = await db.rows("SELECT execute_after - created AS wait FROM pgqueuer ORDER BY id")
    assert [round(r["wait"].total_seconds()) for r in waits] == [1800, 0]
