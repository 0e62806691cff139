"""What the table classes of members cannot say: keys between tables, checks, what is unique, what is only added to."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from core.db import DB

ID = "2026-11-22T00:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "constraints"

UP = (
    "ALTER TABLE member ADD CONSTRAINT member_state_known CHECK (state IN ('active', 'blocked'))",
    "ALTER TABLE member ADD CONSTRAINT member_gender_known CHECK (gender IN ('', 'female', 'male', 'other'))",
    "ALTER TABLE member ADD CONSTRAINT member_source_store FOREIGN KEY (source_store_id) REFERENCES store ON DELETE RESTRICT",
    "ALTER TABLE member ADD CONSTRAINT member_source_staff FOREIGN KEY (source_staff_id) REFERENCES staff ON DELETE RESTRICT",
    "CREATE INDEX member_by_phone ON member (phone) WHERE phone IS NOT NULL",
    "CREATE INDEX member_by_nickname ON member (lower(nickname) text_pattern_ops)",
    "CREATE INDEX member_by_source_store ON member (source_store_id, id DESC) WHERE source_store_id IS NOT NULL",
    "CREATE INDEX member_by_source_staff ON member (source_staff_id) WHERE source_staff_id IS NOT NULL",
    "CREATE FUNCTION member_source_once() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION 'the source of a member is written once'; END $$",
    "CREATE TRIGGER member_source_once BEFORE UPDATE ON member FOR EACH ROW"
    " WHEN ((OLD.source_channel, OLD.source_store_id, OLD.source_staff_id, OLD.source_code)"
    " IS DISTINCT FROM (NEW.source_channel, NEW.source_store_id, NEW.source_staff_id, NEW.source_code))"
    " EXECUTE FUNCTION member_source_once()",
    "ALTER TABLE member_identity ADD CONSTRAINT member_identity_once UNIQUE (provider, subject)",
    "ALTER TABLE member_identity ADD CONSTRAINT member_identity_member FOREIGN KEY (member_id) REFERENCES member ON DELETE RESTRICT",
    "CREATE INDEX member_identity_by_member ON member_identity (member_id)",
    "ALTER TABLE member_address ADD CONSTRAINT member_address_member FOREIGN KEY (member_id) REFERENCES member ON DELETE RESTRICT",
    "CREATE INDEX member_address_by_member ON member_address (member_id)",
    "CREATE UNIQUE INDEX member_address_one_default ON member_address (member_id) WHERE is_default",
    "ALTER TABLE member_consent ADD CONSTRAINT member_consent_member FOREIGN KEY (member_id) REFERENCES member ON DELETE RESTRICT",
    "CREATE INDEX member_consent_newest ON member_consent (member_id, kind, id DESC)",
    "CREATE FUNCTION member_consent_append_only() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION 'member_consent is only added to'; END $$",
    "CREATE TRIGGER member_consent_append_only BEFORE UPDATE OR DELETE ON member_consent"
    " FOR EACH ROW EXECUTE FUNCTION member_consent_append_only()",
    "ALTER TABLE member_session ADD CONSTRAINT member_session_member FOREIGN KEY (member_id) REFERENCES member ON DELETE RESTRICT",
    "CREATE INDEX member_session_live ON member_session (member_id, id DESC) WHERE revoked_at IS NULL",
    "ALTER TABLE login_code ADD CONSTRAINT login_code_tries CHECK (tries_left >= 0)",
    "CREATE UNIQUE INDEX login_code_one_live ON login_code (phone) WHERE used_at IS NULL",
    "CREATE INDEX login_code_by_phone ON login_code (phone, created_at DESC)",
    "CREATE INDEX login_code_by_ip ON login_code (ip, created_at DESC)",
)
DOWN = (
    "DROP INDEX login_code_by_ip, login_code_by_phone, login_code_one_live, member_session_live, member_consent_newest,"
    " member_address_one_default, member_address_by_member, member_identity_by_member, member_by_source_staff,"
    " member_by_source_store, member_by_nickname, member_by_phone",
    "DROP TRIGGER member_consent_append_only ON member_consent",
    "DROP FUNCTION member_consent_append_only()",
    "DROP TRIGGER member_source_once ON member",
    "DROP FUNCTION member_source_once()",
    "ALTER TABLE login_code DROP CONSTRAINT login_code_tries",
    "ALTER TABLE member_session DROP CONSTRAINT member_session_member",
    "ALTER TABLE member_consent DROP CONSTRAINT member_consent_member",
    "ALTER TABLE member_address DROP CONSTRAINT member_address_member",
    "ALTER TABLE member_identity DROP CONSTRAINT member_identity_member, DROP CONSTRAINT member_identity_once",
    "ALTER TABLE member DROP CONSTRAINT member_source_staff, DROP CONSTRAINT member_source_store,"
    " DROP CONSTRAINT member_gender_known, DROP CONSTRAINT member_state_known",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="mall_members", description=DESCRIPTION)

    async def up() -> None:
        for statement in UP:
            await DB.run_ddl(statement)

    async def down() -> None:
        for statement in DOWN:
            await DB.run_ddl(statement)

    manager.add_raw(up)
    manager.add_raw_backwards(down)
    return manager
