"""Everything other parts of the mall may do with orders, by name."""

from core.orders.cancelling import cancel, cancel_own
from core.orders.handing import hand_over_all
from core.orders.lifecycle import hold_problems, locked, put_hold, refuse_if_held, release_hold, transition
from core.orders.paying import apply_capture, methods, pay_with, settle_with_channel, start_payment
from core.orders.placing import place_order, quote
from core.orders.reading import OrderDetail, OrderFilter, detail, extras, find, get, hide

__all__ = [
    "OrderDetail",
    "OrderFilter",
    "apply_capture",
    "cancel",
    "cancel_own",
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
    "release_hold",
    "settle_with_channel",
    "start_payment",
    "transition",
]
