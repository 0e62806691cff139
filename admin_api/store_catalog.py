"""What one store lists or prices differently: changed by staff of that store."""

from __future__ import annotations

from typing import Annotated

from litestar import get, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter
from msgspec import Meta, Struct

from core.catalog import service as catalog
from core.catalog.errors import ProductInvalid, ProductNotFound, SkuNotFound, StoreUnknown
from core.catalog.types import MAX_PRICE_FEN, StoreListingView, StorePriceView
from core.kernel.mall import Mall
from core.staff.types import StaffSessionView
from core.web import OutOfScope, need_scope, problems

TAGS = ["catalog"]
MAX_ID = 2**63 - 1
Id = Annotated[int, Meta(ge=1, le=MAX_ID)]
PathId = Annotated[int, Parameter(ge=1, le=MAX_ID)]


class NewListing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``true``/``false``: listed there or not, whatever the product says; ``null`` takes the exception away."""

    store_id: Id
    listed: bool | None


class NewListings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    listings: Annotated[list[NewListing], Meta(min_length=1, max_length=5000)]


class NewPrice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A price in fen; ``null`` goes back to the SKU's own."""

    sku_id: Id
    price_fen: Annotated[int, Meta(ge=0, le=MAX_PRICE_FEN)] | None


class NewPrices(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    prices: Annotated[list[NewPrice], Meta(min_length=1, max_length=5000)]


@get(
    "/products/{product_id:int}/listings", operation_id="list_store_listings", tags=TAGS,
    summary="Stores that list a product differently", opt={"permission": "catalog.read"},
)  # fmt: skip
async def list_store_listings(mall: Mall, staff: StaffSessionView, product_id: PathId) -> list[StoreListingView]:
    return [row for row in await catalog.store_listings(mall, product_id) if staff.in_scope(row.store_id)]


@put(
    "/products/{product_id:int}/listings", operation_id="set_store_listings", tags=TAGS,
    summary="List a product in stores, or not", opt={"permission": "catalog.write"},
    description="Stores that are not named stay as they are.",
    responses=problems(ProductNotFound, StoreUnknown, OutOfScope),
)  # fmt: skip
async def set_store_listings(
    mall: Mall, staff: StaffSessionView, product_id: PathId, data: NewListings
) -> list[StoreListingView]:
    for row in data.listings:
        need_scope(staff, row.store_id)
    wanted = {row.store_id: row.listed for row in data.listings}
    await catalog.set_store_listings(mall, product_id, wanted, actor=staff.actor)
    return [row for row in await catalog.store_listings(mall, product_id) if staff.in_scope(row.store_id)]


@get(
    "/products/{product_id:int}/store-prices", operation_id="list_store_prices", tags=TAGS,
    summary="Prices of stores of their own", opt={"permission": "catalog.read"},
)  # fmt: skip
async def list_store_prices(mall: Mall, staff: StaffSessionView, product_id: PathId) -> list[StorePriceView]:
    return [row for row in await catalog.store_prices(mall, product_id) if staff.in_scope(row.store_id)]


@put(
    "/stores/{store_id:int}/prices", operation_id="set_store_prices", tags=TAGS, summary="Set a store's own prices",
    description="SKUs that are not named stay as they are.", opt={"permission": "catalog.write"}, status_code=204,
    responses=problems(ProductInvalid, SkuNotFound, StoreUnknown, OutOfScope),
)  # fmt: skip
async def set_store_prices(mall: Mall, staff: StaffSessionView, store_id: PathId, data: NewPrices) -> None:
    need_scope(staff, store_id)
    wanted = {row.sku_id: row.price_fen for row in data.prices}
    await catalog.set_store_prices(mall, store_id, wanted, actor=staff.actor)


handlers: list[HTTPRouteHandler] = [list_store_listings, set_store_listings, list_store_prices, set_store_prices]
