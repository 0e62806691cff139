"""Staff, roles, sessions, and the audit trail."""

from piccolo.columns import JSONB, Array, BigInt, BigSerial, Boolean, Bytea, Text, Timestamptz, Varchar
from piccolo.table import Table


class Staff(Table, tablename="staff"):
    """``all_stores`` lifts the store scope; without it only the stores of ``staff_store`` count."""

    id = BigSerial(primary_key=True)
    login = Varchar(length=64, unique=True)
    name = Varchar(length=64)
    phone = Varchar(length=20, null=True, default=None)
    password_hash = Text()
    all_stores = Boolean(default=False)
    state = Varchar(length=16, default="active")
    created_at = Timestamptz()
    signed_in_at = Timestamptz(null=True, default=None)


class Role(Table, tablename="staff_role"):
    """A named set of permissions. Names that no code knows are kept and ignored (a plugin may come back)."""

    id = BigSerial(primary_key=True)
    code = Varchar(length=64, unique=True)
    name = Varchar(length=64)
    permissions = Array(base_column=Varchar(length=128))


class StaffRole(Table, tablename="staff_role_member"):
    id = BigSerial(primary_key=True)
    staff_id = BigInt()
    role_id = BigInt()


class StaffStore(Table, tablename="staff_store"):
    id = BigSerial(primary_key=True)
    staff_id = BigInt()
    store_id = BigInt()


class StaffSession(Table, tablename="staff_session"):
    id = BigSerial(primary_key=True)
    staff_id = BigInt()
    token_hash = Bytea(unique=True)
    created_at = Timestamptz()
    expires_at = Timestamptz()
    revoked_at = Timestamptz(null=True, default=None)
    ip = Varchar(length=64, default="")
    client = Varchar(length=200, default="")


class AuditEntry(Table, tablename="audit_entry"):
    """One row for every change that staff (or the command line) made. Append-only."""

    id = BigSerial(primary_key=True)
    actor_kind = Varchar(length=16)
    actor_id = BigInt(null=True, default=None)
    actor_name = Varchar(length=64, default="")
    action = Varchar(length=64)
    subject_kind = Varchar(length=32)
    subject_id = Varchar(length=64)
    store_id = BigInt(null=True, default=None)
    before = JSONB(null=True, default=None)
    after = JSONB(null=True, default=None)
    request_id = Varchar(length=64, default="")
    ip = Varchar(length=64, default="")
    at = Timestamptz()
