"""What pay at the store refuses, and how it says it."""

from __future__ import annotations

from core.sdk import Conflict, Invalid, NotFound


class ReferenceNeeded(Invalid):
    code = "pay_at_store.reference_needed"
    zh = "除现金外,请填写收款凭证号。"
    en = "Everything but cash needs the reference number of the receipt."


class MethodNotTaken(Invalid):
    code = "pay_at_store.method_not_taken"
    zh = "本店不接受“{method}”收款。"
    en = "{method} is not taken at the counter."


class NothingToConfirm(NotFound):
    code = "pay_at_store.nothing_to_confirm"
    zh = "订单 {number} 没有等待到店付款的支付单,请顾客先选择“到店付款”。"
    en = "Order {number} has no payment waiting at the counter; the shopper must choose to pay at the store first."


class AmountDiffers(Conflict):
    code = "pay_at_store.amount_differs"
    zh = "应收 {due} 元,输入的是 {given} 元,请核对。"
    en = "¥{due} are due, you entered ¥{given}; check the amount."


class ConfirmedOtherwise(Conflict):
    code = "pay_at_store.confirmed_otherwise"
    zh = "这笔付款已用其他方式或凭证确认过,没有再次入账。"
    en = "This payment was confirmed before with another method or reference; nothing was booked again."


class OrderNotPayable(Conflict):
    code = "pay_at_store.order_not_payable"
    zh = "订单目前{status_name},请不要收款。"
    en = "The order is {status_name}: do not take money for it."
