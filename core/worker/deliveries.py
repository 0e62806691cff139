"""Deliver events as they come: woken by PostgreSQL's NOTIFY, with polling as the safety net."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import asyncpg
import structlog

from core.events import WAKE, delivery

if TYPE_CHECKING:
    from core.kernel.mall import Mall

LANES = 4
"""Deliveries side by side in one worker: a slow handler must not hold up the others."""
POLL_S = 5.0
AFTER_FAULT_S = 1.0
log = structlog.get_logger("mall.events")


async def deliver(mall: Mall, *, wake: asyncio.Event, stop: asyncio.Event) -> None:
    """Deliver until ``stop``; a delivery that has begun is finished."""
    await asyncio.gather(*(_lane(mall, wake, stop) for _ in range(LANES)))


async def _lane(mall: Mall, wake: asyncio.Event, stop: asyncio.Event) -> None:
    while not stop.is_set():
        wake.clear()
        pause = POLL_S
        try:
            if await delivery.deliver_due(mall, limit=1):
                continue
        except Exception:
            log.exception("events not delivered for the moment")
            pause = AFTER_FAULT_S
        await _either(wake, stop, pause)


async def listen(database_url: str, *, wake: asyncio.Event, stop: asyncio.Event) -> None:
    """Set ``wake`` whenever something became due, until ``stop``. Connects again whenever the connection is lost."""
    while not stop.is_set():
        try:
            await _listen_once(database_url, wake, stop)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
            log.warning("no wake-up calls for the moment; polling goes on", error=str(exc))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), AFTER_FAULT_S)


async def _listen_once(database_url: str, wake: asyncio.Event, stop: asyncio.Event) -> None:
    lost = asyncio.Event()

    def ring(*_: Any) -> None:
        wake.set()

    def gone(*_: Any) -> None:
        lost.set()

    connection: Any = await asyncpg.connect(database_url)
    try:
        connection.add_termination_listener(gone)
        await connection.add_listener(WAKE, ring)
        wake.set()  # something may have come while nobody listened
        await _either(lost, stop)
    finally:
        connection.remove_termination_listener(gone)
        await connection.close(timeout=2)
    if not stop.is_set():
        raise ConnectionResetError("the listening connection was lost")


async def _either(first: asyncio.Event, second: asyncio.Event, timeout_s: float | None = None) -> None:
    waiting = [asyncio.ensure_future(first.wait()), asyncio.ensure_future(second.wait())]
    try:
        await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
