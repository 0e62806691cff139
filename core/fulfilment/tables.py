"""Pick-up at a store (behaviour.md 5.3)."""

from piccolo.columns import BigInt, BigSerial, Timestamptz, Varchar
from piccolo.table import Table


class PickupCode(Table, tablename="pickup_code"):
    """``state``: issued, used, void. 12 digits, the last a Luhn check; UNIQUE among the issued."""

    id = BigSerial(primary_key=True)
    order_id = BigInt()
    store_id = BigInt()
    code = Varchar(length=12)
    state = Varchar(length=8, default="issued")
    issued_at = Timestamptz()
    used_at = Timestamptz(null=True, default=None)
    used_by = BigInt(null=True, default=None)
    used_at_store = BigInt(null=True, default=None)
    voided_at = Timestamptz(null=True, default=None)


class PickupAttempt(Table, tablename="pickup_attempt"):
    """Every try to verify a code, right or wrong: the limit counts them, and an owner can read them. Append-only."""

    id = BigSerial(primary_key=True)
    staff_id = BigInt()
    store_id = BigInt(null=True, default=None)
    order_id = BigInt(null=True, default=None)
    result = Varchar(length=64)
    at = Timestamptz()
