"""Databases of a test run: one template with every table, one clone of it for each pytest process."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from core import db, events
from core.db import history, migrate
from core.testing.servers import is_embedded, with_database

_LOCK = 0x6D616C74  # "malt": one process makes the template
_TEMPLATE = "mall_template_"
_CLONE = "mall_test_"

# Faster than TRUNCATE for the few rows of a test; the replica role skips triggers and foreign keys. Sequences go on,
# so that ids of different tables differ and a mixed-up id is noticed.
_WIPE = """
DO $$
DECLARE t text; found boolean;
BEGIN
  SET LOCAL session_replication_role = replica;
  FOR t IN SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'migration' LOOP
    EXECUTE 'SELECT EXISTS (SELECT 1 FROM ' || t || ')' INTO found;
    IF found THEN EXECUTE 'DELETE FROM ' || t; END IF;
  END LOOP;
END $$
"""


class TemplateFailed(Exception):
    """The migrations cannot make the tables of the test database; the sentence names the app."""


def apps(plugin_modules: Sequence[str]) -> list[Any]:
    """Load the Piccolo apps of the core and of the plugins that have tables."""
    found = [migrate.load_app(module) for module in history.CORE_APPS]
    found += [migrate.load_app(module) for module in plugin_modules if (_folder(module) / "piccolo_app.py").is_file()]
    return found


def _folder(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"the plugin package {module} is not there")
    return Path(spec.origin).parent


def fingerprint(plugin_modules: Sequence[str]) -> str:
    """Return a name for what the template is made from: another migration file makes another template."""
    digest = hashlib.sha256()
    for module in sorted({*history.CORE_APPS, *plugin_modules}):
        folder = _folder(module)
        for path in sorted([*folder.glob("migrations/*.py"), *folder.glob("queue*.py"), folder / "piccolo_app.py"]):
            if path.is_file():
                digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


async def ensure_template(url: str, plugin_modules: Sequence[str]) -> str:
    """Make the template unless it is there; return its name. Safe from several processes at once."""
    name = _TEMPLATE + fingerprint(plugin_modules)
    admin = await asyncpg.connect(url)
    try:
        await admin.execute(f"SELECT pg_advisory_lock({_LOCK})")
        if await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            return name
        building = f"{name}_building"
        await admin.execute(f'DROP DATABASE IF EXISTS "{building}" WITH (FORCE)')
        await admin.execute(f'CREATE DATABASE "{building}"')
        await migrate_all(with_database(url, building), plugin_modules)
        await admin.execute(f'ALTER DATABASE "{building}" RENAME TO "{name}"')
        if is_embedded():
            await _forget_old(admin, keep=name)
    finally:
        await admin.close()
    return name


async def migrate_all(url: str, plugin_modules: Sequence[str]) -> None:
    """Bring the database at ``url`` to the newest state: the apps of the core and of the plugins, the job queue."""
    db.configure(url)
    await db.start_pool()
    try:
        for app in apps(plugin_modules):
            try:
                await migrate.forwards([app])
            except Exception as exc:
                raise TemplateFailed(f"the migrations of {app.app_name}: {exc}") from exc
        await events.install_queue()
    finally:
        await db.stop_pool()


async def _forget_old(admin: Any, *, keep: str) -> None:
    """Drop older templates, except the newest few that other runs may be using."""
    found = await admin.fetch(
        "SELECT datname FROM pg_database WHERE datname LIKE $1 AND datname <> $2 ORDER BY oid DESC OFFSET 3",
        _TEMPLATE + "%",
        keep,
    )
    for record in found:
        await admin.execute(f'DROP DATABASE IF EXISTS "{record["datname"]}" WITH (FORCE)')


async def clone(url: str, template: str, suffix: str = "") -> str:
    """Make a database of this process from the template; return its URL."""
    name = f"{_CLONE}{os.getpid()}{suffix}"
    admin = await asyncpg.connect(url)
    try:
        await admin.execute(f"SELECT pg_advisory_lock({_LOCK})")  # a template in use by one CREATE refuses another
        await _forget_clones(admin)
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    finally:
        await admin.close()
    return with_database(url, name)


async def _forget_clones(admin: Any) -> None:
    """Drop what killed runs left behind. On a server of this machine only, where a process id means something."""
    if not is_embedded():
        return
    for record in await admin.fetch("SELECT datname FROM pg_database WHERE datname LIKE $1", _CLONE + "%"):
        pid = record["datname"].removeprefix(_CLONE).partition("_")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            await admin.execute(f'DROP DATABASE IF EXISTS "{record["datname"]}" WITH (FORCE)')


async def drop(url: str, clone_url: str) -> None:
    admin = await asyncpg.connect(url)
    try:
        name = clone_url.rpartition("/")[2].partition("?")[0]
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    finally:
        await admin.close()


async def wipe() -> None:
    """Empty every table of the configured database; the structure and ``migration`` stay."""
    await db.execute(_WIPE)
