"""What the table classes of staff cannot say: keys between tables, checks, and the audit trail that is only added to."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from core.db import DB

ID = "2026-11-22T00:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "constraints"

UP = (
    "ALTER TABLE staff ADD CONSTRAINT staff_state_known CHECK (state IN ('active', 'disabled'))",
    "ALTER TABLE staff ADD CONSTRAINT staff_login_lower CHECK (login = lower(login) AND login <> '')",
    "ALTER TABLE staff_role_member ADD CONSTRAINT staff_role_member_once UNIQUE (staff_id, role_id)",
    "ALTER TABLE staff_role_member ADD CONSTRAINT staff_role_member_staff FOREIGN KEY (staff_id) REFERENCES staff ON DELETE RESTRICT",
    "ALTER TABLE staff_role_member ADD CONSTRAINT staff_role_member_role FOREIGN KEY (role_id) REFERENCES staff_role ON DELETE RESTRICT",
    "CREATE INDEX staff_role_member_by_role ON staff_role_member (role_id)",
    "ALTER TABLE staff_store ADD CONSTRAINT staff_store_once UNIQUE (staff_id, store_id)",
    "ALTER TABLE staff_store ADD CONSTRAINT staff_store_staff FOREIGN KEY (staff_id) REFERENCES staff ON DELETE RESTRICT",
    "ALTER TABLE staff_store ADD CONSTRAINT staff_store_store FOREIGN KEY (store_id) REFERENCES store ON DELETE RESTRICT",
    "CREATE INDEX staff_store_by_store ON staff_store (store_id)",
    "ALTER TABLE staff_session ADD CONSTRAINT staff_session_staff FOREIGN KEY (staff_id) REFERENCES staff ON DELETE RESTRICT",
    "CREATE INDEX staff_session_live ON staff_session (staff_id) WHERE revoked_at IS NULL",
    "CREATE INDEX audit_entry_by_subject ON audit_entry (subject_kind, subject_id, id DESC)",
    "CREATE INDEX audit_entry_by_actor ON audit_entry (actor_kind, actor_id, id DESC)",
    "CREATE INDEX audit_entry_by_action ON audit_entry (action text_pattern_ops, id DESC)",
    "CREATE INDEX audit_entry_by_time ON audit_entry (at)",
    "CREATE INDEX audit_entry_by_store ON audit_entry (store_id, id DESC) WHERE store_id IS NOT NULL",
    "CREATE FUNCTION audit_entry_append_only() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION 'audit_entry is only added to'; END $$",
    "CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE ON audit_entry"
    " FOR EACH ROW EXECUTE FUNCTION audit_entry_append_only()",
)
DOWN = (
    "DROP TRIGGER audit_entry_append_only ON audit_entry",
    "DROP FUNCTION audit_entry_append_only()",
    "DROP INDEX audit_entry_by_store, audit_entry_by_time, audit_entry_by_action, audit_entry_by_actor, audit_entry_by_subject,"
    " staff_session_live, staff_store_by_store, staff_role_member_by_role",
    "ALTER TABLE staff_session DROP CONSTRAINT staff_session_staff",
    "ALTER TABLE staff_store DROP CONSTRAINT staff_store_store, DROP CONSTRAINT staff_store_staff, DROP CONSTRAINT staff_store_once",
    "ALTER TABLE staff_role_member DROP CONSTRAINT staff_role_member_role, DROP CONSTRAINT staff_role_member_staff,"
    " DROP CONSTRAINT staff_role_member_once",
    "ALTER TABLE staff DROP CONSTRAINT staff_login_lower, DROP CONSTRAINT staff_state_known",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="mall_staff", description=DESCRIPTION)

    async def up() -> None:
        for statement in UP:
            await DB.run_ddl(statement)

    async def down() -> None:
        for statement in DOWN:
            await DB.run_ddl(statement)

    manager.add_raw(up)
    manager.add_raw_backwards(down)
    return manager
