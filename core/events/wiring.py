"""What the events register: keeping the job queue's log short."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from core import db
from core.kernel.contracts import Job

if TYPE_CHECKING:
    from core.kernel.mall import Mall

KEEP_LOG = timedelta(days=14)


async def tidy(mall: Mall, _payload: dict[str, Any]) -> None:
    """Forget what PgQueuer logged of jobs long ago: it writes several rows a job and never deletes any."""
    await db.execute("DELETE FROM pgqueuer_log WHERE created < $1", mall.clock.now() - KEEP_LOG)


def register(mall: Mall) -> None:
    job = Job("events.tidy", tidy, cron="40 19 * * *", max_runtime_s=300)  # 03:40 in Shanghai
    mall.objects.add(Job, job.name, job)
