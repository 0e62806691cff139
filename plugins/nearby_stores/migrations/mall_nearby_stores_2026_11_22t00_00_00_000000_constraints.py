"""Checks and keys of delivery areas."""

from __future__ import annotations

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from core.sdk import db

ID = "2026-11-22T00:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "constraints"

_UP = (
    """
    ALTER TABLE nearby_stores_area
        ADD CONSTRAINT nearby_stores_area_store_fkey FOREIGN KEY (store_id) REFERENCES store (id) ON DELETE RESTRICT,
        ADD CONSTRAINT nearby_stores_area_shape_check CHECK (
            (kind = 'radius' AND radius_m BETWEEN 1 AND 50000 AND polygon IS NULL)
            OR (kind = 'polygon' AND radius_m IS NULL AND jsonb_array_length(polygon) >= 3
                AND num_nonnulls(south, north, west, east) = 4)
        )
    """,
    "CREATE INDEX nearby_stores_area_box ON nearby_stores_area (south, north) WHERE kind = 'polygon'",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="mall_nearby_stores", description=DESCRIPTION)

    async def up() -> None:
        for statement in _UP:
            await db.DB.run_ddl(statement)

    async def down() -> None:
        """Nothing to undo: the constraints go with the table."""

    manager.add_raw(up)
    manager.add_raw_backwards(down)
    return manager
