"""Constraints that Piccolo's columns cannot say."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from core.db.engine import DB

ID = "2026-11-22T00:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "constraints"

UP = (
    "ALTER TABLE orders ADD CONSTRAINT orders_request_key UNIQUE (member_id, request_key)",
    "ALTER TABLE orders ADD CONSTRAINT orders_member FOREIGN KEY (member_id) REFERENCES member (id) ON DELETE RESTRICT",
    "ALTER TABLE orders ADD CONSTRAINT orders_store FOREIGN KEY (store_id) REFERENCES store (id) ON DELETE RESTRICT",
    """ALTER TABLE orders ADD CONSTRAINT orders_status CHECK
       (status IN ('pending_payment', 'cancelling', 'cancelled', 'paid', 'completed', 'closed'))""",
    "ALTER TABLE orders ADD CONSTRAINT orders_fulfilment CHECK (fulfilment_state IN ('none', 'partial', 'done'))",
    "ALTER TABLE orders ADD CONSTRAINT orders_refund CHECK (refund_state IN ('none', 'partial', 'full'))",
    """ALTER TABLE orders ADD CONSTRAINT orders_amounts CHECK (goods_fen >= 0 AND discount_fen <= 0 AND freight_fen >= 0
       AND payable_fen >= 0 AND payable_fen = goods_fen + discount_fen + freight_fen AND paid_fen >= 0)""",
    "CREATE INDEX orders_by_member ON orders (member_id, id DESC)",
    "CREATE INDEX orders_by_store ON orders (store_id, id DESC)",
    "CREATE INDEX orders_by_status ON orders (status, id DESC)",
    """CREATE INDEX orders_unpaid ON orders (pay_deadline) WHERE status IN ('pending_payment', 'cancelling')""",
    "ALTER TABLE order_line ADD CONSTRAINT order_line_order FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE RESTRICT",
    "ALTER TABLE order_line ADD CONSTRAINT order_line_sku FOREIGN KEY (sku_id) REFERENCES sku (id) ON DELETE RESTRICT",
    "ALTER TABLE order_line ADD CONSTRAINT order_line_position UNIQUE (order_id, position)",
    """ALTER TABLE order_line ADD CONSTRAINT order_line_amounts CHECK (qty > 0 AND unit_fen >= 0 AND amount_fen = qty * unit_fen
       AND payable_fen = amount_fen + discount_fen AND payable_fen >= 0 AND discount_fen <= 0
       AND fulfilled_qty >= 0 AND refunded_qty >= 0 AND fulfilled_qty <= qty AND refunded_qty <= qty)""",
    "CREATE INDEX order_line_product ON order_line (product_id, order_id)",
    """ALTER TABLE order_adjustment ADD CONSTRAINT order_adjustment_order
       FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE RESTRICT""",
    "CREATE INDEX order_adjustment_by_order ON order_adjustment (order_id)",
    """ALTER TABLE order_allocation ADD CONSTRAINT order_allocation_adjustment
       FOREIGN KEY (adjustment_id) REFERENCES order_adjustment (id) ON DELETE RESTRICT""",
    """ALTER TABLE order_allocation ADD CONSTRAINT order_allocation_line
       FOREIGN KEY (order_line_id) REFERENCES order_line (id) ON DELETE RESTRICT""",
    "CREATE INDEX order_allocation_by_adjustment ON order_allocation (adjustment_id)",
    """ALTER TABLE order_timeline ADD CONSTRAINT order_timeline_order
       FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE RESTRICT""",
    "CREATE INDEX order_timeline_by_order ON order_timeline (order_id, id)",
    """ALTER TABLE order_hold ADD CONSTRAINT order_hold_order
       FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE RESTRICT""",
    "CREATE UNIQUE INDEX order_hold_live ON order_hold (order_id, plugin_id, code) WHERE released_at IS NULL",
    """ALTER TABLE payment ADD CONSTRAINT payment_order_fk FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE RESTRICT""",
    """CREATE FUNCTION order_history_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$""",
    """CREATE TRIGGER order_timeline_append_only BEFORE UPDATE OR DELETE ON order_timeline
       FOR EACH ROW EXECUTE FUNCTION order_history_is_append_only()""",
    """CREATE TRIGGER order_adjustment_append_only BEFORE UPDATE OR DELETE ON order_adjustment
       FOR EACH ROW EXECUTE FUNCTION order_history_is_append_only()""",
    """CREATE TRIGGER order_allocation_append_only BEFORE UPDATE OR DELETE ON order_allocation
       FOR EACH ROW EXECUTE FUNCTION order_history_is_append_only()""",
)
DOWN = (
    "ALTER TABLE payment DROP CONSTRAINT payment_order_fk",
    "DROP FUNCTION order_history_is_append_only() CASCADE",
    "ALTER TABLE order_allocation DROP CONSTRAINT order_allocation_adjustment",
    "ALTER TABLE order_allocation DROP CONSTRAINT order_allocation_line",
    "ALTER TABLE order_line DROP CONSTRAINT order_line_order",
    "ALTER TABLE order_adjustment DROP CONSTRAINT order_adjustment_order",
    "ALTER TABLE order_timeline DROP CONSTRAINT order_timeline_order",
    "ALTER TABLE order_hold DROP CONSTRAINT order_hold_order",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="mall_orders", description=DESCRIPTION)

    async def up() -> None:
        for statement in UP:
            await DB.run_ddl(statement)

    async def down() -> None:
        for statement in DOWN:
            await DB.run_ddl(statement)

    manager.add_raw(up)
    manager.add_raw_backwards(down)
    return manager
