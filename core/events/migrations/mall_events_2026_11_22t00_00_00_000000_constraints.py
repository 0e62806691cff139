"""What Piccolo's columns cannot say: the key from delivery to event, states, and the index of what is due."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from core.db import DB

ID = "2026-11-22T00:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "constraints"

_UP = (
    "ALTER TABLE event_delivery ADD CONSTRAINT event_delivery_event_fk "
    "FOREIGN KEY (event_id) REFERENCES event (id) ON DELETE RESTRICT",
    "ALTER TABLE event_delivery ADD CONSTRAINT event_delivery_once UNIQUE (event_id, handler)",
    "ALTER TABLE event_delivery ADD CONSTRAINT event_delivery_state CHECK (state IN ('due', 'done', 'dead'))",
    "ALTER TABLE event_delivery ADD CONSTRAINT event_delivery_done CHECK ((state = 'done') = (done_at IS NOT NULL))",
    "CREATE INDEX event_delivery_due ON event_delivery (due_at, id) WHERE state = 'due'",
    "CREATE INDEX event_delivery_dead ON event_delivery (id) WHERE state = 'dead'",
    "ALTER TABLE event ADD CONSTRAINT event_named CHECK (name ~ '^[a-z][a-z0-9_]*[.][a-z0-9_.]+$')",
    "CREATE INDEX event_by_name ON event (name, id)",
    """CREATE FUNCTION event_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN RAISE EXCEPTION 'events are not changed'; END $$""",
    "CREATE TRIGGER event_append_only BEFORE UPDATE ON event FOR EACH ROW EXECUTE FUNCTION event_append_only()",
)
_DOWN = (
    "DROP TRIGGER event_append_only ON event",
    "DROP FUNCTION event_append_only()",
    "DROP INDEX event_by_name",
    "ALTER TABLE event DROP CONSTRAINT event_named",
    "DROP INDEX event_delivery_dead",
    "DROP INDEX event_delivery_due",
    "ALTER TABLE event_delivery DROP CONSTRAINT event_delivery_done",
    "ALTER TABLE event_delivery DROP CONSTRAINT event_delivery_state",
    "ALTER TABLE event_delivery DROP CONSTRAINT event_delivery_once",
    "ALTER TABLE event_delivery DROP CONSTRAINT event_delivery_event_fk",
)


async def _up() -> None:
    for statement in _UP:
        await DB.run_ddl(statement)


async def _down() -> None:
    for statement in _DOWN:
        await DB.run_ddl(statement)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="mall_events", description=DESCRIPTION)
    manager.add_raw(_up)
    manager.add_raw_backwards(_down)
    return manager
