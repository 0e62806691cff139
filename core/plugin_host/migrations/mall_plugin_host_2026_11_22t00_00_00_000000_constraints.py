"""What Piccolo's columns cannot say: the states, and one row for each version of a plugin's settings."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from core.db import DB

ID = "2026-11-22T00:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "constraints"

_UP = (
    "ALTER TABLE plugin_state ADD CONSTRAINT plugin_state_known "
    "CHECK (state IN ('installed', 'enabled', 'draining', 'disabled', 'uninstalled'))",
    "ALTER TABLE plugin_setting ADD CONSTRAINT plugin_setting_version UNIQUE (plugin_id, version)",
    "ALTER TABLE plugin_setting ADD CONSTRAINT plugin_setting_from_one CHECK (version > 0)",
)
_DOWN = (
    "ALTER TABLE plugin_setting DROP CONSTRAINT plugin_setting_from_one",
    "ALTER TABLE plugin_setting DROP CONSTRAINT plugin_setting_version",
    "ALTER TABLE plugin_state DROP CONSTRAINT plugin_state_known",
)


async def _up() -> None:
    for statement in _UP:
        await DB.run_ddl(statement)


async def _down() -> None:
    for statement in _DOWN:
        await DB.run_ddl(statement)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="mall_plugin_host", description=DESCRIPTION)
    manager.add_raw(_up)
    manager.add_raw_backwards(_down)
    return manager
