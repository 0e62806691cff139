"""Open a mall for a command: pool, Redis, plugins; and bring its database to the newest state."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import asyncpg

from core import cache, db, plugin_host
from core.db import history
from core.db.engine import dsn_parts
from core.events import install_queue, queue_installed
from core.kernel.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from core.kernel.mall import Mall
    from core.plugin_host.states import PluginStates
    from core.settings import Settings


class DatabaseUnreachable(Unavailable):
    code = "database.unreachable"
    zh = "无法连接数据库({where}):{reason}"
    en = "The database at {where} cannot be reached: {reason}"


class MigrationsPending(Conflict):
    code = "database.migrations_pending"
    zh = "数据库尚未升级({count} 项待执行),请先运行 `mall migrate`。"
    en = "The database is not up to date ({count} migrations are pending); run `mall migrate` first."


@contextlib.asynccontextmanager
async def database(settings: Settings, *, pool_size: int = 2) -> AsyncGenerator[None, None]:
    """Keep a connection pool open. Raises ``DatabaseUnreachable``."""
    db.configure(settings.database_url)
    try:
        await db.start_pool(max_size=pool_size)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
        place = dsn_parts(settings.database_url)
        where = "/".join((":".join(filter(None, (place["host"], place["port"]))), place["database"]))
        raise DatabaseUnreachable(where=where, reason=_first_line(exc)) from exc
    try:
        yield
    finally:
        await db.stop_pool()


@contextlib.asynccontextmanager
async def open_mall(settings: Settings, *, pool_size: int = 2) -> AsyncGenerator[Mall, None]:
    """Give a booted mall on the servers of ``settings``; plugin states are read if their tables exist.

    Raises ``DatabaseUnreachable``. Redis is connected on first use, and may be away.
    """
    async with database(settings, pool_size=pool_size):
        redis = cache.connect(settings.redis_url) if settings.redis_url else None
        try:
            mall = plugin_host.boot(settings, redis=redis)
            if await _has_states():
                await plugin_host.refresh(mall)
            yield mall
        finally:
            if redis is not None:
                await redis.aclose()


async def pending(mall: Mall) -> list[str]:
    """Name what `mall migrate` would do, as ``app:migration``."""
    states: PluginStates = mall.plugins
    plugins = {f"mall_{i}": p.migration_ids for i, p in states.loaded.items() if p.fault is None and p.migration_ids}
    todo = await history.missing({**history.core_ids(), **plugins})
    return todo if await queue_installed() else [*todo, "queue:tables"]


async def assert_up_to_date(mall: Mall) -> None:
    """Raise ``MigrationsPending`` unless everything was run: a web worker never migrates."""
    todo = await pending(mall)
    if todo:
        raise MigrationsPending(count=len(todo), pending=todo)


async def bring_up_to_date(mall: Mall) -> list[str]:
    """Run pending migrations, install the job queue and take new plugins in; returns what was run.

    Raises ``MigrationsInvalid`` before anything runs.
    """
    todo = await pending(mall)
    if todo:
        from core.db import migrate  # noqa: PLC0415 - Piccolo's commands, for the one command that runs migrations

        await migrate.forwards([*plugin_host.core_apps(), *plugin_host.plugin_apps(mall)])
        await install_queue()
        await plugin_host.refresh(mall)
    await plugin_host.install(mall)
    return todo


async def _has_states() -> bool:
    tables = ("plugin_state", "plugin_setting", "migration")
    return await db.value("SELECT bool_and(to_regclass(t) IS NOT NULL) FROM unnest($1::text[]) AS t", list(tables))


def _first_line(exc: BaseException) -> str:
    return (str(exc) or type(exc).__name__).splitlines()[0]
