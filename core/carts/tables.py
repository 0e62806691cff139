"""The cart: one a member; a line may be bound to a store (a drink is ordered at one)."""

from piccolo.columns import BigInt, BigSerial, Boolean, Integer, Timestamptz
from piccolo.table import Table


class CartLine(Table, tablename="cart_line"):
    id = BigSerial(primary_key=True)
    member_id = BigInt()
    sku_id = BigInt()
    qty = Integer()
    selected = Boolean(default=True)
    added_at = Timestamptz()
