"""Orders as staff see them, within the stores they work for."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter
from msgspec import Meta, Struct

from core.fulfilment import pickup
from core.fulfilment.types import PickupView
from core.kernel.errors import Problem
from core.kernel.mall import Mall
from core.orders import service as orders
from core.orders.errors import HoldNotFound, OrderNotFound, TransitionRefused, WrongStatus
from core.orders.reading import AdjustmentView, TimelineEntry
from core.orders.service import OrderFilter
from core.orders.types import Order
from core.payments import service as payments
from core.payments.types import PaymentView
from core.staff.types import StaffSessionView
from core.web import Page, Paged, paged, problems

TAGS = ["orders"]


class OrderRow(Struct, frozen=True, kw_only=True):
    order: Order
    extra: dict[str, Any] = {}
    extra_missing: tuple[str, ...] = ()


class OrderFile(Struct, frozen=True, kw_only=True):
    """Everything about one order."""

    order: Order
    adjustments: tuple[AdjustmentView, ...]
    timeline: tuple[TimelineEntry, ...]
    holds: tuple[Problem, ...]
    payments: tuple[PaymentView, ...]
    pickup: PickupView | None
    extra: dict[str, Any]
    extra_missing: tuple[str, ...]


class CancelReason(Struct, frozen=True, forbid_unknown_fields=True):
    reason: Annotated[
        str, Meta(min_length=2, max_length=64, description="Why; goes into the timeline.", examples=["缺货"])
    ]


@get(
    "/orders", operation_id="list_orders", tags=TAGS, summary="Orders, newest first", opt={"permission": "orders.read"},
    description="Only orders of the stores that you work for, unless you work for all.",
)  # fmt: skip
async def list_orders(
    mall: Mall,
    staff: StaffSessionView,
    page: Page,
    status: Annotated[str | None, Parameter(max_length=16)] = None,
    fulfilment_state: Annotated[str | None, Parameter(max_length=8)] = None,
    store_id: Annotated[int | None, Parameter(ge=1)] = None,
    member_id: Annotated[int | None, Parameter(ge=1)] = None,
    held: bool | None = None,
    number: Annotated[str | None, Parameter(max_length=32)] = None,
) -> Paged[OrderRow]:
    after = page.after(tuple[int])
    where = OrderFilter(
        scope=staff.scope(), status=status, fulfilment_state=fulfilment_state, store_id=store_id, member_id=member_id,
        held=held, number=number, show_hidden=True,
    )  # fmt: skip
    found = await orders.find(mall, where, after_id=after[0] if after else None, limit=page.limit + 1)
    cut = paged(found, page.limit, lambda order: (order.id,))
    extra = await orders.extras(mall, [order.id for order in cut.items])
    rows = [
        OrderRow(order=order, extra=extra.by_order.get(order.id, {}), extra_missing=extra.failed) for order in cut.items
    ]
    return Paged(items=rows, next_cursor=cut.next_cursor)


async def _file(mall: Mall, order: Order) -> OrderFile:
    found = await orders.detail(mall, order)
    return OrderFile(
        order=order, adjustments=found.adjustments, timeline=found.timeline, holds=found.holds,
        payments=tuple(await payments.of_order(order.id)), pickup=await pickup.of_order(order.id), extra=found.extra,
        extra_missing=found.extra_missing,
    )  # fmt: skip


@get(
    "/orders/{number:str}", operation_id="get_order", tags=TAGS, summary="One order with everything about it",
    opt={"permission": "orders.read"}, responses=problems(OrderNotFound),
)  # fmt: skip
async def get_order(mall: Mall, staff: StaffSessionView, number: str) -> OrderFile:
    return await _file(mall, await orders.get(mall, number, scope=staff.scope()))


@post(
    "/orders/{number:str}/cancel", operation_id="cancel_order", tags=TAGS, summary="Cancel an unpaid order",
    status_code=200, opt={"permission": "orders.write"},
    description="Closes the open payments at their channels first. `cancelling` means that a channel could not be "
    "asked yet: the mall tries again by itself.",
    responses=problems(OrderNotFound, WrongStatus, TransitionRefused),
)  # fmt: skip
async def cancel_order(mall: Mall, staff: StaffSessionView, number: str, data: CancelReason) -> OrderFile:
    order = await orders.get(mall, number, scope=staff.scope())
    return await _file(mall, await orders.cancel_on_request(mall, order.id, actor=staff.actor, reason=data.reason))


class HoldRelease(Struct, frozen=True, forbid_unknown_fields=True):
    """Which hold, as `holds` of the order names it (`<plugin>.<code>`), and why."""

    plugin_id: Annotated[str, Meta(min_length=2, max_length=64)]
    code: Annotated[str, Meta(min_length=1, max_length=64)]
    reason: Annotated[str, Meta(min_length=2, max_length=200)]


@post(
    "/orders/{number:str}/close-payments", operation_id="close_payments_by_hand", tags=TAGS,
    summary="End a cancellation that waits for a payment channel", status_code=200,
    opt={"permission": "payments.confirm"},
    description="For an order that stays `cancelling` because a channel cannot be asked any more. Its open payments "
    "count as closed and its stock is given back. Money that comes all the same becomes a task.",
    responses=problems(OrderNotFound, WrongStatus),
)  # fmt: skip
async def close_payments_by_hand(mall: Mall, staff: StaffSessionView, number: str, data: CancelReason) -> OrderFile:
    order = await orders.get(mall, number, scope=staff.scope())
    return await _file(mall, await orders.close_by_hand(mall, order, actor=staff.actor, reason=data.reason))


@post(
    "/orders/{number:str}/holds/release", operation_id="release_hold_by_hand", tags=TAGS,
    summary="Release a hold in the place of its plugin", status_code=200, opt={"permission": "orders.write"},
    description="For a hold whose plugin is off or gone. When it was the last one and the order is paid, "
    "fulfilment starts.",
    responses=problems(OrderNotFound, HoldNotFound),
)  # fmt: skip
async def release_hold_by_hand(mall: Mall, staff: StaffSessionView, number: str, data: HoldRelease) -> OrderFile:
    order = await orders.get(mall, number, scope=staff.scope())
    after = await orders.release_by_hand(
        mall, order, plugin_id=data.plugin_id, code=data.code, actor=staff.actor, reason=data.reason
    )
    return await _file(mall, after)


handlers: list[HTTPRouteHandler] = [
    list_orders,
    get_order,
    cancel_order,
    close_payments_by_hand,
    release_hold_by_hand,
]
