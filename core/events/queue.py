"""The tables of the job queue (PgQueuer's own), installed and upgraded by ``mall migrate``."""

from __future__ import annotations

from core import db


async def install_queue() -> None:
    """Create or upgrade PgQueuer's tables; twice is harmless, and so is another process doing it at the same time."""
    from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver  # noqa: PLC0415 - slow to import, rarely needed
    from pgqueuer.adapters.persistence.queries import Queries  # noqa: PLC0415

    db.assert_no_transaction()
    pool = db.DB.pool
    if pool is None:
        raise RuntimeError("the connection pool is not started")
    async with pool.acquire() as connection:
        queries = Queries(AsyncpgDriver(connection))
        async with queries.schema_lock():
            installed = await queries.schema_is_installed()
            if not installed:
                await queries.install()
        if installed:
            await queries.upgrade()


async def queue_installed() -> bool:
    """Say whether the queue's tables are there (for ``/readyz``)."""
    return await db.value("SELECT to_regclass('pgqueuer') IS NOT NULL AND to_regclass('pgqueuer_schedules') IS NOT NULL")
