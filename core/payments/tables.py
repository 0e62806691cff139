"""Payments (behaviour.md 5.5): one row an attempt, the inbox of notifications, and tasks for people."""

from piccolo.columns import JSONB, BigInt, BigSerial, Boolean, Bytea, Integer, Text, Timestamptz, Varchar
from piccolo.table import Table


class Payment(Table, tablename="payment"):
    """``state``: created, pending, captured, closed, failed, mismatch."""

    id = BigSerial(primary_key=True)
    number = Varchar(length=32, unique=True)
    order_id = BigInt()
    provider = Varchar(length=32)
    amount_fen = BigInt()
    currency = Varchar(length=3, default="CNY")
    state = Varchar(length=16, default="created")
    channel_txn_id = Varchar(length=64, null=True, default=None)
    captured_fen = BigInt(default=0)
    refunded_fen = BigInt(default=0)
    refunding_fen = BigInt(default=0)
    method = Varchar(length=32, default="")
    client_action = JSONB(null=True, default=None)
    channel = Varchar(length=32)
    store_id = BigInt(null=True, default=None)
    staff_id = BigInt(null=True, default=None)
    created_at = Timestamptz()
    expires_at = Timestamptz(null=True, default=None)
    captured_at = Timestamptz(null=True, default=None)
    closed_at = Timestamptz(null=True, default=None)


class PaymentInbox(Table, tablename="payment_inbox"):
    """What a channel told us, stored before it is handled; UNIQUE (provider, event_id) makes repeats harmless."""

    id = BigSerial(primary_key=True)
    provider = Varchar(length=32)
    event_id = Varchar(length=128)
    headers = JSONB()
    body = Bytea()
    verified = Boolean(default=False)
    result = Varchar(length=64, null=True, default=None)
    tries = Integer(default=0)
    received_at = Timestamptz()
    handled_at = Timestamptz(null=True, default=None)


class StaffTask(Table, tablename="staff_task"):
    """Something that needs a person: an orphan payment, a mismatch, a duplicate. ``state``: open, done."""

    id = BigSerial(primary_key=True)
    kind = Varchar(length=32)
    subject_kind = Varchar(length=32)
    subject_id = Varchar(length=64)
    store_id = BigInt(null=True, default=None)
    details = JSONB()
    state = Varchar(length=8, default="open")
    note = Text(default="")
    done_by = BigInt(null=True, default=None)
    created_at = Timestamptz()
    done_at = Timestamptz(null=True, default=None)
