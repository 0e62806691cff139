"""``mall plugins disable`` while shoppers are there: every worker follows within a second, and nothing else notices."""

from __future__ import annotations

import asyncio
import time

import httpx
import psutil
import pytest

from tests.e2e.live import HERE, SHOP, Live

pytestmark = pytest.mark.timeout(120)
ROUTE = f"{SHOP}/x/nearby_stores/stores?{HERE}&limit=3"
Seen = tuple[float, float, int, str]  # when it was asked, when it was answered, status, code


async def _look(client: httpx.AsyncClient, path: str) -> Seen:
    asked = time.monotonic()
    answer = await client.get(path)
    code = "" if answer.is_success else answer.json()["code"]
    return (asked, time.monotonic(), answer.status_code, code)


def _reached(live: Live) -> list[int]:
    """How many connections each web worker has."""
    assert live.web is not None
    return [
        sum(c.status == psutil.CONN_ESTABLISHED and c.laddr.port == live.port for c in worker.net_connections("tcp"))
        for worker in psutil.Process(live.web.pid).children()
    ]


async def _clients_of_every_worker(live: Live) -> list[httpx.AsyncClient]:
    """Open connections until each worker has one: the kernel spreads them as it likes."""
    clients: list[httpx.AsyncClient] = []
    while len(clients) < 50:
        clients.append(live.client(limits=httpx.Limits(max_connections=1)))
        await clients[-1].get("/healthz")
        workers = _reached(live)
        if len(clients) >= 4 and len(workers) == 2 and all(workers):
            return clients
    raise AssertionError(f"a worker gets no connection: {_reached(live)}")


async def test_a_plugin_goes_and_comes_back_in_every_worker_while_clients_loop(live: Live) -> None:
    nearby: list[Seen] = []
    products: list[Seen] = []
    over = asyncio.Event()

    async def loop(client: httpx.AsyncClient) -> None:
        while not over.is_set():
            nearby.append(await _look(client, ROUTE))
            products.append(await _look(client, f"{SHOP}/products?limit=20"))
            await asyncio.sleep(0.08)

    clients = await _clients_of_every_worker(live)
    loops = [asyncio.create_task(loop(client)) for client in clients]
    try:
        await asyncio.sleep(0.3)
        await live.command("plugins", "disable", "nearby_stores")
        off = time.monotonic()
        await asyncio.sleep(1.2)
        enabling = time.monotonic()
        await live.command("plugins", "enable", "nearby_stores")
        on = time.monotonic()
        await asyncio.sleep(1.2)
    finally:
        over.set()
        await asyncio.gather(*loops)
        for client in clients:
            await client.aclose()

    assert {(status, code) for _, _, status, code in products} == {(200, "")}
    assert {(status, code) for _, _, status, code in nearby} == {(200, ""), (404, "plugin.disabled")}

    gone = [one for one in nearby if one[2] == 404]
    first_gone = min(answered for _, answered, _, _ in gone)
    last_gone = max(asked for asked, _, _, _ in gone)
    present = [(asked, answered) for asked, answered, status, _ in nearby if status == 200]
    before = [asked for asked, _ in present if asked < enabling]
    back = [answered for _, answered in present if answered > enabling]
    assert max(before) - first_gone <= 1.0  # the last worker followed the first one within a second
    assert max(before) <= off + 1.0
    assert last_gone - min(back) <= 1.0
    assert last_gone <= on + 1.0
