"""What carts refuse, and how they say it."""

from __future__ import annotations

from core.kernel.errors import Conflict, Invalid, NotFound


class CartLineUnknown(NotFound):
    code = "carts.line_not_found"
    zh = "购物车里没有这个商品规格。"
    en = "This SKU is not in the cart."


class CartFull(Conflict):
    code = "carts.full"
    zh = "购物车最多放 {limit} 种商品,请先移除一些。"
    en = "A cart holds at most {limit} lines; remove some first."


class QuantityTooLarge(Invalid):
    code = "carts.quantity_too_large"
    zh = "每种商品数量应为 1 到 {limit}。"
    en = "The quantity of a line is 1 to {limit}."


class CartRefused(Conflict):
    """The reasons of all plugins stand in ``problems``; the cart is as it was."""

    code = "carts.refused"
    zh = "购物车不能这样修改,请查看原因。"
    en = "The cart cannot be changed like this; see the reasons."
