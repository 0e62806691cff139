"""Products and categories as staff keep them. They belong to the brand: changing them takes all stores."""

from __future__ import annotations

from typing import Annotated

from litestar import delete, get, patch, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter
from msgspec import UNSET, Meta, Struct, UnsetType

from core.catalog import service as catalog
from core.catalog.errors import (
    AllStoresNeeded,
    CategoryCodeTaken,
    CategoryCycle,
    CategoryInvalid,
    CategoryNameTaken,
    CategoryNotEmpty,
    CategoryNotFound,
    ChangedMeanwhile,
    HandleTaken,
    NothingToSell,
    ProductInvalid,
    ProductNotFound,
    SkuCodeTaken,
    StateRefused,
)
from core.catalog.extras import extras
from core.catalog.types import (
    CategoryView,
    ProductCard,
    ProductChanges,
    ProductDraft,
    ProductFilter,
    ProductSort,
    ProductState,
    ProductView,
)
from core.kernel.mall import Mall
from core.staff.types import StaffSessionView
from core.web import Page, Paged, paged, problems

TAGS = ["catalog"]
MAX_ID = 2**63 - 1
READ, WRITE = {"permission": "catalog.read"}, {"permission": "catalog.write"}
Id = Annotated[int, Meta(ge=1, le=MAX_ID)]
Version = Annotated[int, Meta(ge=1, le=2**31 - 1, description="The version that was read; another one answers 409.")]
Name = Annotated[str, Meta(min_length=1, max_length=64, examples=["咖啡"])]
Sort = Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]


class ProductRow(Struct, frozen=True, kw_only=True):
    """A product in a list, what plugins add (by plugin), and the plugins that gave no answer this time."""

    product: ProductCard
    extra: dict[str, object]
    extra_missing: tuple[str, ...] = ()


