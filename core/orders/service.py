"""Everything other parts of the mall may do with orders, by name."""

from core.orders.cancelling import cancel, cancel_on_request, cancel_own, close_by_hand
from core.orders.capturing import apply_capture, settle_captured, settle_with_channel
from core.orders.handing import hand_over_all
from core.orders.lifecycle import (
    hold_problems,
    locked,
    put_hold,
    refuse_if_held,
    release_by_hand,
    release_hold,
    transition,
)
from core.orders.paying import methods, pay_with, start_payment
from core.orders.placing import place_order, quote
from core.orders.reading import OrderDetail, OrderFilter, detail, extras, find, get, hide

__all__ = [
    "OrderDetail",
    "OrderFilter",
    "apply_capture",
    "cancel",
    "cancel_on_request",
    "cancel_own",
    "close_by_hand",
    "detail",
    "extras",
    "find",
    "get",
    "hand_over_all",
    "hide",
    "hold_problems",
    "locked",
    "methods",
    "pay_with",
    "place_order",
    "put_hold",
    "quote",
    "refuse_if_held",
    "release_by_hand",
    "release_hold",
    "settle_captured",
    "settle_with_channel",
    "start_payment",
    "transition",
]
