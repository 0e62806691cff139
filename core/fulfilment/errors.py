"""What pick-up refuses, and how it says it."""

from __future__ import annotations

from core.kernel.errors import Conflict, Invalid, MallError, NotFound


class StoreNeeded(Invalid):
    code = "fulfilment.store_needed"
    zh = "请选择取货门店。"
    en = "Choose the store to pick up from."


class StoreUnknown(Invalid):
    code = "fulfilment.store_unknown"
    zh = "没有编号为 {store_id} 的门店,请重新选择取货门店。"
    en = "There is no store {store_id}; choose the store to pick up from again."


class StoreNotServing(Conflict):
    code = "fulfilment.store_not_serving"
    zh = "门店“{store}”目前不提供自提。"
    en = "The store {store} does not offer pick-up at the moment."


class CodeUnknown(NotFound):
    """A wrong, foreign, or mistyped code: all look the same."""

    code = "fulfilment.code_unknown"
    zh = "取货码无效,请核对后再输入。"
    en = "This pick-up code is not valid; check it and enter it again."


class CodeUsed(Conflict):
    code = "fulfilment.code_used"
    zh = "取货码已于 {used_at} 使用过。"
    en = "This pick-up code was used at {used_at}."


class CodeVoid(Conflict):
    code = "fulfilment.code_void"
    zh = "取货码已作废。"
    en = "This pick-up code is void."


class WrongStore(MallError):
    code = "fulfilment.wrong_store"
    status = 403
    zh = "这个订单要在其他门店取货,您无权核销。"
    en = "This order is to be picked up at another store; you cannot verify it."


class TooManyTries(MallError):
    code = "fulfilment.too_many_tries"
    status = 429
    retry_after_s = 60
    zh = "核销次数过多,请一分钟后再试。"
    en = "Too many tries; wait a minute and try again."


class NoCode(NotFound):
    code = "fulfilment.no_code"
    zh = "这个订单现在没有取货码(订单{status_name})。"
    en = "This order has no pick-up code now (the order is {status_name})."