class ProductEdit(ProductChanges, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fields left out stay as they are; ``skus`` is the whole list: SKUs it does not name go off sale."""

    version: Version


class NewProductState(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    to: ProductState
    version: Version


class NewCategory(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Without a code the category gets one."""

    name: Name
    code: Annotated[str, Meta(max_length=64)] = ""
    parent_id: Id | None = None
    sort: Sort = 0


class CategoryEdit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fields left out stay as they are."""

    name: Name | UnsetType = UNSET
    code: Annotated[str, Meta(min_length=1, max_length=64)] | UnsetType = UNSET
    sort: Sort | UnsetType = UNSET


class NewParent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to hang the category; null is the top."""

    parent_id: Id | None


def _all_stores(staff: StaffSessionView) -> None:
    if staff.scope() is not None:
        raise AllStoresNeeded


@get(
    "/products", operation_id="list_products", tags=TAGS, summary="Products", opt=READ,
    description="All states unless one is asked for. `category_id` includes the categories below it; with `store_id` "
    "only what that store lists, at its prices.",
)  # fmt: skip
async def list_products(
    mall: Mall,
    page: Page,
    sort: ProductSort = "newest",
    product_state: Annotated[ProductState | None, Parameter(query="state")] = None,
    category_id: Annotated[int | None, Parameter(ge=1, le=MAX_ID)] = None,
    tag: Annotated[str | None, Parameter(max_length=64)] = None,
    store_id: Annotated[int | None, Parameter(ge=1, le=MAX_ID)] = None,
    q: Annotated[str, Parameter(max_length=64, description="Every word must be in title, brand, tags or codes.")] = "",
) -> Paged[ProductRow]:
    states: tuple[ProductState, ...] = (product_state,) if product_state else ("draft", "active", "archived")
    wanted = ProductFilter(states=states, category_id=category_id, tag=tag, store_id=store_id, q=q)
    after = page.after(catalog.cursor_type(sort))
    found = await catalog.list_products(mall, wanted, sort=sort, after=after, limit=page.limit + 1)
    cut = paged(found, page.limit, catalog.cursor_key(sort))
    added = await extras(mall, [card.id for card in cut.items])
    rows = [
        ProductRow(product=card, extra=added.by_product.get(card.id, {}), extra_missing=added.failed)
        for card in cut.items
    ]
    return Paged(items=rows, next_cursor=cut.next_cursor)


@post(
    "/products", operation_id="create_product", tags=TAGS, summary="Make a product", opt=WRITE,
    description="As a draft unless `state` says otherwise. Each SKU has exactly one value for each option.",
    responses=problems(ProductInvalid, CategoryNotFound, HandleTaken, SkuCodeTaken, NothingToSell, AllStoresNeeded),
)  # fmt: skip
async def create_product(mall: Mall, staff: StaffSessionView, data: ProductDraft) -> ProductView:
    _all_stores(staff)
    return await catalog.create_product(mall, data, actor=staff.actor)


@get(
    "/products/{product_id:int}", operation_id="get_product", tags=TAGS, summary="One product", opt=READ,
    responses=problems(ProductNotFound),
)  # fmt: skip
async def get_product(mall: Mall, product_id: Annotated[int, Parameter(ge=1, le=MAX_ID)]) -> ProductView:
    return await catalog.get_product(mall, product_id)


@patch(
    "/products/{product_id:int}", operation_id="update_product", tags=TAGS, summary="Change a product", opt=WRITE,
    description="Give back the `version` that you read: if the product was changed meanwhile, nothing is written.",
    responses=problems(
        ProductInvalid, ProductNotFound, CategoryNotFound, ChangedMeanwhile, HandleTaken, SkuCodeTaken, NothingToSell,
        AllStoresNeeded,
    ),
)  # fmt: skip
async def update_product(
    mall: Mall, staff: StaffSessionView, product_id: Annotated[int, Parameter(ge=1, le=MAX_ID)], data: ProductEdit
) -> ProductView:
    _all_stores(staff)
    return await catalog.update_product(mall, product_id, data, version=data.version, actor=staff.actor)


@put(
    "/products/{product_id:int}/state", operation_id="set_product_state", tags=TAGS, opt=WRITE,
    summary="Publish, withdraw or archive a product",
    description="`active` is on sale; `archived` keeps it for old orders and can be brought back to `active`.",
    responses=problems(ProductNotFound, ChangedMeanwhile, StateRefused, NothingToSell, AllStoresNeeded),
)  # fmt: skip
async def set_product_state(
    mall: Mall, staff: StaffSessionView, product_id: Annotated[int, Parameter(ge=1, le=MAX_ID)], data: NewProductState
) -> ProductView:
    _all_stores(staff)
    return await catalog.change_state(mall, product_id, data.to, version=data.version, actor=staff.actor)


@get("/categories", operation_id="list_categories", tags=TAGS, summary="All categories", opt=READ)
async def list_categories(mall: Mall) -> list[CategoryView]:
    return await catalog.list_categories(mall)


@post(
    "/categories", operation_id="create_category", tags=TAGS, summary="Make a category", opt=WRITE,
    responses=problems(CategoryInvalid, CategoryNotFound, CategoryCodeTaken, CategoryNameTaken, AllStoresNeeded),
)  # fmt: skip
async def create_category(mall: Mall, staff: StaffSessionView, data: NewCategory) -> CategoryView:
    _all_stores(staff)
    return await catalog.create_category(
        mall, data.name, code=data.code, parent_id=data.parent_id, sort=data.sort, actor=staff.actor
    )


@patch(
    "/categories/{category_id:int}", operation_id="update_category", tags=TAGS, summary="Change a category", opt=WRITE,
    responses=problems(CategoryInvalid, CategoryNotFound, CategoryCodeTaken, CategoryNameTaken, AllStoresNeeded),
)  # fmt: skip
async def update_category(
    mall: Mall, staff: StaffSessionView, category_id: Annotated[int, Parameter(ge=1, le=MAX_ID)], data: CategoryEdit
) -> CategoryView:
    _all_stores(staff)
    return await catalog.update_category(
        mall,
        category_id,
        name=None if data.name is UNSET else data.name,
        code=None if data.code is UNSET else data.code,
        sort=None if data.sort is UNSET else data.sort,
        actor=staff.actor,
    )


@put(
    "/categories/{category_id:int}/parent", operation_id="move_category", tags=TAGS, summary="Move a category",
    opt=WRITE, description="With all that is below it.",
    responses=problems(CategoryNotFound, CategoryCycle, CategoryNameTaken, AllStoresNeeded),
)  # fmt: skip
async def move_category(
    mall: Mall, staff: StaffSessionView, category_id: Annotated[int, Parameter(ge=1, le=MAX_ID)], data: NewParent
) -> CategoryView:
    _all_stores(staff)
    return await catalog.move_category(mall, category_id, parent_id=data.parent_id, actor=staff.actor)


@delete(
    "/categories/{category_id:int}", operation_id="delete_category", tags=TAGS, summary="Delete an empty category",
    opt=WRITE, responses=problems(CategoryNotFound, CategoryNotEmpty, AllStoresNeeded),
)  # fmt: skip
async def delete_category(
    mall: Mall, staff: StaffSessionView, category_id: Annotated[int, Parameter(ge=1, le=MAX_ID)]
) -> None:
    _all_stores(staff)
    await catalog.delete_category(mall, category_id, actor=staff.actor)


handlers: list[HTTPRouteHandler] = [
    list_products, create_product, get_product, update_product, set_product_state,
    list_categories, create_category, update_category, move_category, delete_category,
]  # fmt: skip
