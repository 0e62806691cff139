"""Orders (behaviour.md 5.3): independent axes, priced lines, adjustments as rows, a timeline and holds."""

from piccolo.columns import JSONB, BigInt, BigSerial, Boolean, Bytea, Integer, Text, Timestamptz, Varchar
from piccolo.table import Table


class OrderRow(Table, tablename="orders"):
    """``status``: pending_payment, cancelling, cancelled, paid, completed, closed. ``fulfilment_state``: none,
    partial, done. ``refund_state``: none, partial, full.
    """

    id = BigSerial(primary_key=True)
    number = Varchar(length=32, unique=True)
    member_id = BigInt()
    request_key = Varchar(length=64)
    request_hash = Bytea()
    kind = Varchar(length=16, default="goods")
    status = Varchar(length=16, default="pending_payment")
    fulfilment_state = Varchar(length=8, default="none")
    refund_state = Varchar(length=8, default="none")
    held = Boolean(default=False)
    channel = Varchar(length=32)
    store_id = BigInt(null=True, default=None)
    staff_id = BigInt(null=True, default=None)
    fulfilment_method = Varchar(length=32)
    contact_name = Varchar(length=64, default="")
    contact_phone = Varchar(length=20, default="")
    address = JSONB(null=True, default=None)
    note = Varchar(length=200, default="")
    goods_fen = BigInt()
    discount_fen = BigInt()
    freight_fen = BigInt(default=0)
    payable_fen = BigInt()
    paid_fen = BigInt(default=0)
    refunded_fen = BigInt(default=0)
    pay_deadline = Timestamptz(null=True, default=None)
    extensions = JSONB(default="{}")
    hidden = Boolean(default=False)
    cancel_reason = Varchar(length=64, null=True, default=None)
    version = Integer(default=1)
    placed_at = Timestamptz()
    paid_at = Timestamptz(null=True, default=None)
    completed_at = Timestamptz(null=True, default=None)
    cancelled_at = Timestamptz(null=True, default=None)
    closed_at = Timestamptz(null=True, default=None)


class OrderLine(Table, tablename="order_line"):
    """A snapshot of what was bought: it stays readable when the product is gone."""

    id = BigSerial(primary_key=True)
    order_id = BigInt()
    position = Integer()
    sku_id = BigInt()
    product_id = BigInt()
    location_id = BigInt(null=True, default=None)
    sku_code = Varchar(length=64)
    title = Varchar(length=200)
    options = JSONB(default="[]")
    image_url = Text(default="")
    qty = Integer()
    unit_fen = BigInt()
    amount_fen = BigInt()
    discount_fen = BigInt(default=0)
    payable_fen = BigInt()
    fulfilled_qty = Integer(default=0)
    refunded_qty = Integer(default=0)


class OrderAdjustment(Table, tablename="order_adjustment"):
    """What a plugin (or a person) took off or put on; history, never recomputed. Negative = off.

    ``target``: line, order, freight. The parts on lines are ``order_allocation`` rows and add up to ``amount_fen``.
    """

    id = BigSerial(primary_key=True)
    order_id = BigInt()
    position = Integer()
    plugin_id = Varchar(length=64)
    stage = Varchar(length=16)
    code = Varchar(length=64)
    source = Varchar(length=128, default="")
    target = Varchar(length=8)
    label_zh = Varchar(length=128)
    label_en = Varchar(length=128)
    amount_fen = BigInt()


class OrderAllocation(Table, tablename="order_allocation"):
    id = BigSerial(primary_key=True)
    adjustment_id = BigInt()
    order_line_id = BigInt()
    amount_fen = BigInt()


class OrderTimeline(Table, tablename="order_timeline"):
    """Append-only: every change of an order with who made it."""

    id = BigSerial(primary_key=True)
    order_id = BigInt()
    event = Varchar(length=32)
    status_from = Varchar(length=16, null=True, default=None)
    status_to = Varchar(length=16, null=True, default=None)
    actor_kind = Varchar(length=16)
    actor_id = BigInt(null=True, default=None)
    actor_name = Varchar(length=64, default="")
    details = JSONB(default="{}")
    at = Timestamptz()


class OrderHold(Table, tablename="order_hold"):
    """While a hold is live the order cannot be fulfilled. ``code`` is the plugin's own."""

    id = BigSerial(primary_key=True)
    order_id = BigInt()
    plugin_id = Varchar(length=64)
    code = Varchar(length=64)
    reason_zh = Varchar(length=200)
    reason_en = Varchar(length=200)
    created_at = Timestamptz()
    released_at = Timestamptz(null=True, default=None)
