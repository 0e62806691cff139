"""What the database itself guarantees of the catalog, and the indexes of its lists and searches."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from core.db import DB

ID = "2026-11-22T00:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "constraints"

UP = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    # The tree: deleting what holds something is refused; siblings have different names.
    "ALTER TABLE category ADD CONSTRAINT category_parent FOREIGN KEY (parent_id) REFERENCES category ON DELETE RESTRICT",
    "ALTER TABLE category ADD CONSTRAINT category_not_its_parent CHECK (parent_id <> id)",
    "ALTER TABLE category ADD CONSTRAINT category_named CHECK (name <> '' AND code <> '')",
    "CREATE UNIQUE INDEX category_sibling_name ON category (coalesce(parent_id, 0), name)",
    "CREATE INDEX category_parent_id ON category (parent_id)",
    # Products
    """ALTER TABLE product ADD CONSTRAINT product_category FOREIGN KEY (category_id) REFERENCES category
        ON DELETE RESTRICT""",
    "ALTER TABLE product ADD CONSTRAINT product_state CHECK (state IN ('draft', 'active', 'archived'))",
    "ALTER TABLE product ADD CONSTRAINT product_listing CHECK (listing IN ('everywhere', 'selected'))",
    "ALTER TABLE product ADD CONSTRAINT product_named CHECK (title <> '' AND handle <> '')",
    """ALTER TABLE product ADD CONSTRAINT product_limits CHECK (min_per_order >= 0 AND max_per_order >= 0
        AND max_per_member >= 0 AND (max_per_order = 0 OR max_per_order >= min_per_order))""",
    "ALTER TABLE product ADD CONSTRAINT product_prices CHECK (0 <= min_price_fen AND min_price_fen <= max_price_fen)",
    """ALTER TABLE product ADD CONSTRAINT product_options
        CHECK (jsonb_typeof(options) = 'array' AND jsonb_array_length(options) <= 3)""",
    "CREATE INDEX product_by_sort ON product (sort, id) WHERE state = 'active'",
    "CREATE INDEX product_by_price ON product (min_price_fen, id) WHERE state = 'active'",
    "CREATE INDEX product_by_title ON product (title, id) WHERE state = 'active'",
    "CREATE INDEX product_by_category ON product (category_id, sort, id)",
    "CREATE INDEX product_by_tag ON product USING gin (tags)",
    "CREATE INDEX product_search ON product USING gin (search_text gin_trgm_ops)",
    # SKUs. Two on sale never share a combination; deferred, so that one save may swap them.
    "ALTER TABLE sku ADD CONSTRAINT sku_product FOREIGN KEY (product_id) REFERENCES product ON DELETE RESTRICT",
    """ALTER TABLE sku ADD CONSTRAINT sku_combination EXCLUDE USING btree (product_id WITH =, options WITH =)
        WHERE (active) DEFERRABLE INITIALLY DEFERRED""",
    """ALTER TABLE sku ADD CONSTRAINT sku_amounts CHECK (price_fen >= 0 AND weight_g >= 0
        AND (compare_at_fen IS NULL OR compare_at_fen >= 0))""",
    "ALTER TABLE sku ADD CONSTRAINT sku_coded CHECK (code <> '')",
    "CREATE INDEX sku_of_product ON sku (product_id, position, id)",
    # Stores
    "ALTER TABLE store_listing ADD CONSTRAINT store_listing_once UNIQUE (product_id, store_id)",
    """ALTER TABLE store_listing ADD CONSTRAINT store_listing_product FOREIGN KEY (product_id) REFERENCES product
        ON DELETE RESTRICT""",
    """ALTER TABLE store_listing ADD CONSTRAINT store_listing_store FOREIGN KEY (store_id) REFERENCES store
        ON DELETE RESTRICT""",
    "CREATE INDEX store_listing_of_store ON store_listing (store_id)",
    "ALTER TABLE store_price ADD CONSTRAINT store_price_once UNIQUE (sku_id, store_id)",
    "ALTER TABLE store_price ADD CONSTRAINT store_price_sku FOREIGN KEY (sku_id) REFERENCES sku ON DELETE RESTRICT",
    "ALTER TABLE store_price ADD CONSTRAINT store_price_store FOREIGN KEY (store_id) REFERENCES store ON DELETE RESTRICT",
    "ALTER TABLE store_price ADD CONSTRAINT store_price_amount CHECK (price_fen >= 0)",
    "CREATE INDEX store_price_of_store ON store_price (store_id)",
)
# Only what ties the tables together: the rest goes with them. The extension stays, others use it.
DOWN = (
    "ALTER TABLE store_price DROP CONSTRAINT store_price_sku, DROP CONSTRAINT store_price_store",
    "ALTER TABLE store_listing DROP CONSTRAINT store_listing_product, DROP CONSTRAINT store_listing_store",
    "ALTER TABLE sku DROP CONSTRAINT sku_product",
    "ALTER TABLE product DROP CONSTRAINT product_category",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="mall_catalog", description=DESCRIPTION)

    async def up() -> None:
        for statement in UP:
            await DB.run_ddl(statement)

    async def down() -> None:
        for statement in DOWN:
            await DB.run_ddl(statement)

    manager.add_raw(up)
    manager.add_raw_backwards(down)
    return manager
