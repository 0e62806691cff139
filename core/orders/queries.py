"""Reading and writing order rows. Only ``core.orders`` uses this module."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from core import db
from core.orders.types import Order, OrderDraft
from core.pricing.types import Quote

LINES = "(SELECT jsonb_agg(to_jsonb(l) ORDER BY l.position) FROM order_line l WHERE l.order_id = o.id) AS lines"


async def by_id(order_id: int) -> Order | None:
    return await db.fetch_one(Order, f"SELECT o.*, {LINES} FROM orders o WHERE o.id = $1", order_id)  # noqa: S608 - a constant


async def by_number(number: str, *, member_id: int | None = None, scope: Sequence[int] | None = None) -> Order | None:
    """Find an order; ``member_id`` and ``scope`` (store ids) make everybody else's look like none."""
    return await db.fetch_one(
        Order,
        f"SELECT o.*, {LINES} FROM orders o WHERE o.number = $1 AND ($2::bigint IS NULL OR o.member_id = $2) "  # noqa: S608 - a constant
        "AND ($3::bigint[] IS NULL OR o.store_id = ANY($3))",
        number,
        member_id,
        list(scope) if scope is not None else None,
    )


async def by_request_key(member_id: int, request_key: str) -> tuple[Order, bytes] | None:
    found = await db.row(
        f"SELECT o.*, {LINES} FROM orders o WHERE o.member_id = $1 AND o.request_key = $2",  # noqa: S608 - a constant
        member_id,
        request_key,
    )
    return (db.to_struct(Order, found), bytes(found["request_hash"])) if found is not None else None


async def lock(order_id: int) -> Order | None:
    """Lock the order row for the rest of the transaction, then read it with its lines as they are now.

    Two statements: one that waits for the lock would show lines as of before the wait.
    """
    db.assert_transaction()
    if await db.value("SELECT id FROM orders WHERE id = $1 FOR UPDATE", order_id) is None:
        return None
    return await by_id(order_id)


async def insert(
    draft: OrderDraft,
    quote: Quote,
    *,
    number: str,
    request_key: str,
    request_hash: bytes,
    location_id: int,
    pay_deadline: datetime | None,
    now: datetime,
) -> Order | None:
    """Write order, lines, adjustments, allocations and the first timeline row in one statement.

    Returns ``None`` when the member already has an order with this request key (UNIQUE settles two calls at once; the
    second waits for the first).
    """
    db.assert_transaction()
    lines: list[dict[str, Any]] = []
    for position, line in enumerate(quote.lines):
        lines.append(
            {
                "position": position,
                "sku_id": line.sku_id,
                "product_id": line.product_id,
                "location_id": location_id,
                "sku_code": line.sku_code,
                "title": line.title,
                "options": line.options,
                "image_url": line.image_url,
                "qty": line.qty,
                "unit_fen": line.unit_fen,
                "amount_fen": line.amount_fen,
                "discount_fen": line.left_fen - line.amount_fen,
                "payable_fen": line.left_fen,
            }
        )
    position_of = {line.key: position for position, line in enumerate(quote.lines)}
    adjustments = [
        {
            "position": position,
            "plugin_id": a.plugin_id,
            "stage": a.stage,
            "code": a.code,
            "source": a.source,
            "target": a.target,
            "label_zh": a.label.zh,
            "label_en": a.label.en,
            "amount_fen": a.amount_fen,
        }
        for position, a in enumerate(quote.applied)
    ]
    parts = [
        {"adjustment": position, "line": position_of[key], "amount_fen": amount}
        for position, a in enumerate(quote.applied)
        for key, amount in a.parts.items()
    ]
    found = await db.row(
        _INSERT,
        number, draft.member_id, request_key, request_hash, draft.origin.channel, draft.store_id, draft.origin.staff_id,
        draft.fulfilment_method, draft.contact.name, draft.contact.phone,
        None if draft.address is None else db.json(draft.address), draft.note, quote.goods_fen, quote.discount_fen,
        quote.freight_fen, quote.payable_fen, pay_deadline, db.json(draft.extensions), now,
        db.json(lines), db.json(adjustments), db.json(parts),
    )  # fmt: skip
    return db.to_struct(Order, found) if found is not None else None


