"""``mall doctor``: look at everything a mall needs, change nothing, and say what to do."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from msgspec import structs
from rich.console import Console
from rich.table import Table

from core import cli_run, db, startup
from core.cache import connect
from core.cache import embedded as redis
from core.db import embedded as postgres
from core.kernel.errors import MallError
from core.plugin_host import PluginStates, boot, list_plugins
from core.settings import Settings, SettingsInvalid, load_settings

if TYPE_CHECKING:
    from core.kernel.mall import Mall

Check = tuple[bool, str, str, str]  # in order?, what, what was found, what to do
_NEEDED_BYTES = 1 << 30


def run() -> int:
    """Print the table; returns the exit status, 1 when something must be done."""
    cli_run.quiet_logs(logging.CRITICAL)
    try:
        settings = load_settings()
    except SettingsInvalid as exc:
        checks: list[Check] = [(False, "settings", str(exc), "correct the variable")]
    else:
        checks = [*_machine(settings), *asyncio.run(_mall(settings))]
    table = Table("", "what", "found", "what to do", box=None, pad_edge=False)
    for good, what, found, todo in checks:
        table.add_row("[green]✓[/]" if good else "[red]✗[/]", what, found, "" if good else todo)
    Console().print(table)
    return 0 if all(good for good, *_ in checks) else 1


def _machine(settings: Settings) -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield sys.version_info >= (3, 11), "python", version, "install Python 3.11 or newer"
    long_enough = len(settings.mall_secret) >= 32  # noqa: PLR2004 - 128 bits in hexadecimal
    if settings.mall_secret or settings.mall_env == "production":
        found = "MALL_SECRET" if long_enough else "MALL_SECRET is empty or short"
        yield long_enough, "secret", found, "set MALL_SECRET to the output of `openssl rand -hex 32`"
    else:
        yield True, "secret", f"{settings.home / 'secret'} (made on first use)", ""
    above = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(above).free
    yield free > _NEEDED_BYTES, "disk", f"{free >> 20} MiB free at {above}", "keep at least 1 GiB free"
    try:
        cli_run.assert_port_free(settings.mall_host, settings.mall_port)
        yield True, "port", f"{settings.mall_port} is free", ""
    except MallError:
        yield True, "port", f"{settings.mall_port} is in use (by this mall, if it runs)", ""


async def _mall(settings: Settings) -> list[Check]:
    checks: list[Check] = []
    if not settings.redis_url and redis.is_running(settings.home):
        settings = structs.replace(settings, redis_url=redis.ensure(settings.home))
    checks.append(await _redis(settings))
    if not settings.database_url:
        if not postgres.is_running(settings.home):
            stopped = "embedded, not running: `mall demo` or any other command starts it"
            return [*checks, (True, "postgresql", stopped, ""), *_plugins(boot(settings), running=False)]
        settings = structs.replace(settings, database_url=postgres.ensure(settings.home))
    try:
        async with startup.open_mall(settings) as mall:
            version = await db.value("SHOW server_version")
            checks.append((True, "postgresql", f"{version}", ""))
            todo = await startup.pending(mall)
            found = f"{len(todo)} pending" if todo else "up to date"
            checks.append((not todo, "migrations", found, "run `mall migrate`"))
            checks += _plugins(mall)
    except MallError as exc:
        checks.append((False, "postgresql", exc.sentence("en"), "start it, or correct DATABASE_URL"))
    return checks


async def _redis(settings: Settings) -> Check:
    if not settings.redis_url:
        return True, "redis", "embedded, not running: `mall demo` or any other command starts it", ""
    client = connect(settings.redis_url)
    try:
        found: Any = await client.info("server")  # pyright: ignore[reportUnknownMemberType]
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is what was found
        return False, "redis", str(exc), "start it, or correct REDIS_URL"
    finally:
        await client.aclose()
    return True, "redis", str(found["redis_version"]), ""


def _plugins(mall: Mall, *, running: bool = True) -> Iterator[Check]:
    states: PluginStates = mall.plugins
    for info in list_plugins(mall):
        usable = states.get(info.id).fault is None and info.state != "needs_migration"
        todo = "see docs/plugin-guide.md, or leave it out of MALL_PLUGINS"
        found = info.state if running else "can be used; whether it is on stands in the database"
        yield usable, f"plugin {info.id}", info.reason or found, todo
