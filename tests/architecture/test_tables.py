"""Tables and migrations: names that cannot collide, files that agree with the classes, and a way back."""

from __future__ import annotations

import inspect
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from core import db
from core.db import history, migrate
from core.testing.databases import apps
from core.testing.pytest_plugin import plugin_modules

if TYPE_CHECKING:
    from piccolo.conf.apps import AppConfig

APPS = apps(plugin_modules())
IDS = [a.app_name for a in APPS]

# What exists in a database, without what PgQueuer owns: enough to see a leftover or a loss.
_OBJECTS = """
SELECT 'relation ' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'public' AND c.relkind IN ('r', 'i', 'S', 'v')
UNION ALL SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(c.oid)
  FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace WHERE n.nspname = 'public' AND conrelid <> 0
UNION ALL SELECT 'trigger ' || tgrelid::regclass || ' ' || tgname FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'function ' || p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname = 'public' AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
"""


async def _objects() -> set[str]:
    return {r[0] for r in await db.rows(_OBJECTS) if "pgqueuer" not in r[0]}


def _tables() -> list[tuple[str, type[Any]]]:
    return [(app.app_name, table) for app in APPS for table in app.table_classes]


@pytest.mark.parametrize(("app", "table"), _tables(), ids=lambda v: v if isinstance(v, str) else v.__name__)
def test_every_table_has_an_explicit_name(app: str, table: type[Any]) -> None:
    """Trap 2: Piccolo's default is the class's name, which two plugins may share."""
    assert "_meta" in vars(table)
    source = table._meta.tablename
    assert source, app
    # Piccolo's default for ``OrderLine`` is ``order_line``: only the class statement shows that it was meant.
    assert f'tablename="{source}"' in inspect.getsource(table)


def test_no_two_tables_share_a_name() -> None:
    names = Counter(table._meta.tablename for _, table in _tables())

    assert [name for name, n in names.items() if n > 1] == []


def test_the_tables_of_a_plugin_start_with_its_id() -> None:
    core = {migrate.load_app(m).app_name for m in history.CORE_APPS}

    wrong = [
        table._meta.tablename
        for app, table in _tables()
        if app not in core and not table._meta.tablename.startswith(f"{app.removeprefix('mall_')}_")
    ]

    assert wrong == []


def test_no_two_migration_files_share_a_name() -> None:
    """Trap 1: Piccolo imports them by bare file name; the second would never be run."""
    migrate.check(APPS)


@pytest.mark.parametrize("app", APPS, ids=IDS)
async def test_the_migrations_agree_with_the_tables(database: str, app: AppConfig) -> None:
    assert await migrate.differences(app) == []


async def test_every_migration_can_be_undone_and_done_again(own_database: str) -> None:
    assert await migrate.pending(APPS) == []
    before = await _objects()

    for app in reversed(APPS):
        await migrate.backwards(app)
    left = await _objects()
    await migrate.forwards(APPS)

    own = {o for o in left if not o.startswith(("relation migration", "constraint migration"))}
    assert own == set()
    assert await _objects() == before


async def test_running_the_migrations_twice_changes_nothing(own_database: str) -> None:
    assert await migrate.forwards(APPS) == []
