"""The catalog as shoppers see it: public, answered from the response cache as bytes that are ready."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter
from msgspec import Struct

from core.cache import CachedBody
from core.catalog import service as catalog
from core.catalog.errors import ProductNotFound
from core.catalog.extras import Extras, extras
from core.catalog.types import (
    CategoryNode,
    Image,
    Option,
    ProductCard,
    ProductFilter,
    ProductSort,
    ProductView,
    SkuView,
)
from core.inventory.flags import in_stock
from core.kernel.mall import Mall
from core.stores import service as stores
from core.stores.errors import StoreNotFound
from core.web import Page, Paged, cached_response, current_lang, encode, paged, problems

TAGS = ["catalog"]
MAX_ID = 2**63 - 1
PUBLIC = {"public": True, "cached": True}
StoreCode = Annotated[
    str | None,
    Parameter(max_length=64, description="The code of a store: its listing, its prices, its stock."),
]
StoreId = Annotated[int | None, Parameter(ge=1, le=MAX_ID, description="The same by the store's id.")]
ProductId = Annotated[int, Parameter(ge=1, le=MAX_ID)]


class ShopCard(Struct, frozen=True, kw_only=True):
    """A product in a list. Prices in fen; ``extra`` is what plugins add, by plugin."""

    id: int
    handle: str
    title: str
    brand: str
    category_id: int | None
    tags: tuple[str, ...]
    image_url: str
    min_price_fen: int
    max_price_fen: int
    sku_ids: tuple[int, ...]
    in_stock: bool
    extra: dict[str, object]
    extra_missing: tuple[str, ...] = ()


class ShopSku(Struct, frozen=True, kw_only=True):
    """One thing to buy: one value for each option of the product, in their order."""

    id: int
    code: str
    options: tuple[str, ...]
    price_fen: int
    compare_at_fen: int | None
    image_url: str
    weight_g: int
    in_stock: bool
    attributes: dict[str, object]


class ShopProduct(Struct, frozen=True, kw_only=True):
    """A product with its SKUs on sale. Limits are units of the whole product; 0 = no limit."""

    id: int
    handle: str
    title: str
    description_html: str
    brand: str
    category_id: int | None
    tags: tuple[str, ...]
    options: tuple[Option, ...]
    images: tuple[Image, ...]
    min_per_order: int
    max_per_order: int
    max_per_member: int
    attributes: dict[str, object]
    skus: tuple[ShopSku, ...]
    in_stock: bool
    extra: dict[str, object]
    extra_missing: tuple[str, ...] = ()


class _Partial(Exception):
    """A plugin failed to say its part: the answer is sent, but not kept."""

    def __init__(self, body: bytes) -> None:
        self.body = body


def _key(request: Request[Any, Any, Any]) -> str:
    scope = request.scope
    return f"{scope['path']}?{scope['query_string'].decode('latin-1')}:{current_lang()}"


async def _kept(request: Request[Any, Any, Any]) -> Response[Any] | None:
    """Answer from this process's cache before Litestar parses anything: nearly all calls end here."""
    mall: Mall = request.app.state.mall
    found = mall.cache.peek(_key(request))
    return None if found is None else cached_response(found)


async def _answer(
    request: Request[Any, Any, Any],
    tags: Iterable[str],
    build: Callable[[], Awaitable[bytes]],
    *,
    known: frozenset[str] = frozenset(),
    keep: bool = True,
) -> Response[Any]:
    """Answer with what ``build`` makes, kept under the address; not if the address has parameters that nobody knows,
    which would let a caller push the useful answers out.
    """
    mall: Mall = request.app.state.mall
    try:
        if keep and known.issuperset(request.query_params):
            return cached_response(await mall.cache.get_or_build(mall, _key(request), tuple(tags), build))
        return cached_response(CachedBody(await build()))
    except _Partial as partial:
        return cached_response(CachedBody(partial.body))


_LIST_PARAMETERS = frozenset(
    ("limit", "cursor", "sort", "category_id", "tag", "store", "store_id", "price_from_fen", "price_to_fen")
)


@get(
    "/products", operation_id="list_products", tags=TAGS, summary="Products", opt=PUBLIC, before_request=_kept,
    description="Active products. `category_id` includes the categories below it. With a store: only what it lists, at "
    "its prices, with its stock; sorting and price filters go by the prices without a store. Sends an ETag.",
    responses=problems(StoreNotFound),
)  # fmt: skip
async def list_products(
    request: Request[Any, Any, Any],
    mall: Mall,
    page: Page,
    sort: ProductSort = "default",
    category_id: Annotated[int | None, Parameter(ge=1, le=MAX_ID)] = None,
    tag: Annotated[str | None, Parameter(max_length=64)] = None,
    store: StoreCode = None,
    store_id: StoreId = None,
    price_from_fen: Annotated[int | None, Parameter(ge=0, le=MAX_ID)] = None,
    price_to_fen: Annotated[int | None, Parameter(ge=0, le=MAX_ID)] = None,
    q: Annotated[str, Parameter(max_length=64, description="Only products that contain every word.")] = "",
) -> Response[Paged[ShopCard]]:
    after = page.after(catalog.cursor_type(sort))

    async def build() -> bytes:
        place = await _store_id(mall, store, store_id)
        wanted = ProductFilter(
            category_id=category_id, tag=tag, store_id=place, price_from_fen=price_from_fen,
            price_to_fen=price_to_fen, q=q,
        )  # fmt: skip
        found = await catalog.list_products(mall, wanted, sort=sort, after=after, limit=page.limit + 1)
        cut = paged(found, page.limit, catalog.cursor_key(sort))
        stocked = await in_stock(mall, [s for card in cut.items for s in card.sku_ids], place)
        added = await extras(mall, [card.id for card in cut.items])
        items = [_card(card, stocked, added) for card in cut.items]
        return _encoded(Paged(items=items, next_cursor=cut.next_cursor), added)

    return await _answer(request, ("products",), build, known=_LIST_PARAMETERS, keep=not q)


