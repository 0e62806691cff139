"""Constraints that Piccolo's columns cannot say."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from core.db.engine import DB

ID = "2026-11-22T00:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "constraints"

UP = (
    "CREATE UNIQUE INDEX pickup_code_issued ON pickup_code (code) WHERE state = 'issued'",
    "CREATE UNIQUE INDEX pickup_code_live ON pickup_code (order_id) WHERE state <> 'void'",
    "CREATE INDEX pickup_code_code ON pickup_code (code, id DESC)",
    "CREATE INDEX pickup_code_store ON pickup_code (store_id, id DESC) WHERE state = 'issued'",
    "ALTER TABLE pickup_code ADD CONSTRAINT pickup_code_state CHECK (state IN ('issued', 'used', 'void'))",
    """ALTER TABLE pickup_code ADD CONSTRAINT pickup_code_order
       FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE RESTRICT""",
    """ALTER TABLE pickup_code ADD CONSTRAINT pickup_code_store_fk
       FOREIGN KEY (store_id) REFERENCES store (id) ON DELETE RESTRICT""",
    "CREATE INDEX pickup_attempt_by_staff ON pickup_attempt (staff_id, at DESC)",
)
DOWN = (
    "ALTER TABLE pickup_code DROP CONSTRAINT pickup_code_order",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="mall_fulfilment", description=DESCRIPTION)

    async def up() -> None:
        for statement in UP:
            await DB.run_ddl(statement)

    async def down() -> None:
        for statement in DOWN:
            await DB.run_ddl(statement)

    manager.add_raw(up)
    manager.add_raw_backwards(down)
    return manager
