"""Constraints that Piccolo's columns cannot say."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from core.db.engine import DB

ID = "2026-11-22T00:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "constraints"

UP = (
    "CREATE UNIQUE INDEX payment_one_open ON payment (order_id, provider) WHERE state IN ('created', 'pending')",
    "CREATE UNIQUE INDEX payment_channel_txn ON payment (provider, channel_txn_id) WHERE channel_txn_id IS NOT NULL",
    "CREATE INDEX payment_order ON payment (order_id)",
    """ALTER TABLE payment ADD CONSTRAINT payment_amounts CHECK (amount_fen >= 0 AND captured_fen >= 0
       AND refunded_fen >= 0 AND refunding_fen >= 0 AND refunded_fen + refunding_fen <= captured_fen)""",
    """ALTER TABLE payment ADD CONSTRAINT payment_state CHECK
       (state IN ('created', 'pending', 'captured', 'closed', 'failed', 'mismatch'))""",
    "ALTER TABLE payment_inbox ADD CONSTRAINT payment_inbox_once UNIQUE (provider, event_id)",
    "CREATE INDEX payment_inbox_open ON payment_inbox (id) WHERE handled_at IS NULL",
    "ALTER TABLE staff_task ADD CONSTRAINT staff_task_once UNIQUE (kind, subject_kind, subject_id)",
    "CREATE INDEX staff_task_open ON staff_task (id) WHERE state = 'open'",
)
DOWN = (
    "ALTER TABLE payment DROP CONSTRAINT payment_amounts",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="mall_payments", description=DESCRIPTION)

    async def up() -> None:
        for statement in UP:
            await DB.run_ddl(statement)

    async def down() -> None:
        for statement in DOWN:
            await DB.run_ddl(statement)

    manager.add_raw(up)
    manager.add_raw_backwards(down)
    return manager
