"""Delivery: at least once, each handler alone, never a doubled effect."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import ClassVar

import msgspec
import pytest

from core import db
from core.events import Event, delivery, emit
from core.kernel.contracts import EventHandler
from core.kernel.mall import Mall
from core.plugin_host import disable, enable
from core.testing.clock import FrozenClock
from core.testing.pytest_plugin import MakeMall
from core.testing.races import gap, run_together


class Rang(Event, frozen=True, kw_only=True):
    """Emitted by these tests only."""

    name: ClassVar[str] = "bell.rang"
    times: int


class Ear:
    """A handler that notes what it heard in the database (in a table with a unique name), and fails on demand."""

    def __init__(self, fail: int = 0) -> None:
        self.calls = 0
        self.fail = fail
        self.heard: list[Rang] = []

    async def run(self, _mall: Mall, event: Rang) -> None:
        self.calls += 1
        await note(f"heard {event.event_id} {self.calls}")
        if self.calls <= self.fail:
            raise ValueError("deaf")
        self.heard.append(event)


async def note(text: str) -> None:
    await db.execute("INSERT INTO staff_role (code, name, permissions) VALUES ($1, $1, '{}')", text)


async def noted() -> int:
    return await db.value("SELECT count(*) FROM staff_role")


async def ring(mall: Mall, times: int = 1) -> None:
    async with db.transaction():
        emit(mall, Rang(times=times))


def listen(mall: Mall, ear: Ear, name: str = "bell.ear", *, in_transaction: bool = True, owner: str = "core") -> None:
    mall.objects.add(EventHandler, name, EventHandler(name, Rang, ear.run, in_transaction=in_transaction), owner=owner)


async def the_delivery() -> db.Row:
    row = await db.row("SELECT * FROM event_delivery")
    assert row is not None
    return row


async def test_a_failing_handler_leaves_no_effect_and_is_tried_again_later(mall: Mall, clock: FrozenClock) -> None:
    ear = Ear(fail=1)
    listen(mall, ear)
    await ring(mall)

    assert await delivery.deliver_due(mall) == 1
    assert await noted() == 0
    waiting = await the_delivery()
    assert (waiting["state"], waiting["tries"], waiting["last_error"]) == ("due", 1, "ValueError: deaf")
    assert waiting["due_at"] == clock.now() + timedelta(minutes=1)

    assert await delivery.deliver_due(mall) == 0  # not yet
    clock.advance(timedelta(minutes=1))
    assert await delivery.deliver_due(mall) == 1
    assert (await the_delivery())["state"] == "done"
    assert await noted() == 1


async def test_a_handler_that_never_succeeds_is_parked_after_its_backoff(mall: Mall, clock: FrozenClock) -> None:
    ear = Ear(fail=99)
    listen(mall, ear)
    await ring(mall)

    waits: list[timedelta] = []
    for _ in range(5):
        await delivery.deliver_due(mall)
        waits.append((await the_delivery())["due_at"] - clock.now())
        clock.advance(waits[-1])
    await delivery.deliver_due(mall)

    assert waits == [timedelta(minutes=m) for m in (1, 5, 30, 120, 720)]
    [dead] = await delivery.list_dead(mall)
    assert (dead.handler, dead.event, dead.tries, dead.payload["times"]) == ("bell.ear", "bell.rang", 6, 1)
    clock.advance(timedelta(days=30))
    assert await delivery.deliver_due(mall) == 0


async def test_a_dead_delivery_can_be_run_again(mall: Mall, clock: FrozenClock) -> None:
    ear = Ear(fail=6)
    listen(mall, ear)
    await ring(mall)
    for _ in range(6):
        await delivery.deliver_due(mall)
        clock.advance(timedelta(days=1))
    [dead] = await delivery.list_dead(mall)

    async with db.transaction():
        await delivery.rerun(mall, dead.id)
    await delivery.deliver_due(mall)

    assert (await the_delivery())["state"] == "done"
    assert await delivery.list_dead(mall) == []


async def test_only_a_dead_delivery_is_run_again(mall: Mall) -> None:
    listen(mall, Ear())
    await ring(mall)
    delivery_id = (await the_delivery())["id"]

    async with db.transaction():
        with pytest.raises(delivery.DeliveryNotDead):
            await delivery.rerun(mall, delivery_id)
        with pytest.raises(delivery.DeliveryNotFound):
            await delivery.rerun(mall, delivery_id + 1)


async def test_one_handler_that_fails_does_not_hold_up_another(mall: Mall) -> None:
    deaf, well = Ear(fail=9), Ear()
    listen(mall, deaf, "bell.deaf")
    listen(mall, well, "bell.well")
    await ring(mall)

    assert await delivery.deliver_due(mall) == 2
    states = await db.rows("SELECT handler, state FROM event_delivery ORDER BY handler")
    assert [tuple(r) for r in states] == [("bell.deaf", "due"), ("bell.well", "done")]


async def test_the_handler_gets_the_event_as_it_was_emitted(mall: Mall) -> None:
    ear = Ear()
    listen(mall, ear)
    await ring(mall, times=3)
    await delivery.deliver_due(mall)

    [event] = ear.heard
    assert event == Rang(times=3, at=mall.clock.now(), event_id=await db.value("SELECT id FROM event"))


async def test_events_are_delivered_in_the_order_in_which_they_happened(mall: Mall) -> None:
    ear = Ear()
    listen(mall, ear)
    for times in range(4):
        await ring(mall, times)
    await delivery.deliver_due(mall)

    assert [e.times for e in ear.heard] == [0, 1, 2, 3]


async def naive_delivery(mall: Mall, ear: Ear) -> None:
    """Deliver as someone would who had not thought of a second worker: read what is due, then do it."""
    for row in await db.rows("SELECT d.id, e.payload FROM event_delivery d JOIN event e ON e.id = d.event_id"):
        await gap(0.01)
        ear.heard.append(msgspec.json.decode(row["payload"], type=Rang))
        await db.execute("UPDATE event_delivery SET state = 'done', done_at = now() WHERE id = $1", row["id"])


async def test_workers_side_by_side_would_double_effects_without_the_lock(mall: Mall) -> None:
    """The negative control of the next test."""
    ear = Ear()
    listen(mall, ear)
    await ring(mall)

    await run_together(2, lambda: naive_delivery(mall, ear))

    assert len(ear.heard) == 2


async def test_workers_side_by_side_deliver_each_once(mall: Mall) -> None:
    """The handlers are slow, so the workers really meet; the unique note would fail a second effect."""
    ear = Ear()

    async def slow(mall: Mall, event: Rang) -> None:
        await asyncio.sleep(0.02)
        await ear.run(mall, event)

    mall.objects.add(EventHandler, "bell.slow", EventHandler("bell.slow", Rang, slow))
    for times in range(8):
        await ring(mall, times)

    outcomes = await run_together(4, lambda: delivery.deliver_due(mall))

    assert all(o.ok for o in outcomes)
    assert sum(o.value for o in outcomes) == 8
    assert sorted(e.times for e in ear.heard) == list(range(8))


async def test_a_handler_outside_a_transaction_holds_a_lease(mall: Mall, clock: FrozenClock) -> None:
    started, go = asyncio.Event(), asyncio.Event()
    calls: list[int] = []

    async def calls_the_network(_mall: Mall, event: Rang) -> None:
        db.assert_no_transaction()
        calls.append(event.times)
        started.set()
        await go.wait()

    mall.objects.add(EventHandler, "bell.far", EventHandler("bell.far", Rang, calls_the_network, in_transaction=False))
    await ring(mall)
    first = asyncio.create_task(delivery.deliver_due(mall))
    await started.wait()

    assert await delivery.deliver_due(mall) == 0
    go.set()
    assert await first == 1
    assert calls == [1]
    assert (await the_delivery())["state"] == "done"


async def test_a_lease_that_was_never_ended_runs_out(mall: Mall, clock: FrozenClock) -> None:
    """A worker that was killed in the middle: the delivery is made again."""
    ear = Ear()

    async def dies(mall: Mall, event: Rang) -> None:
        ear.calls += 1
        if ear.calls == 1:
            raise asyncio.CancelledError

    mall.objects.add(EventHandler, "bell.far", EventHandler("bell.far", Rang, dies, in_transaction=False))
    await ring(mall)
    with pytest.raises(asyncio.CancelledError):
        await delivery.deliver_due(mall)

    assert await delivery.deliver_due(mall) == 0
    clock.advance(delivery.LEASE)
    assert await delivery.deliver_due(mall) == 1
    assert (await the_delivery())["state"] == "done"


async def test_a_handler_that_hangs_is_stopped(mall: Mall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "TIME_LIMIT_S", 0.05)

    async def hangs(_mall: Mall, _event: Rang) -> None:
        await asyncio.sleep(60)

    mall.objects.add(EventHandler, "bell.hang", EventHandler("bell.hang", Rang, hangs))
    await ring(mall)
    await delivery.deliver_due(mall)

    assert (await the_delivery())["last_error"].startswith("TimeoutError")


async def test_deliveries_of_a_disabled_plugin_wait_until_it_is_on_again(make_mall: MakeMall) -> None:
    ear = Ear()
    mall = await make_mall(extra={"ears": object()})
    listen(mall, ear, "ears.bell", owner="ears")
    await ring(mall)
    await disable(mall, "ears")

    assert await delivery.deliver_due(mall) == 0
    assert await delivery.next_due_in(mall) is None
    await enable(mall, "ears")
    assert await delivery.deliver_due(mall) == 1
    assert len(ear.heard) == 1


async def test_what_a_handler_emits_is_delivered_too(mall: Mall) -> None:
    ear = Ear()

    class Echoed(Rang, frozen=True, kw_only=True):
        name: ClassVar[str] = "bell.echoed"

    async def echo(mall: Mall, event: Rang) -> None:
        emit(mall, Echoed(times=event.times + 1))

    mall.objects.add(EventHandler, "bell.echo", EventHandler("bell.echo", Rang, echo))
    mall.objects.add(EventHandler, "bell.ear", EventHandler("bell.ear", Echoed, ear.run))
    await ring(mall)

    assert await delivery.deliver_due(mall) == 2
    assert [e.times for e in ear.heard] == [2]
