"""The shopper's cart. Lines are named by their SKU: there is one for each."""

from __future__ import annotations

from typing import Annotated

from litestar import delete, get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter
from msgspec import Meta, Struct

from core.carts import service as carts
from core.carts.errors import CartFull, CartLineUnknown, CartRefused, QuantityTooLarge
from core.carts.types import CartView
from core.catalog.errors import NotOnSale, SkuNotFound
from core.kernel.mall import Mall
from core.members.types import MemberSessionView
from core.web import problems

TAGS = ["cart"]
Units = Annotated[int, Meta(ge=1, le=carts.MAX_QTY, description="Whole units.", examples=[2])]
SkuId = Annotated[int, Meta(ge=1, description="Id of a SKU.", examples=[17])]
InStore = Annotated[
    int | None, Parameter(ge=1, description="Tell prices and availability of this store; without it base prices.")
]


class AddLine(Struct, frozen=True, forbid_unknown_fields=True):
    """More of a SKU."""

    sku_id: SkuId
    qty: Units = 1


class ChangeLine(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be different; what is left out stays."""

    qty: Units | None = None
    selected: Annotated[bool | None, Meta(description="Whether an order from the cart takes this line.")] = None


class Selection(Struct, frozen=True, forbid_unknown_fields=True):
    """Which lines; without ``sku_ids`` all of them."""

    selected: bool
    sku_ids: Annotated[tuple[SkuId, ...], Meta(min_length=1, max_length=carts.MAX_LINES)] | None = None


class Removal(Struct, frozen=True, forbid_unknown_fields=True):
    """Which lines to take out."""

    sku_ids: Annotated[tuple[SkuId, ...], Meta(min_length=1, max_length=carts.MAX_LINES)]


@get(
    "/cart", operation_id="get_cart", tags=TAGS, summary="The cart",
    description="The newest line first, each with its price, what is available, and why it cannot be ordered now "
    "(`problem`, a code). Promotions are in the quote of an order. `available` is null where stock is no limit.",
)  # fmt: skip
async def get_cart(mall: Mall, member: MemberSessionView, store_id: InStore = None) -> CartView:
    return await carts.view(mall, member.member_id, store_id)


@post(
    "/cart/lines", operation_id="add_to_cart", tags=TAGS, summary="Put more of a SKU into the cart", status_code=200,
    description="Adds to the line if there is one, and selects it. Stock is not reserved.",
    responses=problems(SkuNotFound, NotOnSale, QuantityTooLarge, CartFull, CartRefused),
)  # fmt: skip
async def add_to_cart(mall: Mall, member: MemberSessionView, data: AddLine, store_id: InStore = None) -> CartView:
    return await carts.add(mall, member.member_id, sku_id=data.sku_id, qty=data.qty, store_id=store_id)


@patch(
    "/cart/lines/{sku_id:int}", operation_id="change_cart_line", tags=TAGS,
    summary="Set quantity or selection of a line",
    responses=problems(CartLineUnknown, QuantityTooLarge, CartRefused),
)  # fmt: skip
async def change_cart_line(
    mall: Mall, member: MemberSessionView, sku_id: int, data: ChangeLine, store_id: InStore = None
) -> CartView:
    return await carts.change_line(
        mall, member.member_id, sku_id=sku_id, qty=data.qty, selected=data.selected, store_id=store_id
    )


@post(
    "/cart/select", operation_id="select_cart_lines", tags=TAGS, summary="Select or deselect lines", status_code=200,
    responses=problems(CartRefused),
)  # fmt: skip
async def select_cart_lines(
    mall: Mall, member: MemberSessionView, data: Selection, store_id: InStore = None
) -> CartView:
    return await carts.select(mall, member.member_id, selected=data.selected, sku_ids=data.sku_ids, store_id=store_id)


@post(
    "/cart/remove", operation_id="remove_cart_lines", tags=TAGS, summary="Take several lines out", status_code=200,
    description="SKUs that are not in the cart do nothing.", responses=problems(CartRefused),
)  # fmt: skip
async def remove_cart_lines(mall: Mall, member: MemberSessionView, data: Removal, store_id: InStore = None) -> CartView:
    return await carts.remove(mall, member.member_id, sku_ids=data.sku_ids, store_id=store_id)


@delete("/cart", operation_id="clear_cart", tags=TAGS, summary="Empty the cart", responses=problems(CartRefused))
async def clear_cart(mall: Mall, member: MemberSessionView) -> None:
    await carts.remove(mall, member.member_id)


handlers: list[HTTPRouteHandler] = [
    get_cart,
    add_to_cart,
    change_cart_line,
    select_cart_lines,
    remove_cart_lines,
    clear_cart,
]