@get(
    "/products/{product_id:int}", operation_id="get_product", tags=TAGS, summary="One product", opt=PUBLIC,
    description="With a store: its prices and its stock; 404 if it does not list the product. Sends an ETag.",
    before_request=_kept, responses=problems(ProductNotFound, StoreNotFound),
)  # fmt: skip
async def get_product(
    request: Request[Any, Any, Any],
    mall: Mall,
    product_id: ProductId,
    store: StoreCode = None,
    store_id: StoreId = None,
) -> Response[ShopProduct]:
    async def build() -> bytes:
        return await _product(mall, product_id, await _store_id(mall, store, store_id))

    return await _answer(request, (f"product:{product_id}",), build, known=frozenset(("store", "store_id")))


@get(
    "/products/by-handle/{handle:str}", operation_id="get_product_by_handle", tags=TAGS,
    summary="One product, by handle", description="The same as by id.", opt=PUBLIC, before_request=_kept,
    responses=problems(ProductNotFound, StoreNotFound),
)  # fmt: skip
async def get_product_by_handle(
    request: Request[Any, Any, Any],
    mall: Mall,
    handle: Annotated[str, Parameter(max_length=128)],
    store: StoreCode = None,
    store_id: StoreId = None,
) -> Response[ShopProduct]:
    async def build() -> bytes:
        return await _product(mall, handle, await _store_id(mall, store, store_id))

    # Which product it is shows only when it is built, so the answer goes with any change of a product.
    return await _answer(request, ("products",), build, known=frozenset(("store", "store_id")))


@get(
    "/categories", operation_id="list_categories", tags=TAGS, summary="The category tree", opt=PUBLIC,
    description="Top categories with those below them, in the order shown. Sends an ETag.", before_request=_kept,
)  # fmt: skip
async def list_categories(request: Request[Any, Any, Any], mall: Mall) -> Response[list[CategoryNode]]:
    async def build() -> bytes:
        return encode(await catalog.category_tree(mall))

    return await _answer(request, ("categories",), build)


async def _store_id(mall: Mall, code: str | None, store_id: int | None) -> int | None:
    if store_id is not None:
        return (await stores.get_store(mall, store_id)).id
    return None if code is None else (await stores.get_by_code(mall, code.replace("\x00", ""))).id


async def _product(mall: Mall, product: int | str, store_id: int | None) -> bytes:
    found = await catalog.shown_product(mall, product, store_id=store_id)
    stocked = await in_stock(mall, [s.id for s in found.skus], store_id)
    added = await extras(mall, [found.id])
    return _encoded(_shown(found, stocked, added), added)


def _encoded(answer: object, added: Extras) -> bytes:
    body = encode(answer)
    if added.failed:
        raise _Partial(body)
    return body


def _card(card: ProductCard, stocked: Mapping[int, bool], added: Extras) -> ShopCard:
    return ShopCard(
        id=card.id, handle=card.handle, title=card.title, brand=card.brand, category_id=card.category_id,
        tags=card.tags, image_url=card.image_url, min_price_fen=card.min_price_fen, max_price_fen=card.max_price_fen,
        sku_ids=card.sku_ids, in_stock=any(stocked.get(s) for s in card.sku_ids),
        extra=added.by_product.get(card.id, {}), extra_missing=added.failed,
    )  # fmt: skip


def _shown(product: ProductView, stocked: Mapping[int, bool], added: Extras) -> ShopProduct:
    return ShopProduct(
        id=product.id, handle=product.handle, title=product.title, description_html=product.description_html,
        brand=product.brand, category_id=product.category_id, tags=product.tags, options=product.options,
        images=product.images, min_per_order=product.min_per_order, max_per_order=product.max_per_order,
        max_per_member=product.max_per_member, attributes=product.attributes,
        skus=tuple(_sku(s, stocked.get(s.id, False)) for s in product.skus),
        in_stock=any(stocked.values()), extra=added.by_product.get(product.id, {}), extra_missing=added.failed,
    )  # fmt: skip


def _sku(sku: SkuView, stocked: bool) -> ShopSku:
    return ShopSku(
        id=sku.id, code=sku.code, options=sku.options, price_fen=sku.price_fen, compare_at_fen=sku.compare_at_fen,
        image_url=sku.image_url, weight_g=sku.weight_g, in_stock=stocked, attributes=sku.attributes,
    )  # fmt: skip


handlers: list[HTTPRouteHandler] = [list_products, get_product, get_product_by_handle, list_categories]
