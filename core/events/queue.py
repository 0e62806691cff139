"""The tables of the job queue (PgQueuer's own), installed and upgraded by ``mall migrate``, and its held jobs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import msgspec

from core import db
from core.kernel.errors import Conflict

if TYPE_CHECKING:
    from core.kernel.mall import Mall


async def install_queue() -> None:
    """Create or upgrade PgQueuer's tables; twice is harmless, and so is another process doing it at the same time."""
    from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver  # noqa: PLC0415 - slow to import, rarely needed
    from pgqueuer.adapters.persistence.queries import Queries  # noqa: PLC0415

    db.assert_no_transaction()
    pool = db.DB.pool
    if pool is None:
        raise RuntimeError("the connection pool is not started")
    async with pool.acquire() as connection:
        queries = Queries(AsyncpgDriver(cast("Any", connection)))
        async with queries.schema_lock():
            installed = await queries.schema_is_installed()
            if not installed:
                await queries.install()
        if installed:
            await queries.upgrade()


async def queue_installed() -> bool:
    """Say whether the queue's tables are there (for ``/readyz``)."""
    return await db.value(
        "SELECT to_regclass('pgqueuer') IS NOT NULL AND to_regclass('pgqueuer_schedules') IS NOT NULL"
    )


class JobNotFailed(Conflict):
    code = "events.job_not_failed"
    zh = "只有失败停止的任务才能重新执行。"
    en = "Only a job that was given up can be run again."


class FailedJob(msgspec.Struct, frozen=True, kw_only=True):
    """A deferred job that failed too often and is held."""

    id: int
    job: str
    payload: dict[str, Any]
    tries: int
    last_error: str | None
    at: datetime


async def list_failed(mall: Mall, *, before_id: int | None = None, limit: int = 50) -> list[FailedJob]:
    """List the deferred jobs that are held after their last try, newest first."""
    return await db.fetch(
        FailedJob,
        """SELECT q.id, q.entrypoint AS job, convert_from(q.payload, 'UTF8') AS payload, q.attempts AS tries,
                  q.updated AS at,
                  (SELECT concat_ws(': ', l.traceback->>'exception_type', l.traceback->>'exception_message')
                     FROM pgqueuer_log l WHERE l.job_id = q.id AND l.traceback IS NOT NULL
                    ORDER BY l.id DESC LIMIT 1) AS last_error
             FROM pgqueuer q
            WHERE q.status = 'failed' AND ($1::bigint IS NULL OR q.id < $1) ORDER BY q.id DESC LIMIT $2""",
        before_id, limit,
    )  # fmt: skip


async def requeue(mall: Mall, job_id: int) -> None:
    """Queue a held job again, with all its tries. Must run in a transaction (the caller audits it).

    Raises ``JobNotFailed``.
    """
    db.assert_transaction()
    changed = await db.execute(
        """UPDATE pgqueuer SET status = 'queued', execute_after = now(), updated = now(), attempts = 0,
                  queue_manager_id = NULL WHERE id = $1 AND status = 'failed'""",
        job_id,
    )
    if not changed:
        raise JobNotFailed
