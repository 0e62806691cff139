"""``mall worker``: events, deferred and periodic jobs, until it is told to stop.

Any number of workers may run. SIGTERM or SIGINT: nothing new is begun, what runs gets ``GRACE_S`` to finish, then it
is put back. A worker that is killed loses nothing: its jobs are taken over, its deliveries are made again.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from core import db
from core.cache import connect
from core.events import queue_installed
from core.kernel import memory
from core.kernel.errors import Unavailable
from core.plugin_host import attach, boot, detach
from core.worker import deliveries
from core.worker.jobs import AT_ONCE, BATCH, HEARTBEAT, queuer

if TYPE_CHECKING:
    from core.kernel.mall import Mall
    from core.settings import Settings

GRACE_S = 20.0
RESTART_S = 2.0
LOOK = timedelta(seconds=5)
log = structlog.get_logger("mall.worker")


class NotMigrated(Unavailable):
    """The database has no job queue yet."""

    code = "worker.not_migrated"
    zh = "数据库还没有任务队列,请先运行 mall migrate。"
    en = "The database has no job queue yet; run `mall migrate` first."


def run(settings: Settings) -> None:
    """Run a worker in this process until SIGTERM or SIGINT. ``settings`` must name the database and Redis."""
    asyncio.run(main(settings))


async def main(settings: Settings) -> None:
    """Boot a mall and serve it until SIGTERM or SIGINT; raises ``NotMigrated`` before anything runs."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    db.configure(settings.database_url)
    await db.start_pool(max_size=settings.mall_pool_size)
    redis = connect(settings.redis_url) if settings.redis_url else None
    try:
        if not await queue_installed():
            raise NotMigrated
        mall = boot(settings, redis=redis, check_tables=False)
        await attach(mall)
        memory.started()
        try:
            await serve(mall, stop=stop)
        finally:
            await detach(mall)
    finally:
        if redis is not None:
            await redis.aclose()
        await db.stop_pool()


async def serve(mall: Mall, *, stop: asyncio.Event, grace_s: float = GRACE_S) -> None:
    """Do the work of an attached mall until ``stop``."""
    wake = asyncio.Event()
    give_up = asyncio.Event()
    log.info("worker started")
    parts = [
        asyncio.create_task(deliveries.listen(mall.settings.database_url, wake=wake, stop=stop), name="listen"),
        asyncio.create_task(deliveries.deliver(mall, wake=wake, stop=stop), name="deliver"),
        asyncio.create_task(_run_jobs(mall, stop, give_up), name="jobs"),
    ]
    ending = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([*parts, ending], return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        for part in done - {ending}:
            part.result()  # a part that ended by itself is a fault: raise it
        log.info("worker stopping")
        _, late = await asyncio.wait(parts, timeout=grace_s)
        if late:
            give_up.set()
            _, late = await asyncio.wait(late, timeout=5.0)
    finally:
        stop.set()
        ending.cancel()
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
    log.info("worker stopped")


async def _run_jobs(mall: Mall, stop: asyncio.Event, give_up: asyncio.Event) -> None:
    """Run PgQueuer, and again when it fails (a lost listener, a restarted database), until ``stop``."""
    while not stop.is_set():
        queue = queuer(mall, give_up=give_up)
        passing_on = asyncio.create_task(_pass_on(stop, queue.shutdown))
        try:
            await queue.run(
                batch_size=BATCH,
                max_concurrent_tasks=AT_ONCE,
                heartbeat_timeout=HEARTBEAT,
                # Looking this often also finds out that a restarted database took the listener away. PgQueuer's own
                # probe for that is off: it can overtake its LISTEN and then stops a sound queue.
                dequeue_timeout=LOOK,
                shutdown_on_listener_failure=False,
            )
        except Exception:
            log.exception("job queue interrupted; starting it again")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), RESTART_S)
        finally:
            passing_on.cancel()


async def _pass_on(stop: asyncio.Event, shutdown: asyncio.Event) -> None:
    await stop.wait()
    shutdown.set()
