"""The catalog as the rest of the mall sees it. Prices are integer fen; limits are units, 0 = no limit."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from core.kernel.errors import Problem

ProductState = Literal["draft", "active", "archived"]
Listing = Literal["everywhere", "selected"]
ProductSort = Literal["default", "newest", "price_asc", "price_desc", "title"]

MAX_OPTIONS = 3
MAX_SKUS = 200
MAX_PRICE_FEN = 10_000_000_00  # ten million yuan: above it a price is a typing mistake

Fen = Annotated[int, Meta(ge=0, le=MAX_PRICE_FEN)]
Units = Annotated[int, Meta(ge=0, le=100_000)]
CategoryId = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Code = Annotated[str, Meta(min_length=1, max_length=64)]
Attributes = dict[str, object]


class Option(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a buyer chooses: a name (``Size``) and its values in the order shown."""

    name: Code
    values: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=MAX_SKUS)]


class Image(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    url: Annotated[str, Meta(min_length=1, max_length=2000)]
    alt: Annotated[str, Meta(max_length=200)] = ""


class SkuDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A SKU as it should be. ``options`` has exactly one value for each option of the product, in their order.

    ``tracked=False``: made to order, stock is not counted. ``attributes`` are public facts (calories, material).
    """

    code: Code
    price_fen: Fen
    options: Annotated[tuple[Code, ...], Meta(max_length=MAX_OPTIONS)] = ()
    compare_at_fen: Fen | None = None
    barcode: Annotated[str, Meta(max_length=64)] = ""
    weight_g: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    image_url: Annotated[str, Meta(max_length=2000)] = ""
    active: bool = True
    tracked: bool = True
    backorder: bool = False
    attributes: Attributes = {}


class ProductDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A product as it should be; ``handle`` is its lasting name in addresses and imports.

    ``state=None`` keeps the state of a product that exists and starts a new one as a draft.
    """

    handle: Annotated[str, Meta(min_length=1, max_length=128)]
    title: Annotated[str, Meta(min_length=1, max_length=200)]
    skus: Annotated[tuple[SkuDraft, ...], Meta(min_length=1, max_length=MAX_SKUS)]
    options: Annotated[tuple[Option, ...], Meta(max_length=MAX_OPTIONS)] = ()
    description_html: Annotated[str, Meta(max_length=100_000)] = ""
    brand: Annotated[str, Meta(max_length=64)] = ""
    category_id: CategoryId | None = None
    tags: Annotated[tuple[Code, ...], Meta(max_length=50)] = ()
    images: Annotated[tuple[Image, ...], Meta(max_length=50)] = ()
    state: ProductState | None = None
    listing: Listing = "everywhere"
    sort: Annotated[int, Meta(ge=-1_000_000, le=1_000_000)] = 0
    min_per_order: Units = 0
    max_per_order: Units = 0
    max_per_member: Units = 0
    attributes: Attributes = {}


class ProductChanges(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An edit: fields left out stay as they are; ``skus`` is the whole list (missing ones are taken off sale)."""

    handle: Annotated[str, Meta(min_length=1, max_length=128)] | UnsetType = UNSET
    title: Annotated[str, Meta(min_length=1, max_length=200)] | UnsetType = UNSET
    skus: Annotated[tuple[SkuDraft, ...], Meta(min_length=1, max_length=MAX_SKUS)] | UnsetType = UNSET
    options: Annotated[tuple[Option, ...], Meta(max_length=MAX_OPTIONS)] | UnsetType = UNSET
    description_html: Annotated[str, Meta(max_length=100_000)] | UnsetType = UNSET
    brand: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET
    category_id: CategoryId | UnsetType | None = UNSET
    tags: Annotated[tuple[Code, ...], Meta(max_length=50)] | UnsetType = UNSET
    images: Annotated[tuple[Image, ...], Meta(max_length=50)] | UnsetType = UNSET
    listing: Listing | UnsetType = UNSET
    sort: Annotated[int, Meta(ge=-1_000_000, le=1_000_000)] | UnsetType = UNSET
    min_per_order: Units | UnsetType = UNSET
    max_per_order: Units | UnsetType = UNSET
    max_per_member: Units | UnsetType = UNSET
    attributes: Attributes | UnsetType = UNSET


class SkuView(msgspec.Struct, frozen=True, kw_only=True):
    """One SKU. ``price_fen`` is the price where it was asked for: the store's own if it has one."""

    id: int
    product_id: int
    code: str
    options: tuple[str, ...]
    price_fen: int
    compare_at_fen: int | None
    barcode: str
    weight_g: int
    image_url: str
    position: int
    active: bool
    tracked: bool
    backorder: bool
    attributes: Attributes


class ProductView(msgspec.Struct, frozen=True, kw_only=True):
    """One product with its SKUs (also those off sale). ``version`` goes back with an edit."""

    id: int
    handle: str
    title: str
    description_html: str
    brand: str
    category_id: int | None
    tags: tuple[str, ...]
    options: tuple[Option, ...]
    images: tuple[Image, ...]
    state: ProductState
    listing: Listing
    sort: int
    min_price_fen: int
    max_price_fen: int
    min_per_order: int
    max_per_order: int
    max_per_member: int
    attributes: Attributes
    version: int
    created_at: datetime
    updated_at: datetime
    skus: tuple[SkuView, ...] = ()


class ProductCard(msgspec.Struct, frozen=True, kw_only=True):
    """A product in a list: what a tile shows. Prices and ``sku_ids`` are those of the SKUs on sale.

    ``base_price_fen`` is the lowest price without a store's own: what lists are sorted by.
    """

    id: int
    handle: str
    title: str
    brand: str
    category_id: int | None
    tags: tuple[str, ...]
    image_url: str
    min_price_fen: int
    max_price_fen: int
    base_price_fen: int
    state: ProductState
    listing: Listing
    sort: int
    version: int
    updated_at: datetime
    sku_ids: tuple[int, ...]


class ProductFilter(msgspec.Struct, frozen=True, kw_only=True):
    """``category_id`` includes what lies below it; ``q`` wants every word of it; prices are those without a store."""

    states: tuple[ProductState, ...] = ("active",)
    category_id: int | None = None
    tag: str | None = None
    store_id: int | None = None
    price_from_fen: int | None = None
    price_to_fen: int | None = None
    q: str = ""


class ProductHit(msgspec.Struct, frozen=True, kw_only=True):
    """A product that a search found."""

    id: int
    handle: str
    title: str
    brand: str
    image_url: str
    min_price_fen: int
    max_price_fen: int


class SellableSku(msgspec.Struct, frozen=True, kw_only=True):
    """All that pricing and placing an order must know of one SKU in one store.

    ``on_sale``: the product is active and listed there, and the SKU is active. ``price_fen`` is the price there.
    Limits count units of the whole product.
    """

    sku_id: int
    product_id: int
    category_id: int | None
    sku_code: str
    title: str
    options: tuple[str, ...]
    image_url: str
    price_fen: int
    tracked: bool
    backorder: bool
    on_sale: bool
    min_per_order: int
    max_per_order: int
    max_per_member: int
    weight_g: int


class CategoryView(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    parent_id: int | None
    code: str
    name: str
    sort: int


class CategoryNode(msgspec.Struct, frozen=True, kw_only=True):
    """A category with those below it, in the order shown."""

    id: int
    code: str
    name: str
    children: tuple[CategoryNode, ...] = ()


class StoreListingView(msgspec.Struct, frozen=True, kw_only=True):
    """An exception to ``product.listing`` in one store."""

    product_id: int
    store_id: int
    listed: bool


class StorePriceView(msgspec.Struct, frozen=True, kw_only=True):
    """A SKU's own price in one store."""

    sku_id: int
    sku_code: str
    store_id: int
    price_fen: int


class UpsertResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one draft. ``sku_ids`` by code; refused ones have ``problems`` and changed nothing."""

    handle: str
    outcome: Literal["created", "updated", "unchanged", "refused"]
    product_id: int | None = None
    sku_ids: dict[str, int] = {}
    problems: tuple[Problem, ...] = ()
