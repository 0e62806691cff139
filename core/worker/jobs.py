"""Run registered jobs with PgQueuer: deferred ones from its queue, periodic ones from its schedules.

A picked job belongs to one worker as long as its heartbeat comes; another takes it over 30 s after the last one. A job
that fails is tried again after 10 s, 40 s, 3 min, 11 min and 43 min, then held as failed (``core.events.queue``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from pgqueuer import PgQueuer
from pgqueuer.core.executors import DatabaseRetryEntrypointExecutor, EntrypointExecutorParameters
from pgqueuer.domain.errors import RetryRequested

from core import db
from core.events import works
from core.kernel.contracts import Job

if TYPE_CHECKING:
    from pgqueuer.models import Job as Queued
    from pgqueuer.models import Schedule

    from core.kernel.mall import Mall

BATCH = 4
AT_ONCE = 8
LOOK_AGAIN = timedelta(minutes=5)
"""How long a deferred job of a plugin that is off is put back for."""
HEARTBEAT = timedelta(seconds=30)
log = structlog.get_logger("mall.jobs")


class Stopped(Exception):
    """The worker must end now; the job goes back to the queue."""


async def run_job(mall: Mall, job: Job, payload: dict[str, Any], *, give_up: asyncio.Event | None = None) -> None:
    """Run one job within its time limit (``TimeoutError``); ``give_up`` ends it early with ``Stopped``."""
    db.assert_no_transaction()
    began = time.monotonic()
    with structlog.contextvars.bound_contextvars(job=job.name):
        async with asyncio.timeout(job.max_runtime_s):
            await _unless(give_up, job.run(mall, payload))
        log.info("job done", seconds=round(time.monotonic() - began, 3))


async def _unless(give_up: asyncio.Event | None, work: Awaitable[None]) -> None:
    if give_up is None:
        await work
        return
    running = asyncio.ensure_future(work)
    ending = asyncio.ensure_future(give_up.wait())
    try:
        await asyncio.wait((running, ending), return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            raise Stopped
        running.result()
    finally:
        for task in (running, ending):
            task.cancel()
        await asyncio.gather(running, ending, return_exceptions=True)


def queuer(mall: Mall, *, give_up: asyncio.Event) -> PgQueuer:
    """Return a PgQueuer on the pool of this process that knows every registered job. Set ``shutdown`` to end it."""
    if db.DB.pool is None:
        raise RuntimeError("the connection pool is not started")
    queue = PgQueuer.from_asyncpg_pool(db.DB.pool)
    for name, owner, job in mall.objects.all(Job, even_inactive=True):
        queue.entrypoint(name, on_failure="hold", executor_factory=_with_retries, accepts_context=False)(
            _deferred(mall, owner, job, give_up)
        )
        if job.cron is not None:
            queue.schedule(name, job.cron, accepts_context=False)(_periodic(mall, owner, job, give_up))
    return queue


def _with_retries(parameters: EntrypointExecutorParameters) -> DatabaseRetryEntrypointExecutor:
    return DatabaseRetryEntrypointExecutor(
        parameters=parameters,
        max_attempts=5,
        initial_delay=timedelta(seconds=10),
        max_delay=timedelta(hours=1),
        backoff_multiplier=4.0,
    )


def _deferred(mall: Mall, owner: str, job: Job, give_up: asyncio.Event) -> Callable[[Queued], Awaitable[None]]:
    async def run(queued: Queued) -> None:
        if not works(mall, owner):
            raise RetryRequested(delay=LOOK_AGAIN, reason=f"plugin {owner} is off")
        payload: dict[str, Any] = msgspec.json.decode(queued.payload) if queued.payload else {}
        try:
            await run_job(mall, job, payload, give_up=give_up)
        except Stopped:
            raise RetryRequested(reason="the worker ended") from None
        except Exception:
            log.exception("job failed", job=job.name)  # PgQueuer keeps it, where nobody looks first
            raise

    return run


def _periodic(mall: Mall, owner: str, job: Job, give_up: asyncio.Event) -> Callable[[Schedule], Awaitable[None]]:
    async def run(_schedule: Schedule) -> None:
        if not works(mall, owner):
            return
        try:
            await run_job(mall, job, {}, give_up=give_up)
        except Stopped:
            log.warning("periodic job ended early; it runs again at its next time", job=job.name)

    return run
