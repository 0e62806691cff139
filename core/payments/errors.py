"""What payments refuse, and how they say it."""

from __future__ import annotations

from core.kernel.errors import Conflict, Invalid, NotFound, Unavailable


class PaymentNotFound(NotFound):
    code = "payments.not_found"
    zh = "没有找到支付单 {number}。"
    en = "There is no payment {number}."


class ProviderMissing(Invalid):
    code = "payments.provider_unknown"
    zh = "没有“{provider}”这种支付方式。"
    en = "There is no way to pay called {provider}."


class ProviderNotOffered(Conflict):
    code = "payments.provider_not_offered"
    zh = "这个订单不能使用“{provider}”支付。"
    en = "This order cannot be paid with {provider}."


class NothingToPay(Conflict):
    code = "payments.nothing_to_pay"
    zh = "订单目前{status_name},没有需要支付的金额。"
    en = "The order is {status_name}; there is nothing to pay."


class PayTimeOver(Conflict):
    code = "payments.time_over"
    zh = "订单的支付时间已过。"
    en = "The time to pay for this order is over."


class ChannelUnreachable(Unavailable):
    code = "payments.channel_unreachable"
    zh = "支付渠道暂时无法连接,请稍后再试。您的订单仍然保留。"
    en = "The payment channel cannot be reached for the moment; try again shortly. Your order is kept."


class ReferenceUsed(Conflict):
    code = "payments.reference_used"
    zh = "凭证号“{reference}”已用于另一笔支付。"
    en = "The reference {reference} is already used by another payment."


class TaskNotOpen(Conflict):
    code = "tasks.not_open"
    zh = "这个待办不存在或已处理。"
    en = "This task does not exist or is done already."
