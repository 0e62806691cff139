"""The worker on real parts: deferred and periodic jobs, retries, plugins that are off, an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from core import db, worker
from core.events import defer, queue
from core.kernel.contracts import Job
from core.kernel.mall import Mall
from core.plugin_host import disable, enable
from core.testing.pytest_plugin import MakeMall
from core.worker import jobs

Run = Callable[[Mall, dict[str, Any]], Awaitable[None]]


def add_job(mall: Mall, run: Run, name: str = "bell.wind", *, owner: str = "core", **over: Any) -> None:
    mall.objects.add(Job, name, Job(name, run, **over), owner=owner)


async def queue_up(mall: Mall, name: str = "bell.wind", **payload: Any) -> None:
    async with db.transaction():
        defer(mall, name, payload, at=mall.clock.now())


@contextlib.asynccontextmanager
async def working(*malls: Mall, grace_s: float = 5.0) -> AsyncIterator[asyncio.Event]:
    """Run one worker for each mall until the block ends."""
    stop = asyncio.Event()
    workers = [asyncio.create_task(worker.serve(mall, stop=stop, grace_s=grace_s)) for mall in malls]
    try:
        yield stop
    finally:
        stop.set()
        await asyncio.gather(*workers)


async def until(found: Callable[[], Awaitable[bool]] | Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            answer = found()
            if await answer if isinstance(answer, Awaitable) else answer:
                return
            await asyncio.sleep(0.02)


async def left() -> int:
    return await db.value("SELECT count(*) FROM pgqueuer")


async def test_a_job_that_takes_too_long_is_ended(mall: Mall) -> None:
    async def sleeps(_mall: Mall, _payload: dict[str, Any]) -> None:
        await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        await worker.run_job(mall, Job("bell.sleep", sleeps, max_runtime_s=0.05), {})


async def test_a_failing_job_is_put_back_with_a_delay_and_held_at_last(mall: Mall) -> None:
    async def fails(_mall: Mall, _payload: dict[str, Any]) -> None:
        raise ValueError("no bell")

    async def tried() -> bool:
        return await db.value("SELECT attempts = 1 AND status = 'queued' FROM pgqueuer")

    add_job(mall, fails)
    await queue_up(mall)
    async with working(mall):
        await until(tried)
        wait = await db.value("SELECT execute_after - now() FROM pgqueuer")
    assert timedelta(seconds=8) < wait <= timedelta(seconds=10)

    await db.execute("UPDATE pgqueuer SET attempts = 5, execute_after = now()")
    async with working(mall):
        await until(held)

    [failed] = await queue.list_failed(mall)
    assert (failed.job, failed.payload) == ("bell.wind", {})
    assert "no bell" in (failed.last_error or "")


async def held() -> bool:
    return await db.value("SELECT EXISTS (SELECT 1 FROM pgqueuer WHERE status = 'failed')")


async def test_a_held_job_runs_again_when_asked(mall: Mall) -> None:
    ran: list[dict[str, Any]] = []

    async def notes(_mall: Mall, payload: dict[str, Any]) -> None:
        ran.append(payload)

    add_job(mall, notes)
    await queue_up(mall, n=1)
    await db.execute("UPDATE pgqueuer SET status = 'failed', attempts = 5")
    [failed] = await queue.list_failed(mall)
    async with db.transaction():
        await queue.requeue(mall, failed.id)
    async with db.transaction():
        with pytest.raises(queue.JobNotFailed):
            await queue.requeue(mall, failed.id)

    async with working(mall):
        await until(lambda: bool(ran))
    assert ran == [{"n": 1}]


async def test_a_deferred_job_runs_with_its_payload_and_is_gone(mall: Mall) -> None:
    ran: list[dict[str, Any]] = []

    async def notes(_mall: Mall, payload: dict[str, Any]) -> None:
        db.assert_no_transaction()
        ran.append(payload)

    add_job(mall, notes)
    async with working(mall):
        await queue_up(mall, order_id=7)
        await until(lambda: bool(ran))
    assert ran == [{"order_id": 7}]
    assert await left() == 0


async def test_two_workers_share_the_jobs_and_run_none_twice(mall: Mall, make_mall: MakeMall) -> None:
    second = await make_mall()
    ran: list[tuple[int, int]] = []

    def job_of(number: int) -> Run:
        async def run(_mall: Mall, payload: dict[str, Any]) -> None:
            ran.append((number, payload["n"]))
            await asyncio.sleep(0.05)

        return run

    for number, one in enumerate((mall, second)):
        add_job(one, job_of(number))
    for n in range(24):
        await queue_up(mall, n=n)

    async with working(mall, second):
        await until(lambda: len(ran) >= 24)
        await until(nothing_left)

    assert sorted(n for _, n in ran) == list(range(24))
    assert {number for number, _ in ran} == {0, 1}


async def nothing_left() -> bool:
    return await left() == 0


async def test_the_job_of_a_killed_worker_is_taken_over_when_its_heartbeat_stops(mall: Mall) -> None:
    ran: list[int] = []

    async def notes(_mall: Mall, payload: dict[str, Any]) -> None:
        ran.append(payload["n"])

    add_job(mall, notes)
    for n, silent_s in ((1, 5), (2, 40)):
        await queue_up(mall, n=n)
        await db.execute(
            "UPDATE pgqueuer SET status = 'picked', queue_manager_id = gen_random_uuid(),"
            " heartbeat = now() - make_interval(secs => $1) WHERE status = 'queued'",
            silent_s,
        )

    async with working(mall):
        await until(lambda: bool(ran))
        await asyncio.sleep(0.3)
    assert ran == [2]


async def test_a_job_of_a_plugin_that_is_off_waits_until_it_is_on(make_mall: MakeMall) -> None:
    ran: list[int] = []

    async def notes(_mall: Mall, payload: dict[str, Any]) -> None:
        ran.append(1)

    async def put_back() -> bool:
        return await db.value("SELECT status = 'queued' AND attempts = 1 FROM pgqueuer")

    mall = await make_mall(extra={"bells": object()})
    add_job(mall, notes, "bells.wind", owner="bells")
    await queue_up(mall, "bells.wind")
    await disable(mall, "bells")
    async with working(mall):
        await until(put_back)
    assert ran == []

    await enable(mall, "bells")
    await db.execute("UPDATE pgqueuer SET execute_after = now()")
    async with working(mall):
        await until(lambda: bool(ran))


async def test_periodic_jobs_run_unless_their_plugin_is_off(make_mall: MakeMall) -> None:
    ran: list[str] = []

    def notes(name: str) -> Run:
        async def run(_mall: Mall, payload: dict[str, Any]) -> None:
            assert payload == {}
            ran.append(name)

        return run

    mall = await make_mall(extra={"bells": object(), "gongs": object()})
    for owner in ("bells", "gongs"):
        add_job(mall, notes(owner), f"{owner}.tick", owner=owner, cron="* * * * *")
        await db.execute(
            "INSERT INTO pgqueuer_schedules (expression, entrypoint, next_run) VALUES ('* * * * *', $1, now())",
            f"{owner}.tick",
        )
    await disable(mall, "gongs")

    async with working(mall):
        await until(lambda: bool(ran))
        await asyncio.sleep(0.2)
    assert ran == ["bells"]


async def test_a_worker_that_is_told_to_stop_finishes_what_runs(mall: Mall) -> None:
    started = asyncio.Event()
    ran: list[int] = []

    async def slow(_mall: Mall, _payload: dict[str, Any]) -> None:
        started.set()
        await asyncio.sleep(0.3)
        ran.append(1)

    add_job(mall, slow)
    await queue_up(mall)
    async with working(mall):
        await asyncio.wait_for(started.wait(), 10)
    assert ran == [1]
    assert await left() == 0


async def test_what_does_not_finish_in_time_is_put_back(mall: Mall) -> None:
    started = asyncio.Event()

    async def endless(_mall: Mall, _payload: dict[str, Any]) -> None:
        started.set()
        await asyncio.sleep(60)

    add_job(mall, endless)
    await queue_up(mall)
    async with working(mall, grace_s=0.1):
        await asyncio.wait_for(started.wait(), 10)
    assert await db.value("SELECT status FROM pgqueuer") == "queued"


async def test_jobs_are_told_to_give_up_only_with_stopped(mall: Mall) -> None:
    give_up = asyncio.Event()

    async def waits(_mall: Mall, _payload: dict[str, Any]) -> None:
        give_up.set()
        await asyncio.sleep(60)

    with pytest.raises(jobs.Stopped):
        await jobs.run_job(mall, Job("bell.wait", waits), {}, give_up=give_up)
