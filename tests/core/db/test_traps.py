"""The traps 1 to 4 of architecture.md: each guard, and that the trap is really there."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import sys
from pathlib import Path

import pytest
from piccolo.conf.apps import AppConfig

from core import db
from core.db import history, migrate

_MIGRATION = """
from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from core.db import DB

ID = "{id}"
VERSION = "1.38.0"
DESCRIPTION = ""


async def up():
    await DB.run_ddl("CREATE TABLE {table} (id int)")


async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="{app}", description="")
    manager.add_raw(up)
    return manager
"""


def an_app(folder: Path, name: str, file: str, table: str) -> AppConfig:
    migrations = folder / name / "migrations"
    migrations.mkdir(parents=True)
    text = _MIGRATION.format(id="2026-11-21T00:00:00:000000", app=name, table=table)
    (migrations / file).write_text(text, encoding="utf-8")
    return AppConfig(app_name=name, migrations_folder_path=str(migrations), table_classes=[], migration_dependencies=[])


def fail() -> None:
    raise ZeroDivisionError


async def exists(table: str) -> bool:
    return await db.value("SELECT to_regclass($1) IS NOT NULL", table)


# 1: migration files of one name


async def test_two_migration_files_of_one_name_are_refused_before_anything_runs(
    own_database: str, tmp_path: Path
) -> None:
    apps = [an_app(tmp_path, a, "m0001_initial.py", f"{a}_t") for a in ("mall_one", "mall_two")]

    with pytest.raises(migrate.MigrationsInvalid, match=r"m0001_initial\.py"):
        await migrate.forwards(apps)

    assert not await exists("mall_one_t")


async def test_a_file_of_another_app_is_refused(tmp_path: Path) -> None:
    with pytest.raises(migrate.MigrationsInvalid, match="must start with mall_one_"):
        migrate.check([an_app(tmp_path, "mall_one", "mall_two_x.py", "t")])


def test_a_second_file_of_the_same_name_is_refused_even_if_it_is_well_named(tmp_path: Path) -> None:
    first = an_app(tmp_path / "a", "mall_one", "mall_one_x.py", "t")
    again = an_app(tmp_path / "b", "mall_one", "mall_one_x.py", "t")

    with pytest.raises(migrate.MigrationsInvalid, match=r"mall_one_x\.py is in"):
        migrate.check([first, again])


def test_python_itself_mixes_up_modules_of_one_file_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: this is why Piccolo, which imports migrations by bare name, runs one of two."""
    import importlib

    for folder, word in (("a", "first"), ("b", "second")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mall_trap_same.py").write_text(f"word = {word!r}\n", encoding="utf-8")
    words: list[str] = []
    for folder in ("a", "b"):
        monkeypatch.syspath_prepend(str(tmp_path / folder))
        words.append(importlib.import_module("mall_trap_same").word)
    sys.modules.pop("mall_trap_same", None)

    assert words == ["first", "first"]


async def test_well_named_migrations_run_and_are_recorded(own_database: str, tmp_path: Path) -> None:
    apps = [an_app(tmp_path, a, f"{a}_x.py", f"{a}_t") for a in ("mall_one", "mall_two")]

    assert len(await migrate.forwards(apps)) == 2
    assert await exists("mall_one_t")
    assert await exists("mall_two_t")
    assert await migrate.pending(apps) == []


# 2: table names


def test_every_core_table_has_an_explicit_name() -> None:
    for module in history.CORE_APPS:
        for table in migrate.load_app(module).table_classes:
            source = Path(str(importlib.util.find_spec(table.__module__).origin)).read_text(encoding="utf-8")  # pyright: ignore[reportOptionalMemberAccess]
            assert f'tablename="{table._meta.tablename}"' in source, table


# 3: nested transactions


async def test_a_transaction_inside_a_transaction_is_refused(database: str) -> None:
    async with db.transaction():
        with pytest.raises(db.NestedTransaction):
            async with db.transaction():
                pass


async def test_piccolo_alone_would_keep_what_a_nested_transaction_rolled_back(database: str) -> None:
    """The negative control: the inner block fails, is caught, and its row is committed all the same."""
    await db.execute("CREATE TABLE IF NOT EXISTS trap_three (id int)")
    try:
        async with db.DB.transaction():
            try:
                async with db.DB.transaction():
                    await db.DB.run_ddl("INSERT INTO trap_three VALUES (1)")
                    fail()
            except ZeroDivisionError:
                pass
        assert await db.value("SELECT count(*) FROM trap_three") == 1
    finally:
        await db.execute("DROP TABLE trap_three")


async def test_a_savepoint_undoes_its_part_only(database: str) -> None:
    async with db.transaction():
        await db.execute("INSERT INTO staff_role (code, name, permissions) VALUES ('kept', '', '{}')")
        with contextlib.suppress(ZeroDivisionError):
            async with db.savepoint():
                await db.execute("INSERT INTO staff_role (code, name, permissions) VALUES ('lost', '', '{}')")
                fail()

    assert [r["code"] for r in await db.rows("SELECT code FROM staff_role")] == ["kept"]


async def test_a_savepoint_that_is_undone_forgets_its_reactions(database: str) -> None:
    done: list[str] = []

    def note(what: str) -> None:
        async def react() -> None:
            done.append(what)

        db.after_commit(react)

    async with db.transaction():
        note("kept")
        with contextlib.suppress(ZeroDivisionError):
            async with db.savepoint():
                note("lost")
                fail()

    assert done == ["kept"]


async def test_a_failed_transaction_never_reacts(database: str) -> None:
    done: list[int] = []

    async def react() -> None:
        done.append(1)

    with contextlib.suppress(ZeroDivisionError):
        async with db.transaction():
            db.after_commit(react)
            fail()
    assert done == []


# 4: the current transaction is a contextvar


async def test_a_task_started_inside_a_transaction_cannot_use_it(database: str) -> None:
    async with db.transaction():
        with pytest.raises(db.NoTransaction, match="no gather or create_task"):
            await asyncio.gather(db.value("SELECT 1"), db.value("SELECT 2"))
        with pytest.raises(db.NoTransaction):
            await asyncio.create_task(db.execute("SELECT 1"))
        assert await db.value("SELECT 3") == 3


async def test_the_network_is_not_called_inside_a_transaction(database: str) -> None:
    db.assert_no_transaction()
    async with db.transaction():
        with pytest.raises(db.InsideTransaction):
            db.assert_no_transaction()


async def test_what_needs_a_transaction_says_so(database: str) -> None:
    with pytest.raises(db.NoTransaction):
        db.assert_transaction()
