"""Events reach their handlers at once, also after the connection to the database was lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar

import pytest

from core import db, worker
from core.events import Event, emit
from core.kernel.contracts import EventHandler
from core.kernel.mall import Mall
from core.worker import deliveries


class Rang(Event, frozen=True, kw_only=True):
    """Emitted by these tests only."""

    name: ClassVar[str] = "bell.rang"


def listening(mall: Mall, run: Callable[[Mall, Rang], Awaitable[None]], name: str = "bell.ear", **over: bool) -> None:
    mall.objects.add(EventHandler, name, EventHandler(name, Rang, run, **over))


async def ring(mall: Mall) -> None:
    async with db.transaction():
        emit(mall, Rang())


async def test_a_worker_delivers_as_soon_as_an_event_is_committed(mall: Mall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "POLL_S", 60.0)  # only the wake-up call can be this quick
    heard = asyncio.Event()

    async def hear(_mall: Mall, _event: Rang) -> None:
        heard.set()

    listening(mall, hear)
    stop = asyncio.Event()
    serving = asyncio.create_task(worker.serve(mall, stop=stop))
    await asyncio.sleep(0.5)
    await ring(mall)
    await asyncio.wait_for(heard.wait(), 2)
    stop.set()
    await serving


async def test_a_lost_connection_is_made_again(mall: Mall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "POLL_S", 60.0)
    monkeypatch.setattr(deliveries, "AFTER_FAULT_S", 0.05)
    stop, wake = asyncio.Event(), asyncio.Event()
    hearing = asyncio.create_task(deliveries.listen(mall.settings.database_url, wake=wake, stop=stop))
    await asyncio.wait_for(wake.wait(), 5)
    wake.clear()

    await db.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND query LIKE 'LISTEN%mall_events%' AND pid <> pg_backend_pid()"
    )
    await asyncio.wait_for(wake.wait(), 5)  # it rings itself: something may have come meanwhile
    stop.set()
    await hearing


async def test_a_slow_handler_does_not_hold_up_another(mall: Mall) -> None:
    go, quick = asyncio.Event(), asyncio.Event()

    async def slow(_mall: Mall, _event: Rang) -> None:
        await go.wait()

    async def hear(_mall: Mall, _event: Rang) -> None:
        quick.set()

    listening(mall, slow, "bell.a_slow", in_transaction=False)
    listening(mall, hear, "bell.z_quick")
    await ring(mall)
    stop, wake = asyncio.Event(), asyncio.Event()
    delivering = asyncio.create_task(deliveries.deliver(mall, wake=wake, stop=stop))
    await asyncio.wait_for(quick.wait(), 5)
    stop.set()
    go.set()
    await delivering
    assert await db.value("SELECT count(*) FROM event_delivery WHERE state = 'done'") == 2
