"""A note is made once."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from core.sdk import db

ID = "2026-11-22T00:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "constraints"


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="mall_all_hooks", description=DESCRIPTION)

    async def up() -> None:
        await db.DB.run_ddl("ALTER TABLE all_hooks_note ADD CONSTRAINT all_hooks_note_once UNIQUE (kind, subject_id)")

    async def down() -> None:
        await db.DB.run_ddl("ALTER TABLE all_hooks_note DROP CONSTRAINT all_hooks_note_once")

    manager.add_raw(up)
    manager.add_raw_backwards(down)
    return manager
