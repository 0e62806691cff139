"""Checks, indexes and the search text of stores."""

from __future__ import annotations

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from core.db import DB

ID = "2026-11-22T00:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "constraints"

_UP = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    """
    ALTER TABLE store
        ADD CONSTRAINT store_code_check CHECK (code <> ''),
        ADD CONSTRAINT store_name_check CHECK (name <> ''),
        ADD CONSTRAINT store_kind_check CHECK (kind IN ('direct', 'franchise', 'joint', 'licensed')),
        ADD CONSTRAINT store_state_check CHECK (state IN ('active', 'inactive', 'closed')),
        ADD CONSTRAINT store_coord_sys_check CHECK (coord_sys_given IN ('gcj02', 'wgs84', 'bd09')),
        ADD CONSTRAINT store_position_check CHECK ((lat IS NULL) = (lng IS NULL)),
        ADD CONSTRAINT store_lat_check CHECK (lat BETWEEN -90 AND 90),
        ADD CONSTRAINT store_lng_check CHECK (lng BETWEEN -180 AND 180),
        ADD CONSTRAINT store_services_check CHECK (services <@ ARRAY['pickup', 'delivery', 'express']::varchar[]),
        ADD CONSTRAINT store_close_check CHECK (closed_until IS NULL OR closed_from < closed_until)
    """,
    # One place that keeps the text which is searched, whoever writes the row.
    """
    CREATE FUNCTION store_search_text() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.search_text := lower(concat_ws(' ', NEW.name, NEW.code, NEW.city, NEW.district, NEW.address));
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER store_search_text BEFORE INSERT OR UPDATE OF name, code, city, district, address ON store
        FOR EACH ROW EXECUTE FUNCTION store_search_text()
    """,
    "CREATE INDEX store_search_text ON store USING gin (search_text gin_trgm_ops)",
    "CREATE INDEX store_position ON store (lat, lng) WHERE state = 'active'",
    "CREATE INDEX store_city ON store (city, id)",
    "CREATE INDEX store_updated_at ON store (updated_at)",
)
_DOWN = (
    "DROP TRIGGER IF EXISTS store_search_text ON store",
    "DROP FUNCTION IF EXISTS store_search_text()",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="mall_stores", description=DESCRIPTION)

    async def up() -> None:
        for statement in _UP:
            await DB.run_ddl(statement)

    async def down() -> None:
        for statement in _DOWN:
            await DB.run_ddl(statement)

    manager.add_raw(up)
    manager.add_raw_backwards(down)
    return manager
