"""The outbox: events, and one delivery row for each (event, handler)."""

from piccolo.columns import JSONB, BigInt, BigSerial, Integer, Text, Timestamptz, Varchar
from piccolo.table import Table


class EventRow(Table, tablename="event"):
    """An event as it happened, written in the transaction that made it true. Append-only."""

    id = BigSerial(primary_key=True)
    name = Varchar(length=64)
    payload = JSONB()
    channel = Varchar(length=32, null=True, default=None)
    store_id = BigInt(null=True, default=None)
    staff_id = BigInt(null=True, default=None)
    at = Timestamptz()


class EventDelivery(Table, tablename="event_delivery"):
    """``state``: due, done, dead. ``done`` is written in the handler's own transaction: mark and effect are one."""

    id = BigSerial(primary_key=True)
    event_id = BigInt()
    handler = Varchar(length=128)
    state = Varchar(length=8, default="due")
    tries = Integer(default=0)
    due_at = Timestamptz()
    last_error = Text(null=True, default=None)
    done_at = Timestamptz(null=True, default=None)
