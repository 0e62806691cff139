"""Foreign keys, checks and indexes of carts."""

from __future__ import annotations

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from core.db import DB

ID = "2026-11-22T00:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "constraints"

_UP = (
    """
    ALTER TABLE cart_line
        ADD CONSTRAINT cart_line_unique UNIQUE (member_id, sku_id),
        ADD CONSTRAINT cart_line_member_fk FOREIGN KEY (member_id) REFERENCES member (id) ON DELETE RESTRICT,
        ADD CONSTRAINT cart_line_sku_fk FOREIGN KEY (sku_id) REFERENCES sku (id) ON DELETE RESTRICT,
        ADD CONSTRAINT cart_line_qty_check CHECK (qty BETWEEN 1 AND 999)
    """,
    "CREATE INDEX cart_line_sku ON cart_line (sku_id)",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="mall_carts", description=DESCRIPTION)

    async def up() -> None:
        for statement in _UP:
            await DB.run_ddl(statement)

    async def down() -> None:
        """Nothing: the constraints go with the table."""

    manager.add_raw(up)
    manager.add_raw_backwards(down)
    return manager
