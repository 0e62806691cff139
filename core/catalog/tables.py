"""Categories, products, SKUs, and what a store lists or prices differently."""

from piccolo.columns import JSONB, Array, BigInt, BigSerial, Boolean, Integer, Text, Timestamptz, Varchar
from piccolo.table import Table


class Category(Table, tablename="category"):
    id = BigSerial(primary_key=True)
    parent_id = BigInt(null=True, default=None)
    code = Varchar(length=64, unique=True)
    name = Varchar(length=64)
    sort = Integer(default=0)
    created_at = Timestamptz()


class Product(Table, tablename="product"):
    """``state``: draft, active, archived. ``listing``: everywhere, or selected (only stores with a listing row).

    ``min_price_fen``/``max_price_fen`` follow the active SKUs, for sorting. Purchase limits are units; 0 = no limit.
    """

    id = BigSerial(primary_key=True)
    handle = Varchar(length=128, unique=True)
    title = Varchar(length=200)
    description_html = Text(default="")
    brand = Varchar(length=64, default="")
    category_id = BigInt(null=True, default=None)
    tags = Array(base_column=Varchar(length=64))
    options = JSONB(default="[]")
    images = JSONB(default="[]")
    state = Varchar(length=16, default="draft")
    listing = Varchar(length=16, default="everywhere")
    sort = Integer(default=0)
    min_price_fen = BigInt(default=0)
    max_price_fen = BigInt(default=0)
    min_per_order = Integer(default=0)
    max_per_order = Integer(default=0)
    max_per_member = Integer(default=0)
    search_text = Text(default="")
    extra = JSONB(default="{}")
    version = Integer(default=1)
    created_at = Timestamptz()
    updated_at = Timestamptz()


class Sku(Table, tablename="sku"):
    """One combination of the product's options. ``tracked=False``: made to order, stock is not counted."""

    id = BigSerial(primary_key=True)
    product_id = BigInt()
    code = Varchar(length=64, unique=True)
    options = JSONB(default="[]")
    price_fen = BigInt()
    compare_at_fen = BigInt(null=True, default=None)
    barcode = Varchar(length=64, default="")
    weight_g = Integer(default=0)
    image_url = Text(default="")
    position = Integer(default=0)
    active = Boolean(default=True)
    tracked = Boolean(default=True)
    backorder = Boolean(default=False)
    extra = JSONB(default="{}")


class StoreListing(Table, tablename="store_listing"):
    """An exception to ``product.listing`` for one store."""

    id = BigSerial(primary_key=True)
    product_id = BigInt()
    store_id = BigInt()
    listed = Boolean()


class StorePrice(Table, tablename="store_price"):
    """A SKU's own price in one store."""

    id = BigSerial(primary_key=True)
    sku_id = BigInt()
    store_id = BigInt()
    price_fen = BigInt()
