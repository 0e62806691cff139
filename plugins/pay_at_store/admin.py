"""The counter's route."""

from __future__ import annotations

from litestar import post
from litestar.handlers import HTTPRouteHandler

from core.sdk import Mall, OrderNotFound, ReferenceUsed, StaffSessionView, problems
from plugins.pay_at_store import service
from plugins.pay_at_store.errors import (
    AmountDiffers,
    ConfirmedOtherwise,
    MethodNotTaken,
    NothingToConfirm,
    OrderNotPayable,
    ReferenceNeeded,
)
from plugins.pay_at_store.types import Confirm, Confirmed


@post(
    "/orders/{number:str}/confirm", operation_id="pay_at_store_confirm", tags=["pay_at_store"],
    summary="Confirm money taken at the counter", status_code=200, opt={"permission": "pay_at_store.confirm"},
    description="Books the money and marks the order paid. Confirming the same again books nothing more.",
    responses=problems(
        OrderNotFound, NothingToConfirm, AmountDiffers, MethodNotTaken, ReferenceNeeded, OrderNotPayable, ReferenceUsed,
        ConfirmedOtherwise,
    ),
)  # fmt: skip
async def confirm(mall: Mall, staff: StaffSessionView, number: str, data: Confirm) -> Confirmed:
    return await service.confirm(mall, staff, number, data)


handlers: list[HTTPRouteHandler] = [confirm]
