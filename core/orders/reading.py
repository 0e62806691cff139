"""Lists and details of orders, for members and for staff."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from core import db
from core.kernel.errors import Problem
from core.kernel.mall import Mall
from core.orders import lifecycle, queries
from core.orders.errors import OrderNotFound
from core.orders.types import Order


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True):
    event: str
    status_from: str | None
    status_to: str | None
    actor_kind: str
    actor_name: str
    details: dict[str, Any]
    at: datetime


class AdjustmentView(msgspec.Struct, frozen=True, kw_only=True):
    """A price effect as it was when the order was placed, readable after its plugin is gone. ``parts`` by line id."""

    plugin_id: str
    stage: str
    code: str
    source: str
    target: str
    label_zh: str
    label_en: str
    amount_fen: int
    parts: dict[str, int]


class OrderDetail(msgspec.Struct, frozen=True, kw_only=True):
    order: Order
    adjustments: tuple[AdjustmentView, ...]
    timeline: tuple[TimelineEntry, ...]
    holds: tuple[Problem, ...]
    extra: dict[str, Any]
    extra_missing: tuple[str, ...]


class OrderFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a list is narrowed to. ``scope``: store ids a staff member may see, ``None`` = all."""

    member_id: int | None = None
    scope: Sequence[int] | None = None
    status: str | None = None
    store_id: int | None = None
    fulfilment_state: str | None = None
    held: bool | None = None
    number: str | None = None
    show_hidden: bool = False


async def find(mall: Mall, where: OrderFilter, *, after_id: int | None, limit: int) -> list[Order]:
    """Return orders, newest first, below ``after_id``."""
    conditions: list[str] = []
    args: list[object] = []

    def narrow(sql: str, value: object) -> None:
        args.append(value)
        conditions.append(sql.format(f"${len(args)}"))

    for column, value in (
        ("member_id", where.member_id),
        ("status", where.status),
        ("store_id", where.store_id),
        ("fulfilment_state", where.fulfilment_state),
        ("held", where.held),
        ("number", where.number),
    ):
        if value is not None:
            narrow(f"o.{column} = {{}}", value)
    if where.scope is not None:
        narrow("o.store_id = ANY({})", list(where.scope))
    if after_id is not None:
        narrow("o.id < {}", after_id)
    if not where.show_hidden:
        conditions.append("NOT o.hidden")
    args.append(limit)
    sql = (
        f"SELECT o.*, {queries.LINES} FROM orders o WHERE {' AND '.join(conditions) or 'true'} "  # noqa: S608 - names of ours
        f"ORDER BY o.id DESC LIMIT ${len(args)}"
    )
    return await db.fetch(Order, sql, *args)


async def get(mall: Mall, number: str, *, member_id: int | None = None, scope: Sequence[int] | None = None) -> Order:
    """Return one order; what is not the caller's is ``OrderNotFound``, like what does not exist."""
    order = await queries.by_number(number, member_id=member_id, scope=scope)
    if order is None:
        raise OrderNotFound(number=number)
    return order


async def detail(mall: Mall, order: Order) -> OrderDetail:
    """Return everything about one order: price effects, timeline, live holds, and what plugins add."""
    adjustments = await db.fetch(
        AdjustmentView,
        "SELECT a.*, coalesce((SELECT jsonb_object_agg(p.order_line_id::text, p.amount_fen) FROM order_allocation p "
        "WHERE p.adjustment_id = a.id), '{}'::jsonb) AS parts "
        "FROM order_adjustment a WHERE a.order_id = $1 ORDER BY a.position",
        order.id,
    )
    timeline = await db.fetch(TimelineEntry, "SELECT * FROM order_timeline WHERE order_id = $1 ORDER BY id", order.id)
    holds = await lifecycle.hold_problems(order.id) if order.held else []
    extra = await extras(mall, [order.id])
    return OrderDetail(
        order=order, adjustments=tuple(adjustments), timeline=tuple(timeline), holds=tuple(holds),
        extra=extra.by_order.get(order.id, {}),
        extra_missing=extra.failed,
    )  # fmt: skip


class Extras(msgspec.Struct, frozen=True, kw_only=True):
    """What plugins add to orders, by order id and plugin; ``failed`` names the plugins that could not say."""

    by_order: dict[int, dict[str, Any]] = {}
    failed: tuple[str, ...] = ()


async def extras(mall: Mall, ids: Sequence[int]) -> Extras:
    """Ask the plugins, once for the whole page, what they add to orders."""
    if not ids or not mall.hooks.has("extend_orders"):
        return Extras()
    answers = await mall.hooks.lenient("extend_orders", mall=mall, ids=ids)
    found: dict[int, dict[str, Any]] = {}
    for plugin_id, given in answers.given:
        for order_id, extra in given.items():
            found.setdefault(order_id, {})[plugin_id] = extra
    return Extras(by_order=found, failed=answers.failed)


async def hide(mall: Mall, order: Order) -> None:
    """Take an ended order out of the buyer's list; no order row is ever removed (behaviour.md 5.3 rule 6)."""
    await db.execute(
        "UPDATE orders SET hidden = true WHERE id = $1 AND status IN ('cancelled', 'completed', 'closed')", order.id
    )
