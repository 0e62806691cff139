"""Run and make migrations: Piccolo's, one app after the other, with the guards that Piccolo lacks.

Trap 1 of architecture.md: Piccolo imports migration files by bare file name, so of two files of one name the second
is never run while both are recorded as done. ``check`` refuses that before anything runs; ``forwards`` compares what
is recorded with what exists afterwards. Trap 2: every table has an explicit, prefixed name.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
from collections.abc import Generator, Sequence
from pathlib import Path

from piccolo.apps.migrations.commands.backwards import BackwardsMigrationManager
from piccolo.apps.migrations.commands.forwards import ForwardsMigrationManager
from piccolo.apps.migrations.tables import Migration
from piccolo.conf.apps import AppConfig

from core.db.engine import DB, execute
from core.db.history import ids_in, missing

_LOCK = 0x6D616C6C  # "mall": one migration run at a time


class MigrationsInvalid(Exception):
    """The migration files cannot be run as they stand; nothing was run."""


class MigrationsIncomplete(Exception):
    """After a run, what is recorded and what exists differ."""


def load_app(module: str) -> AppConfig:
    """Import the Piccolo app of a package (``core.orders``, ``plugins.coupons``)."""
    config: AppConfig = importlib.import_module(f"{module}.piccolo_app").APP_CONFIG
    return config


def files(app: AppConfig) -> list[Path]:
    folder = Path(app.resolved_migrations_folder_path)
    return sorted(p for p in folder.glob("*.py") if p.name != "__init__.py") if folder.is_dir() else []


def check(apps: Sequence[AppConfig]) -> None:
    """Refuse file names that Piccolo would mix up; raises ``MigrationsInvalid``."""
    seen: dict[str, str] = {}
    for app in apps:
        for path in files(app):
            if not path.name.startswith(f"{app.app_name}_"):
                raise MigrationsInvalid(f"{path.name} must start with {app.app_name}_")
            if path.name in seen:
                raise MigrationsInvalid(f"{path.name} is in {app.app_name} and in {seen[path.name]}")
            seen[path.name] = app.app_name


async def pending(apps: Sequence[AppConfig]) -> list[str]:
    """Name the migrations that exist and were not run, as ``app:id``."""
    return await missing({app.app_name: ids_in(Path(app.resolved_migrations_folder_path)) for app in apps})


async def forwards(apps: Sequence[AppConfig]) -> list[str]:
    """Run what is pending, app by app in the given order; each app all or nothing. Returns what was run.

    Raises ``MigrationsInvalid`` before anything runs, ``MigrationsIncomplete`` when the record does not match after.
    """
    check(apps)
    todo = await pending(apps)
    with _quiet(), _clean_path():
        if not await Migration.table_exists().run():  # pyright: ignore[reportUnknownMemberType] - no type in Piccolo
            await Migration.create_table(if_not_exists=True).run()
        for app in apps:
            async with DB.transaction(allow_nested=False):
                await DB.run_ddl(f"SELECT pg_advisory_xact_lock({_LOCK})")
                await ForwardsMigrationManager(app_name=app.app_name).run_migrations(app)
    left = await pending(apps)
    if left:
        raise MigrationsIncomplete(f"not recorded after the run: {', '.join(left)}")
    return todo


async def backwards(app: AppConfig) -> None:
    """Undo all migrations of one app (a purge, or a contract test).

    Piccolo forgets an undone migration by its id alone, in every app that has one of that id: theirs are put back.
    """
    with _quiet(), _clean_path():
        async with DB.transaction(allow_nested=False):
            await Migration.raw("CREATE TEMP TABLE kept ON COMMIT DROP AS TABLE migration").run()
            manager = BackwardsMigrationManager(app_name=app.app_name, migration_id="all", auto_agree=True)
            await manager.run_migrations_backwards(app)
            await Migration.raw(
                "INSERT INTO migration SELECT k.* FROM kept k WHERE k.app_name <> {}"
                " AND NOT EXISTS (SELECT 1 FROM migration m WHERE m.id = k.id)",
                app.app_name,
            ).run()
    await execute("DELETE FROM migration WHERE app_name = $1", app.app_name)


async def differences(app: AppConfig) -> list[str]:
    """Return the statements that would bring the tables in code and the migrations together; empty when they agree."""
    from piccolo.apps.migrations.commands.new import AutoMigrationManager  # noqa: PLC0415 - loads black, for makers only

    with _quiet(), _clean_path():
        found = await AutoMigrationManager(auto_input="y").get_alter_statements(app_config=app)
    return [statement for group in found for statement in group.statements]


async def new(app: AppConfig, description: str = "") -> str | None:
    """Write a migration file for what changed in the tables of ``app``; returns its path, ``None`` if nothing did."""
    from piccolo.apps.migrations.commands.new import (  # noqa: PLC0415 - loads black, for makers only
        NoChanges,
        _create_new_migration,  # pyright: ignore[reportPrivateUsage] - what `piccolo migrations new` calls
    )

    with _clean_path():
        try:
            meta = await _create_new_migration(app, auto=True, description=description, auto_input="y")
        except NoChanges:
            return None
    return meta.migration_path


@contextlib.contextmanager
def _quiet() -> Generator[None, None, None]:
    with contextlib.redirect_stdout(io.StringIO()):
        yield


@contextlib.contextmanager
def _clean_path() -> Generator[None, None, None]:
    """Piccolo puts every migrations folder on ``sys.path``; take it off again."""
    before = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = before
