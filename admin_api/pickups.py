"""The counter: staff look a pick-up code up and redeem it."""

from __future__ import annotations

from typing import Annotated

from litestar import post
from litestar.handlers import HTTPRouteHandler
from msgspec import Meta, Struct

from core.fulfilment import pickup
from core.fulfilment.errors import CodeUnknown, CodeUsed, CodeVoid, TooManyTries, WrongStore
from core.fulfilment.types import Pickup
from core.kernel.mall import Mall
from core.orders.errors import OrderHeld
from core.staff.types import StaffSessionView
from core.web import problems

REFUSALS = problems(CodeUnknown, CodeUsed, CodeVoid, WrongStore, OrderHeld, TooManyTries)


class CodeIn(Struct, frozen=True, forbid_unknown_fields=True):
    """The code in the body, not in the address: addresses end up in logs."""

    code: Annotated[
        str,
        Meta(min_length=12, max_length=20, description="12 digits; spaces do not matter.", examples=["405518233016"]),
    ]


@post(
    "/pickups/look-up", operation_id="look_up_pickup", tags=["pickup"], summary="See what a code stands for",
    status_code=200, opt={"permission": "orders.fulfil"}, responses=REFUSALS,
    description="Changes nothing. Counts as a try: 10 a minute and staff member.",
)  # fmt: skip
async def look_up_pickup(mall: Mall, staff: StaffSessionView, data: CodeIn) -> Pickup:
    return await pickup.look_up(mall, staff, data.code)


@post(
    "/pickups/verify", operation_id="verify_pickup", tags=["pickup"], summary="Redeem a code and hand the goods over",
    status_code=200, opt={"permission": "orders.fulfil"}, responses=REFUSALS,
    description="Once: the order is fulfilled and completed. Only staff of the order's store can do it.",
)  # fmt: skip
async def verify_pickup(mall: Mall, staff: StaffSessionView, data: CodeIn) -> Pickup:
    return await pickup.verify(mall, staff, data.code)


handlers: list[HTTPRouteHandler] = [look_up_pickup, verify_pickup]
