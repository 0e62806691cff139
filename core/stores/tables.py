"""Stores."""

from piccolo.columns import JSONB, Array, BigSerial, DoublePrecision, Integer, Text, Timestamptz, Varchar
from piccolo.table import Table


class Store(Table, tablename="store"):
    """A physical store. ``lat``/``lng`` are GCJ-02 degrees whatever system they came in (``coord_sys_given``)."""

    id = BigSerial(primary_key=True)
    code = Varchar(length=64, unique=True)
    name = Varchar(length=128)
    kind = Varchar(length=16, default="direct")
    state = Varchar(length=16, default="active")
    province = Varchar(length=64, default="")
    city = Varchar(length=64, default="")
    district = Varchar(length=64, default="")
    address = Varchar(length=300, default="")
    postcode = Varchar(length=16, default="")
    phone = Varchar(length=64, default="")
    lat = DoublePrecision(null=True, default=None)
    lng = DoublePrecision(null=True, default=None)
    coord_sys_given = Varchar(length=8, default="gcj02")
    zone = Varchar(length=64, default="Asia/Shanghai")
    services = Array(base_column=Varchar(length=16))
    hours = JSONB()
    exceptions = JSONB()
    closed_from = Timestamptz(null=True, default=None)
    closed_until = Timestamptz(null=True, default=None)
    closed_reason = Varchar(length=200, default="")
    notice = Text(default="")
    search_text = Text(default="")
    extra = JSONB(default="{}")
    version = Integer(default=1)
    created_at = Timestamptz()
    updated_at = Timestamptz()
