"""Payment attempts: one row each, moved by compare-and-set (behaviour.md 5.5).

This module knows amounts and states, not orders: ``core.orders.paying`` decides what a capture means for an order and
holds the order's lock (lock order: order, payment).
"""

from __future__ import annotations

from datetime import datetime

import asyncpg

from core import db
from core.kernel.ids import new_number
from core.kernel.mall import Mall
from core.kernel.origin import Origin
from core.payments.errors import PaymentNotFound, ReferenceUsed
from core.payments.types import Capture, PaymentView, Prepared

CURRENCY = "CNY"
ZERO = "zero"
OPEN_STATES = ("created", "pending")


async def by_number(number: str) -> PaymentView | None:
    return await db.fetch_one(PaymentView, "SELECT * FROM payment WHERE number = $1", number)


async def of_order(order_id: int) -> list[PaymentView]:
    """Return all attempts of an order, oldest first."""
    return await db.fetch(PaymentView, "SELECT * FROM payment WHERE order_id = $1 ORDER BY id", order_id)


async def lock(number: str) -> PaymentView:
    """Lock one attempt for the rest of the transaction; raises ``PaymentNotFound``.

    Under the order's lock this waits for nobody who changes money; it keeps ``mark_closed`` out, which has no order.
    """
    db.assert_transaction()
    found = await db.fetch_one(PaymentView, "SELECT * FROM payment WHERE number = $1 FOR UPDATE", number)
    if found is None:
        raise PaymentNotFound(number=number)
    return found


async def open_attempt(
    mall: Mall, order_id: int, *, provider: str, amount_fen: int, origin: Origin, expires_at: datetime | None
) -> PaymentView:
    """Return the open attempt of this order with this provider, or make one.

    At most one is open per order and provider (partial unique index); must run with the order row locked.
    """
    db.assert_transaction()
    now = mall.clock.now()
    found = await db.fetch_one(
        PaymentView,
        "INSERT INTO payment (number, order_id, provider, amount_fen, currency, state, channel, store_id, staff_id, "
        "created_at, expires_at) VALUES ($1, $2, $3, $4, $5, 'created', $6, $7, $8, $9, $10) "
        # The conflicting row is "changed" so that it comes back; one closed meanwhile is no conflict any more.
        "ON CONFLICT (order_id, provider) WHERE state IN ('created', 'pending') "
        "DO UPDATE SET provider = excluded.provider RETURNING *",
        new_number("P", now, mall.settings.mall_zone), order_id, provider, amount_fen, CURRENCY, origin.channel,
        origin.store_id, origin.staff_id, now, expires_at,
    )  # fmt: skip
    assert found is not None
    return found


async def set_prepared(payment_id: int, prepared: Prepared) -> PaymentView | None:
    """Store what the channel answered; ``None`` when the attempt was settled meanwhile (the money was faster)."""
    return await db.fetch_one(
        PaymentView,
        "UPDATE payment SET state = 'pending', client_action = $2::jsonb, expires_at = coalesce($3, expires_at) "
        "WHERE id = $1 AND state IN ('created', 'pending') RETURNING *",
        payment_id,
        db.json(prepared.action),
        prepared.expires_at,
    )


async def mark_captured(capture: Capture) -> PaymentView | None:
    """Record the money; ``None`` when it is recorded already. Raises ``ReferenceUsed`` for another payment's reference.

    ``closed → captured`` is legal: money is recorded whatever happens next (behaviour.md 5.5 rule 4).
    """
    db.assert_transaction()
    try:
        async with db.savepoint():
            return await db.fetch_one(
                PaymentView,
                "UPDATE payment SET state = 'captured', captured_fen = $2, channel_txn_id = $3, captured_at = $4, "
                "method = $5, staff_id = coalesce($6, staff_id), store_id = coalesce($7, store_id) "
                "WHERE number = $1 AND state <> 'captured' RETURNING *",
                capture.payment_number, capture.amount_fen, capture.channel_txn_id, capture.captured_at,
                capture.method, capture.staff_id, capture.store_id,
            )  # fmt: skip
    except asyncpg.UniqueViolationError as exc:
        raise ReferenceUsed(reference=capture.channel_txn_id) from exc


async def mark_mismatch(number: str) -> None:
    await db.execute(
        "UPDATE payment SET state = 'mismatch' WHERE number = $1 AND state IN ('created', 'pending')", number
    )


async def mark_closed(payment_id: int, now: datetime) -> bool:
    """Close an open attempt; ``False`` when it is not open any more."""
    done = await db.value(
        "UPDATE payment SET state = 'closed', closed_at = $2 "
        "WHERE id = $1 AND state IN ('created', 'pending') RETURNING id",
        payment_id,
        now,
    )
    return done is not None


async def settle_zero(mall: Mall, order_id: int, *, origin: Origin) -> PaymentView:
    """Write the captured attempt of an order that costs nothing: no channel, no expiry (behaviour.md 5.2 rule 8)."""
    db.assert_transaction()
    now = mall.clock.now()
    number = new_number("P", now, mall.settings.mall_zone)
    found = await db.fetch_one(
        PaymentView,
        "INSERT INTO payment (number, order_id, provider, amount_fen, currency, state, channel_txn_id, channel, "
        "store_id, staff_id, created_at, captured_at) "
        "VALUES ($1, $2, $3, 0, $4, 'captured', $1, $5, $6, $7, $8, $8) RETURNING *",
        number, order_id, ZERO, CURRENCY, origin.channel, origin.store_id, origin.staff_id, now,
    )  # fmt: skip
    assert found is not None
    return found


async def store_notification(
    mall: Mall, *, provider: str, event_id: str, headers: dict[str, str], body: bytes, verified: bool
) -> int | None:
    """Keep what a channel sent, before anything is done with it; ``None`` when this event was handled already.

    An event that is here and was not handled (the process died in between) is given out again.
    """
    return await db.value(
        "INSERT INTO payment_inbox (provider, event_id, headers, body, verified, received_at) "
        "VALUES ($1, $2, $3::jsonb, $4, $5, $6) ON CONFLICT (provider, event_id) "
        "DO UPDATE SET tries = payment_inbox.tries + 1 WHERE payment_inbox.handled_at IS NULL RETURNING id",
        provider, event_id, db.json(headers), body, verified, mall.clock.now(),
    )  # fmt: skip


async def settle_notification(mall: Mall, inbox_id: int, result: str) -> None:
    """Note what came of a notification; called in the transaction of its effect."""
    await db.execute(
        "UPDATE payment_inbox SET result = $2, tries = tries + 1, handled_at = $3 WHERE id = $1",
        inbox_id,
        result,
        mall.clock.now(),
    )
