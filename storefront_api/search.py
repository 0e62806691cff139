"""Search: products and stores in one call."""

from __future__ import annotations

from typing import Annotated, Literal

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter
from msgspec import Struct

from core.catalog import service as catalog
from core.catalog.types import ProductHit
from core.kernel.mall import Mall
from core.stores import service as stores
from core.stores.types import StoreView

MAX_ID = 2**63 - 1


class ProductFound(Struct, frozen=True, kw_only=True, tag_field="kind", tag="product"):
    """A product that matches. Prices in fen, without a store's own."""

    id: int
    handle: str
    title: str
    brand: str
    image_url: str
    min_price_fen: int
    max_price_fen: int


class StoreFound(Struct, frozen=True, kw_only=True, tag_field="kind", tag="store"):
    """A store that matches. Coordinates are GCJ-02 degrees."""

    id: int
    code: str
    name: str
    city: str
    district: str
    address: str
    lat: float | None
    lng: float | None


class Found(Struct, frozen=True, kw_only=True):
    """What a search found, best first in each kind."""

    products: tuple[ProductFound, ...]
    stores: tuple[StoreFound, ...]


@get(
    "/search", operation_id="search", tags=["catalog"], summary="Search products and stores", opt={"public": True},
    description="By name, in Chinese or Latin: first what contains every word, then what is similar (typing mistakes). "
    "`store_id` keeps the products that this store lists.",
)  # fmt: skip
async def search(
    mall: Mall,
    q: Annotated[str, Parameter(min_length=1, max_length=64)],
    kind: Annotated[Literal["product", "store"] | None, Parameter(description="Only one kind.")] = None,
    store_id: Annotated[int | None, Parameter(ge=1, le=MAX_ID)] = None,
    limit: Annotated[int, Parameter(ge=1, le=50, description="How many of each kind at most.")] = 20,
) -> Found:
    text = q.replace("\x00", "")
    products = [] if kind == "store" else await catalog.search_products(mall, text, limit=limit, store_id=store_id)
    places = [] if kind == "product" else await stores.search_stores(mall, text, limit=limit)
    return Found(products=tuple(map(_product, products)), stores=tuple(map(_store, places)))


def _product(hit: ProductHit) -> ProductFound:
    return ProductFound(
        id=hit.id, handle=hit.handle, title=hit.title, brand=hit.brand, image_url=hit.image_url,
        min_price_fen=hit.min_price_fen, max_price_fen=hit.max_price_fen,
    )  # fmt: skip


def _store(store: StoreView) -> StoreFound:
    return StoreFound(
        id=store.id, code=store.code, name=store.name, city=store.city, district=store.district,
        address=store.address, lat=store.lat, lng=store.lng,
    )  # fmt: skip


handlers: list[HTTPRouteHandler] = [search]
