"""Stock (behaviour.md 5.1)."""

from piccolo.columns import BigInt, BigSerial, Boolean, Integer, Timestamptz, Varchar
from piccolo.table import Table


class Location(Table, tablename="location"):
    """Where goods lie. ``kind``: store, warehouse. A store has exactly one; ``priority`` orders warehouses."""

    id = BigSerial(primary_key=True)
    kind = Varchar(length=16)
    store_id = BigInt(null=True, default=None)
    code = Varchar(length=64, unique=True)
    name = Varchar(length=128)
    priority = Integer(default=0)


class Stock(Table, tablename="stock"):
    """CHECK 0 <= reserved, and reserved <= on_hand unless ``backorder`` (a copy of the SKU's flag)."""

    id = BigSerial(primary_key=True)
    sku_id = BigInt()
    location_id = BigInt()
    on_hand = Integer(default=0)
    reserved = Integer(default=0)
    backorder = Boolean(default=False)
    version = Integer(default=1)


class StockMove(Table, tablename="stock_move"):
    """Append-only. ``kind``: receive, adjust, commit, return. on_hand of a stock row is the sum of its moves.

    ``request_key`` is the caller's own name for the write: one actor books it once.
    """

    id = BigSerial(primary_key=True)
    sku_id = BigInt()
    location_id = BigInt()
    kind = Varchar(length=16)
    qty = Integer()
    before = Integer()
    after = Integer()
    ref = Varchar(length=64, default="")  # pyright: ignore[reportAssignmentType] - a classmethod of Table, not used
    reason = Varchar(length=200, default="")
    actor_kind = Varchar(length=16)
    actor_id = BigInt(null=True, default=None)
    request_key = Varchar(length=64, null=True, default=None)
    at = Timestamptz()


class Reservation(Table, tablename="reservation"):
    """``state``: active, committed, released (a return is a move, and the line's own count)."""

    id = BigSerial(primary_key=True)
    order_id = BigInt()
    order_line_id = BigInt()
    sku_id = BigInt()
    location_id = BigInt()
    qty = Integer()
    state = Varchar(length=16, default="active")
    expires_at = Timestamptz(null=True, default=None)
    created_at = Timestamptz()
    settled_at = Timestamptz(null=True, default=None)
