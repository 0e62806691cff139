"""Constraints that Piccolo's columns cannot say."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from core.db.engine import DB

ID = "2026-11-22T00:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "constraints"

UP = (
    "ALTER TABLE import_job ADD CONSTRAINT import_job_state CHECK (state IN ('waiting', 'running', 'done', 'failed'))",
    "ALTER TABLE import_job ADD CONSTRAINT import_job_kind CHECK (kind IN ('stores', 'products'))",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="mall_imports", description=DESCRIPTION)

    async def up() -> None:
        for statement in UP:
            await DB.run_ddl(statement)

    manager.add_raw(up)
    return manager
