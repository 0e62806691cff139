"""Switching plugins on and off while the mall runs, in every process."""

from __future__ import annotations

import asyncio
import importlib
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from redis.asyncio import Redis

from core import db
from core.db import migrate
from core.hookspecs import hookimpl
from core.kernel.contracts import NotificationChannel, ObjectMissing
from core.kernel.i18n import Text
from core.kernel.mall import Mall
from core.kernel.origin import Actor
from core.plugin_host import Plugin, attach, boot, detach, disable, enable, install, list_plugins, plugin_apps, refresh
from core.plugin_host.errors import (
    PluginNeedsMigration,
    PluginNotFound,
    PluginNotUsable,
    PluginRequired,
    PluginRequires,
)
from core.settings import Settings
from core.testing.pytest_plugin import MakeMall, Servers
from core.testing.races import run_together

STAFF = Actor(kind="staff", id=7, name="Lin")


def a_plugin(plugin_id: str = "bells", plugin: object = None, **over: Any) -> Any:
    manifest = Plugin(
        id=plugin_id, version="1.0.0", core_api=">=1.0", title=Text(plugin_id, plugin_id), summary=Text("", ""), **over
    )
    return SimpleNamespace(PLUGIN=manifest, plugin=plugin or object())


class Rings:
    """Takes part in the hooks that tell draining from enabled."""

    code = "bell"

    @hookimpl
    def register_notification_channels(self, mall: Mall) -> list[Any]:
        return [self]

    @hookimpl
    async def order_placing(self) -> str:
        return "placing"

    @hookimpl
    async def order_transitioning(self) -> str:
        return "transitioning"


async def takes_part(mall: Mall) -> list[str]:
    """Name the hooks for which the plugin is asked."""
    placing = await mall.hooks.strict("order_placing", mall=mall, order=None, draft=None)
    moving = await mall.hooks.strict("order_transitioning", mall=mall, order=None, transition=None)
    return [answer for _, answer in (*placing, *moving)]


def state(mall: Mall, plugin_id: str = "bells") -> str:
    return {i.id: i.state for i in list_plugins(mall)}[plugin_id]


async def test_a_disabled_plugin_is_silent(make_mall: MakeMall) -> None:
    mall = await make_mall(extra={"bells": a_plugin(plugin=Rings())})
    assert await takes_part(mall) == ["placing", "transitioning"]

    await disable(mall, "bells", STAFF)

    assert await takes_part(mall) == []
    assert state(mall) == "disabled"
    assert not mall.plugins.is_enabled("bells")
    assert not mall.plugins.works("bells")
    with pytest.raises(ObjectMissing):
        mall.objects.get(NotificationChannel, "bell")


async def test_a_draining_plugin_finishes_old_work_and_takes_no_new(make_mall: MakeMall) -> None:
    mall = await make_mall(extra={"bells": a_plugin(plugin=Rings(), drains=True)})

    await disable(mall, "bells", STAFF)
    assert state(mall) == "draining"
    assert await takes_part(mall) == ["transitioning"]
    assert mall.plugins.works("bells")
    assert not mall.plugins.is_enabled("bells")
    assert mall.objects.get(NotificationChannel, "bell", even_inactive=True)

    await disable(mall, "bells", STAFF, force=True)
    assert state(mall) == "disabled"
    assert await takes_part(mall) == []


async def test_enabling_and_disabling_twice_is_harmless_and_audited_once(make_mall: MakeMall) -> None:
    mall = await make_mall(extra={"bells": a_plugin()})
    for _ in range(2):
        await disable(mall, "bells", STAFF)
    for _ in range(2):
        await enable(mall, "bells", STAFF)

    found = await db.rows("SELECT action, actor_id, subject_id FROM audit_entry ORDER BY id")
    assert [tuple(r) for r in found] == [("plugins.disable", 7, "bells"), ("plugins.enable", 7, "bells")]


async def test_unknown_and_unusable_plugins_are_refused(make_mall: MakeMall) -> None:
    mall = await make_mall(extra={"gongs": a_plugin("gongs", requires=("drums",))})

    with pytest.raises(PluginNotFound):
        await enable(mall, "harps", STAFF)
    with pytest.raises(PluginNotFound):
        await disable(mall, "harps", STAFF)
    with pytest.raises(PluginNotUsable) as refused:
        await enable(mall, "gongs", STAFF)
    assert "requires drums" in refused.value.details["reason"]


async def test_a_plugin_that_others_stand_on_is_not_disabled(make_mall: MakeMall) -> None:
    mall = await make_mall(extra={"bells": a_plugin(), "tower": a_plugin("tower", requires=("bells",))})

    with pytest.raises(PluginRequired) as refused:
        await disable(mall, "bells", STAFF)
    assert refused.value.details["by"] == "tower"

    await disable(mall, "tower", STAFF)
    await disable(mall, "bells", STAFF)
    with pytest.raises(PluginRequires):
        await enable(mall, "tower", STAFF)


async def test_enabling_and_disabling_at_once_never_leaves_a_plugin_without_what_it_requires(
    make_mall: MakeMall,
) -> None:
    mall = await make_mall(extra={"bells": a_plugin(), "tower": a_plugin("tower", requires=("bells",))})
    await disable(mall, "tower", STAFF)

    for _ in range(5):
        await enable(mall, "bells", STAFF)
        outcomes = await run_together(2, lambda n: enable(mall, "tower", STAFF) if n else disable(mall, "bells", STAFF))
        assert sum(o.ok for o in outcomes) == 1
        stored = dict(map(tuple, await db.rows("SELECT plugin_id, state FROM plugin_state")))
        assert stored["tower"] == "disabled" or stored["bells"] == "enabled"
        await disable(mall, "tower", STAFF)


