"""Members, how they sign in, and what they agreed to."""

from piccolo.columns import JSONB, BigInt, BigSerial, Boolean, Bytea, Date, Integer, Text, Timestamptz, Varchar
from piccolo.table import Table


class Member(Table, tablename="member"):
    """``source_*`` say where the member joined; they are written once (a trigger refuses another value)."""

    id = BigSerial(primary_key=True)
    number = Varchar(length=32, unique=True)
    nickname = Varchar(length=64, default="")
    avatar_url = Text(default="")
    phone = Varchar(length=20, null=True, default=None)
    gender = Varchar(length=16, default="")
    born_on = Date(null=True, default=None)
    state = Varchar(length=16, default="active")
    source_channel = Varchar(length=32)
    source_store_id = BigInt(null=True, default=None)
    source_staff_id = BigInt(null=True, default=None)
    source_code = Varchar(length=64, null=True, default=None)
    extra = JSONB(default="{}")
    created_at = Timestamptz()


class MemberIdentity(Table, tablename="member_identity"):
    id = BigSerial(primary_key=True)
    member_id = BigInt()
    provider = Varchar(length=32)
    subject = Varchar(length=128)
    created_at = Timestamptz()


class MemberAddress(Table, tablename="member_address"):
    id = BigSerial(primary_key=True)
    member_id = BigInt()
    name = Varchar(length=64)
    phone = Varchar(length=20)
    province = Varchar(length=64, default="")
    city = Varchar(length=64, default="")
    district = Varchar(length=64, default="")
    street = Varchar(length=200)
    postcode = Varchar(length=16, default="")
    is_default = Boolean(default=False)
    created_at = Timestamptz()


class MemberConsent(Table, tablename="member_consent"):
    """Append-only: the newest row of a kind is the member's present answer."""

    id = BigSerial(primary_key=True)
    member_id = BigInt()
    kind = Varchar(length=32)
    version = Varchar(length=32)
    granted = Boolean()
    at = Timestamptz()


class MemberSession(Table, tablename="member_session"):
    id = BigSerial(primary_key=True)
    member_id = BigInt()
    token_hash = Bytea(unique=True)
    channel = Varchar(length=32)
    created_at = Timestamptz()
    expires_at = Timestamptz()
    revoked_at = Timestamptz(null=True, default=None)
    client = Varchar(length=200, default="")


class LoginCode(Table, tablename="login_code"):
    """A one-time code that was sent; only its hash is kept. ``used_at``: used up, or replaced by a newer code.

    The rows of the last day are also what the limits of sending are checked against (``ip`` is for that alone).
    """

    id = BigSerial(primary_key=True)
    phone = Varchar(length=20)
    ip = Varchar(length=64, default="")
    code_hash = Bytea()
    tries_left = Integer(default=5)
    created_at = Timestamptz()
    expires_at = Timestamptz()
    used_at = Timestamptz(null=True, default=None)
