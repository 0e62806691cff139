"""Delivery areas."""

from piccolo.columns import JSONB, BigInt, BigSerial, DoublePrecision, Integer, Timestamptz, Varchar
from piccolo.table import Table


class NearbyStoresArea(Table, tablename="nearby_stores_area"):
    """Where a store delivers; one row a store. ``kind``: radius, polygon (``[[lat, lng], …]`` and its box)."""

    id = BigSerial(primary_key=True)
    store_id = BigInt(unique=True)
    kind = Varchar(length=16)
    radius_m = Integer(null=True, default=None)
    polygon = JSONB(null=True, default=None)
    south = DoublePrecision(null=True, default=None)
    north = DoublePrecision(null=True, default=None)
    west = DoublePrecision(null=True, default=None)
    east = DoublePrecision(null=True, default=None)
    fee_rule_id = Varchar(length=64, default="")
    updated_at = Timestamptz()