_INSERT = """
WITH o AS (
    INSERT INTO orders (number, member_id, request_key, request_hash, channel, store_id, staff_id, fulfilment_method,
        contact_name, contact_phone, address, note, goods_fen, discount_fen, freight_fen, payable_fen, pay_deadline,
        extensions, placed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb, $12, $13, $14, $15, $16, $17, $18::jsonb, $19)
    ON CONFLICT (member_id, request_key) DO NOTHING
    RETURNING *
), l AS (
    INSERT INTO order_line (order_id, position, sku_id, product_id, location_id, sku_code, title, options, image_url,
        qty, unit_fen, amount_fen, discount_fen, payable_fen)
    SELECT o.id, x.* FROM o, jsonb_to_recordset($20::jsonb) AS x(position int, sku_id bigint, product_id bigint,
        location_id bigint, sku_code text, title text, options jsonb, image_url text, qty int, unit_fen bigint,
        amount_fen bigint, discount_fen bigint, payable_fen bigint)
    RETURNING *
), a AS (
    INSERT INTO order_adjustment (order_id, position, plugin_id, stage, code, source, target, label_zh, label_en,
        amount_fen)
    SELECT o.id, x.* FROM o, jsonb_to_recordset($21::jsonb) AS x(position int, plugin_id text, stage text, code text,
        source text, target text, label_zh text, label_en text, amount_fen bigint)
    RETURNING id, position
), p AS (
    INSERT INTO order_allocation (adjustment_id, order_line_id, amount_fen)
    SELECT a.id, l.id, x.amount_fen
    FROM jsonb_to_recordset($22::jsonb) AS x(adjustment int, line int, amount_fen bigint)
    JOIN a ON a.position = x.adjustment JOIN l ON l.position = x.line
), t AS (
    INSERT INTO order_timeline (order_id, event, status_to, actor_kind, actor_id, at)
    SELECT o.id, 'place', o.status, 'member', o.member_id, $19 FROM o
)
SELECT o.*, (SELECT jsonb_agg(to_jsonb(l) ORDER BY l.position) FROM l) AS lines FROM o
"""


async def move(
    order: Order,
    *,
    event: str,
    to: str,
    stamp: str | None,
    now: datetime,
    actor_kind: str,
    actor_id: int | None,
    actor_name: str,
    paid_fen: int,
    reason: str,
) -> bool:
    """Change the status by compare-and-set and write the timeline row with it; ``False`` when somebody was faster."""
    stamped = f", {stamp} = $5" if stamp else ""
    reasons = {
        "cancelled": ", cancel_reason = $10",
        "cancelling": ", cancel_reason = $10",
        "paid": ", cancel_reason = NULL",
    }
    cancelled = reasons.get(to, "")
    sql = f"""
        WITH o AS (
            UPDATE orders SET status = $3, version = version + 1, paid_fen = paid_fen + $9{stamped}{cancelled}
            WHERE id = $1 AND status = $2 RETURNING id
        ), t AS (
            INSERT INTO order_timeline
                (order_id, event, status_from, status_to, actor_kind, actor_id, actor_name, details, at)
            SELECT id, $4, $2, $3, $6, $7, $8, jsonb_build_object('reason', $10::text), $5 FROM o
        )
        SELECT id FROM o"""  # noqa: S608 - the columns are ours, values are parameters
    moved = await db.value(
        sql, order.id, order.status, to, event, now, actor_kind, actor_id, actor_name, paid_fen, reason
    )
    return bool(moved)


async def note(
    order_id: int, event: str, *, actor_kind: str, actor_id: int | None, actor_name: str, now: datetime, details: object
) -> None:
    """Write a timeline row that changes no status."""
    await db.execute(
        "INSERT INTO order_timeline (order_id, event, actor_kind, actor_id, actor_name, details, at) "
        "VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7)",
        order_id, event, actor_kind, actor_id, actor_name, db.json(details), now,
    )  # fmt: skip


def fingerprint(draft: OrderDraft, expected_total_fen: int) -> bytes:
    """Hash what was asked for, so that a repeated key with another wish can be told apart.

    A cart is asked for as "the cart": the first call emptied it, so its lines are no part of the wish.
    """
    if draft.from_cart:
        draft = msgspec.structs.replace(draft, lines=())
    wish = msgspec.json.encode((draft, expected_total_fen), order="sorted")
    return hashlib.sha256(wish).digest()
