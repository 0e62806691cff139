"""Deliver events: each (event, handler) on its own, at least once, with backoff; dead ones wait for a person.

A handler that runs in a transaction shares it with its mark of delivery, so a second run never doubles an effect. One
that does not (it calls the network) holds a lease on its row instead, and must be idempotent by itself.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from core import db
from core.events.outbox import WAKE, works
from core.kernel.contracts import EventHandler
from core.kernel.errors import Conflict, NotFound

if TYPE_CHECKING:
    from core.kernel.mall import Mall

BACKOFF = tuple(timedelta(minutes=m) for m in (1, 5, 30, 120, 720))
TIME_LIMIT_S = 30.0
LEASE = timedelta(minutes=2)
"""How long a handler outside a transaction owns its delivery; longer than ``TIME_LIMIT_S``."""

_ERROR_LENGTH = 2000
log = structlog.get_logger("mall.events")

_DUE = """
SELECT d.id, d.handler, d.tries, e.id AS event_id, e.payload
  FROM event_delivery d JOIN event e ON e.id = d.event_id
 WHERE d.state = 'due' AND d.due_at <= $1 AND d.handler = ANY($2)
 ORDER BY d.due_at, d.id LIMIT 1 FOR UPDATE OF d SKIP LOCKED
"""


class DeliveryNotFound(NotFound):
    code = "events.delivery_not_found"
    zh = "没有这条事件投递记录。"
    en = "There is no such delivery of an event."


class DeliveryNotDead(Conflict):
    code = "events.delivery_not_dead"
    zh = "只有失败停止的投递才能重新执行。"
    en = "Only a delivery that was given up can be run again."


class DeadDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that failed too often, with the event it carries."""

    id: int
    event_id: int
    event: str
    handler: str
    payload: dict[str, Any]
    tries: int
    last_error: str | None
    at: datetime
    due_at: datetime


class _Due(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    handler: str
    tries: int
    event_id: int
    payload: dict[str, Any]


async def deliver_due(mall: Mall, limit: int = 100) -> int:
    """Make up to ``limit`` due deliveries, one after the other, and return how many were tried.

    Several workers may run this at once: a row that one has taken is passed over by the others. Handlers of plugins
    that are off are left waiting.
    """
    db.assert_no_transaction()
    handlers = {
        name: handler
        for name, owner, handler in mall.objects.all(EventHandler, even_inactive=True)
        if works(mall, owner)
    }
    if not handlers:
        return 0
    for tried in range(limit):
        if not await _deliver_one(mall, handlers):
            return tried
    return limit


async def _deliver_one(mall: Mall, handlers: dict[str, EventHandler]) -> bool:
    due: _Due | None = None
    try:
        async with db.transaction():
            due = await db.fetch_one(_Due, _DUE, mall.clock.now(), list(handlers))
            if due is None:
                return False
            handler = handlers[due.handler]
            if handler.in_transaction:
                await _run(mall, handler, due)
                await _mark_done(mall, due)
            else:
                until = mall.clock.now() + LEASE
                await db.execute("UPDATE event_delivery SET due_at = $2 WHERE id = $1", due.id, until)
        if not handler.in_transaction:
            await _run(mall, handler, due)
            await _mark_done(mall, due)
    except Exception as exc:
        if due is None:
            raise
        log.warning(
            "event handler failed", handler=due.handler, event_id=due.event_id, tries=due.tries + 1, exc_info=exc
        )
        await _mark_failed(mall, due, exc)
    return True


async def _run(mall: Mall, handler: EventHandler, due: _Due) -> None:
    event = msgspec.convert({**due.payload, "event_id": due.event_id}, handler.event)
    async with asyncio.timeout(TIME_LIMIT_S):
        await handler.run(mall, event)


async def _mark_done(mall: Mall, due: _Due) -> None:
    await db.execute(
        "UPDATE event_delivery SET state = 'done', done_at = $2, last_error = NULL WHERE id = $1 AND state = 'due'",
        due.id, mall.clock.now(),
    )  # fmt: skip


async def _mark_failed(mall: Mall, due: _Due, exc: Exception) -> None:
    """Note the failure, unless somebody else has tried in the meantime (``tries`` tells)."""
    dead = due.tries >= len(BACKOFF)
    wait = timedelta(0) if dead else BACKOFF[due.tries]
    await db.execute(
        """UPDATE event_delivery SET state = $3, tries = tries + 1, due_at = $4, last_error = $5
           WHERE id = $1 AND state = 'due' AND tries = $2""",
        due.id, due.tries, "dead" if dead else "due", mall.clock.now() + wait,
        f"{type(exc).__name__}: {exc}"[:_ERROR_LENGTH],
    )  # fmt: skip


async def next_due_in(mall: Mall) -> timedelta | None:
    """Return how long until the next delivery is due, ``None`` when nothing waits. Zero or less: now."""
    names = [n for n, owner, _ in mall.objects.all(EventHandler, even_inactive=True) if works(mall, owner)]
    at = await db.value("SELECT min(due_at) FROM event_delivery WHERE state = 'due' AND handler = ANY($1)", names)
    return None if at is None else at - mall.clock.now()


async def list_dead(mall: Mall, *, before_id: int | None = None, limit: int = 50) -> list[DeadDelivery]:
    """List the deliveries that were given up, newest first."""
    return await db.fetch(
        DeadDelivery,
        """SELECT d.id, d.event_id, e.name AS event, d.handler, e.payload, d.tries, d.last_error, e.at, d.due_at
             FROM event_delivery d JOIN event e ON e.id = d.event_id
            WHERE d.state = 'dead' AND ($1::bigint IS NULL OR d.id < $1) ORDER BY d.id DESC LIMIT $2""",
        before_id, limit,
    )  # fmt: skip


async def rerun(mall: Mall, delivery_id: int) -> None:
    """Make a dead delivery due again, with all its tries. Must run in a transaction (the caller audits it).

    Raises ``DeliveryNotFound`` or ``DeliveryNotDead``.
    """
    db.assert_transaction()
    changed = await db.execute(
        "UPDATE event_delivery SET state = 'due', tries = 0, due_at = $2 WHERE id = $1 AND state = 'dead'",
        delivery_id, mall.clock.now(),
    )  # fmt: skip
    if changed:
        await db.execute("SELECT pg_notify($1, '')", WAKE)
        return
    if await db.value("SELECT 1 FROM event_delivery WHERE id = $1", delivery_id) is None:
        raise DeliveryNotFound
    raise DeliveryNotDead
