"""What orders refuse, and how they say it."""

from __future__ import annotations

from typing import Any

from core.kernel.errors import Conflict, Invalid, NotFound
from core.kernel.i18n import Text

STATUS_NAMES = {
    "pending_payment": Text("待支付", "waiting for payment"),
    "cancelling": Text("取消中", "being cancelled"),
    "cancelled": Text("已取消", "cancelled"),
    "paid": Text("已支付", "paid"),
    "completed": Text("已完成", "completed"),
    "closed": Text("已关闭", "closed"),
}


def named_status(status: str) -> dict[str, Any]:
    """Return the details that sentences about a status need: its code for clients, its name for people."""
    return {"status": status, "status_name": STATUS_NAMES.get(status, Text(status, status))}


class OrderNotFound(NotFound):
    code = "orders.not_found"
    zh = "没有找到订单 {number}。"
    en = "There is no order {number}."


class OrderRefused(Conflict):
    code = "orders.refused"
    zh = "订单无法提交,请查看原因。"
    en = "The order cannot be placed; see the reasons."


class TransitionRefused(Conflict):
    code = "orders.transition_refused"
    zh = "当前不能进行此操作,请查看原因。"
    en = "This cannot be done to the order now; see the reasons."


class PriceChanged(Conflict):
    """Carries the new quote in ``details.quote``."""

    code = "orders.price_changed"
    zh = "价格已变动:现在是 {now} 元,您看到的是 {seen} 元。请确认新的价格后再提交。"
    en = "The price has changed: it is ¥{now} now, you saw ¥{seen}. Confirm the new quote and submit again."


class RequestKeyReused(Conflict):
    """The same idempotency key came with another order."""

    code = "orders.key_reused"
    zh = "这个幂等键已用于另一个订单,请换一个新的键。"
    en = "This idempotency key was used for a different order; use a new key."


class OrderEmpty(Invalid):
    code = "orders.empty"
    zh = "订单里没有商品。"
    en = "There is nothing to order."


class OrderTooLong(Invalid):
    code = "orders.too_many_lines"
    zh = "一个订单最多 {limit} 行商品。"
    en = "An order has at most {limit} lines."


class WrongStatus(Conflict):
    code = "orders.wrong_status"
    zh = "订单目前{status_name},不能进行此操作。"
    en = "The order is {status_name}; this is not possible from there."


class OrderHeld(Conflict):
    code = "orders.held"
    zh = "订单被暂时锁定,请查看原因。"
    en = "The order is on hold; see the reasons."


class MemberLimitReached(Conflict):
    code = "orders.member_limit"
    zh = "“{title}”每人限购 {limit} 件,您已购买 {bought} 件。"
    en = "“{title}” is limited to {limit} a member; you already have {bought}."


class ExtensionUnknown(Invalid):
    code = "orders.extension_unknown"
    zh = "没有插件“{plugin}”接受订单扩展信息。"
    en = "No plugin {plugin} takes order extensions."


class ExtensionInvalid(Invalid):
    code = "orders.extension_invalid"
    zh = "插件“{plugin}”的订单扩展信息无效:{reason}"
    en = "The order extension of {plugin} cannot be used: {reason}"


class HoldNotFound(NotFound):
    code = "orders.hold_not_found"
    zh = "订单没有“{plugin}.{hold}”这个锁定。"
    en = "The order has no live hold {plugin}.{hold}."


class CartChanged(Conflict):
    code = "orders.cart_changed"
    zh = "购物车已在别处变动或已下单,请刷新后再提交。"
    en = "The cart was changed or ordered elsewhere; reload it and submit again."


class QuantityTooLarge(Invalid):
    code = "orders.quantity_too_large"
    zh = "每种商品一次最多 {limit} 件。"
    en = "At most {limit} of one SKU can be ordered at once."


class MethodUnknown(Invalid):
    code = "orders.method_unknown"
    zh = "没有“{method}”这种取货方式。"
    en = "There is no way to get goods called {method}."


class NotYetFulfilled(Conflict):
    code = "orders.not_fulfilled"
    zh = "订单还没有全部交付,不能完成。"
    en = "The order is not fully handed over yet, so it cannot be completed."
