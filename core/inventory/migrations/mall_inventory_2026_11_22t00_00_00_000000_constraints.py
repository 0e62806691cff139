"""Foreign keys, checks and indexes of stock; moves can only be added."""

from __future__ import annotations

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from core.db import DB

ID = "2026-11-22T00:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "constraints"

_UP = (
    """
    ALTER TABLE location
        ADD CONSTRAINT location_store_fk FOREIGN KEY (store_id) REFERENCES store (id) ON DELETE RESTRICT,
        ADD CONSTRAINT location_store_unique UNIQUE (store_id),
        ADD CONSTRAINT location_kind_check CHECK (kind IN ('store', 'warehouse')),
        ADD CONSTRAINT location_kind_store_check CHECK ((kind = 'store') = (store_id IS NOT NULL))
    """,
    # The flag is a copy of the SKU's, taken when more is reserved than is there: only then may the row go below zero.
    """
    ALTER TABLE stock
        ADD CONSTRAINT stock_place_unique UNIQUE (sku_id, location_id),
        ADD CONSTRAINT stock_sku_fk FOREIGN KEY (sku_id) REFERENCES sku (id) ON DELETE RESTRICT,
        ADD CONSTRAINT stock_location_fk FOREIGN KEY (location_id) REFERENCES location (id) ON DELETE RESTRICT,
        ADD CONSTRAINT stock_reserved_check CHECK (reserved >= 0 AND (backorder OR reserved <= on_hand))
    """,
    "CREATE INDEX stock_location ON stock (location_id, id)",
    """
    ALTER TABLE stock_move
        ADD CONSTRAINT stock_move_stock_fk FOREIGN KEY (sku_id, location_id) REFERENCES stock (sku_id, location_id)
            ON DELETE RESTRICT,
        ADD CONSTRAINT stock_move_kind_check CHECK (kind IN ('receive', 'adjust', 'commit', 'return')),
        ADD CONSTRAINT stock_move_sum_check CHECK (after = before + qty AND qty <> 0),
        ADD CONSTRAINT stock_move_sign_check CHECK (
            (kind = 'adjust') OR (kind = 'commit' AND qty < 0) OR (kind IN ('receive', 'return') AND qty > 0)
        ),
        ADD CONSTRAINT stock_move_reason_check CHECK (kind <> 'adjust' OR reason <> '')
    """,
    "CREATE INDEX stock_move_place ON stock_move (sku_id, location_id, id)",
    "CREATE INDEX stock_move_location ON stock_move (location_id, id)",
    "CREATE INDEX stock_move_ref ON stock_move (ref) WHERE ref <> ''",
    # One return is booked once, whoever calls twice; also the index that returns of an order are counted with.
    "CREATE UNIQUE INDEX stock_move_return ON stock_move (sku_id, location_id, ref) WHERE kind = 'return'",
    "CREATE UNIQUE INDEX stock_move_request ON stock_move (actor_kind, coalesce(actor_id, 0), request_key) "
    "WHERE request_key IS NOT NULL",
    """
    CREATE FUNCTION stock_move_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'stock_move is append-only' USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE TRIGGER stock_move_append_only BEFORE UPDATE OR DELETE ON stock_move
        FOR EACH ROW EXECUTE FUNCTION stock_move_append_only()
    """,
    """
    ALTER TABLE reservation
        ADD CONSTRAINT reservation_stock_fk FOREIGN KEY (sku_id, location_id) REFERENCES stock (sku_id, location_id)
            ON DELETE RESTRICT,
        ADD CONSTRAINT reservation_qty_check CHECK (qty > 0),
        ADD CONSTRAINT reservation_state_check CHECK (state IN ('active', 'committed', 'released')),
        ADD CONSTRAINT reservation_settled_check CHECK ((state = 'active') = (settled_at IS NULL))
    """,
    "CREATE INDEX reservation_order ON reservation (order_id)",
    "CREATE INDEX reservation_active ON reservation (sku_id, location_id) WHERE state = 'active'",
    "CREATE UNIQUE INDEX reservation_line_active ON reservation (order_line_id) WHERE state = 'active'",
)
_DOWN = (
    "DROP TRIGGER IF EXISTS stock_move_append_only ON stock_move",
    "DROP FUNCTION IF EXISTS stock_move_append_only()",
    # The tables are dropped in no order of their own: nothing may point from one to another by then.
    "ALTER TABLE stock_move DROP CONSTRAINT IF EXISTS stock_move_stock_fk",
    "ALTER TABLE reservation DROP CONSTRAINT IF EXISTS reservation_stock_fk",
    "ALTER TABLE stock DROP CONSTRAINT IF EXISTS stock_location_fk",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="mall_inventory", description=DESCRIPTION)

    async def up() -> None:
        for statement in _UP:
            await DB.run_ddl(statement)

    async def down() -> None:
        for statement in _DOWN:
            await DB.run_ddl(statement)

    manager.add_raw(up)
    manager.add_raw_backwards(down)
    return manager