async def test_a_plugin_seen_for_the_first_time_is_enabled_and_a_disabled_one_stays_off(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bells_for_tests", a_plugin())
    monkeypatch.setattr("core.plugin_host.discovery.entry_points", lambda: {"bells": "bells_for_tests"})

    def start() -> Mall:
        return boot(Settings(mall_plugins="bells"), environ={})

    mall = start()
    assert state(mall) == "disabled"
    assert await install(mall) == ["bells"]
    assert state(mall) == "enabled"

    await disable(mall, "bells", STAFF)
    again = start()
    assert await install(again) == []
    assert state(again) == "disabled"


async def test_every_process_follows_within_a_second(database: str, mall_servers: Servers) -> None:
    malls = [
        boot(
            Settings(mall_plugins=""), extra={"bells": a_plugin(plugin=Rings())}, environ={},
            redis=Redis.from_url(mall_servers.redis_url, socket_timeout=0.5),
        )
        for _ in range(3)
    ]  # fmt: skip
    for mall in malls:
        await attach(mall)
    try:
        await asyncio.sleep(0.7)  # longer than the client's time limit: an idle listener must survive it
        for switch, wanted in ((disable, "disabled"), (enable, "enabled")):
            began = time.monotonic()
            await switch(malls[0], "bells", STAFF)
            while any(state(mall) != wanted for mall in malls):
                await asyncio.sleep(0.01)
                assert time.monotonic() - began < 1.0
    finally:
        for mall in malls:
            await detach(mall)
            assert mall.redis is not None
            await mall.redis.aclose()


async def test_without_redis_a_change_counts_here_and_others_poll(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.plugin_host.service.POLL_S", 0.05)
    dead = Redis.from_url("redis://127.0.0.1:1/0")
    malls = [boot(Settings(mall_plugins=""), extra={"bells": a_plugin()}, environ={}, redis=r) for r in (dead, None)]
    monkeypatch.setattr("core.plugin_host.service.SUBSCRIBE_S", 0.1)
    for mall in malls:
        await attach(mall)
    try:
        await disable(malls[0], "bells", STAFF)
        assert state(malls[0]) == "disabled"
        await asyncio.sleep(0.3)
        assert state(malls[1]) == "disabled"
    finally:
        for mall in malls:
            await detach(mall)
        await dead.aclose()


# migrations ----------------------------------------------------------------------------------------------------------

_APP = """
from pathlib import Path
from piccolo.conf.apps import AppConfig
from belltower.tables import Bell
APP_CONFIG = AppConfig(app_name="{app}", migrations_folder_path=str(Path(__file__).parent / "migrations"),
                       table_classes=[Bell], migration_dependencies=[])
"""
_TABLES = """
from piccolo.columns import BigSerial
from piccolo.table import Table
class Bell(Table{name}):
    id = BigSerial(primary_key=True)
"""
_MIGRATION = """
from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from core.db import DB
ID = "2026-11-21T00:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = ""
async def up():
    await DB.run_ddl("CREATE TABLE belltower_bell (id bigserial primary key)")
async def down():
    await DB.run_ddl("DROP TABLE belltower_bell")
async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="mall_belltower", description="")
    manager.add_raw(up)
    manager.add_raw_backwards(down)
    return manager
"""


@pytest.fixture
def belltower(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write a plugin package with a table; return a function that takes what is wrong with it."""

    def write(
        *, app: str = "mall_belltower", name: str = ', tablename="belltower_bell"', file: str = "mall_belltower_1.py"
    ) -> Any:
        package = tmp_path / "belltower"
        (package / "migrations").mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "piccolo_app.py").write_text(_APP.format(app=app), encoding="utf-8")
        (package / "tables.py").write_text(_TABLES.format(name=name), encoding="utf-8")
        (package / "migrations" / file).write_text(_MIGRATION, encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
        importlib.invalidate_caches()
        return a_plugin("belltower", piccolo_app="belltower")

    yield write
    for module in [m for m in sys.modules if m.partition(".")[0] == "belltower"]:
        del sys.modules[module]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"name": ""}, "explicit tablename='belltower_"),
        ({"name": ', tablename="bell"'}, "explicit tablename='belltower_"),
        ({"file": "m0001.py"}, "must start with 'mall_belltower_'"),
        ({"app": "belltower"}, "must be named 'mall_belltower'"),
    ],
)
def test_tables_and_migrations_carry_the_name_of_their_plugin(
    belltower: Any, wrong: dict[str, str], reason: str
) -> None:
    [info] = boot(Settings(mall_plugins=""), extra={"belltower": belltower(**wrong)}, environ={}).plugins.info()

    assert info.state == "faulty"
    assert reason in info.reason


async def test_a_plugin_with_pending_migrations_is_off_until_they_are_run(own_database: str, belltower: Any) -> None:
    mall = boot(Settings(mall_plugins=""), extra={"belltower": belltower()}, environ={})
    await refresh(mall)
    assert state(mall, "belltower") == "needs_migration"
    with pytest.raises(PluginNeedsMigration):
        await enable(mall, "belltower", STAFF)

    await migrate.forwards(plugin_apps(mall))
    await refresh(mall)
    assert state(mall, "belltower") == "enabled"

    await migrate.backwards(plugin_apps(mall)[0])
    await refresh(mall)
    assert state(mall, "belltower") == "needs_migration"


async def test_a_serving_process_finds_pending_migrations_without_piccolo(own_database: str, belltower: Any) -> None:
    mall = boot(Settings(mall_plugins=""), extra={"belltower": belltower()}, environ={}, check_tables=False)
    await refresh(mall)
    assert state(mall, "belltower") == "needs_migration"
    assert "belltower.piccolo_app" not in sys.modules
