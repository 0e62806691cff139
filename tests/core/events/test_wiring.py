"""The log of the job queue is kept short."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from core import db
from core.kernel.mall import Mall


async def test_old_log_rows_of_the_job_queue_are_forgotten(mall: Mall, run_job: Callable[..., Awaitable[None]]) -> None:
    for days in (15, 13):
        await db.execute(
            "INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint, created) VALUES (1, 'queued', 0, 'x', $1)",
            mall.clock.now() - timedelta(days=days),
        )

    await run_job(mall, "events.tidy")

    assert await db.value("SELECT count(*) FROM pgqueuer_log") == 1
