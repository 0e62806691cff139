"""A mall in processes of its own, as people run it, and what its clients do: everything here goes through HTTP.

SQL only looks (and, where a test says so, turns the clock of one row back).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from core import home as mall_home
from core.cli_run import PARENT

ROOT = Path(__file__).parents[2]
SHOP, ADMIN = "/storefront/v1", "/admin/v1"
HERE = "lat=31.2304&lng=121.4737"
_address = itertools.count(1)
_phone = itertools.count(secrets.randbelow(9000) * 10000)


class Live:
    """The processes of one mall. ``mall serve`` and ``mall worker`` find the servers by ``MALL_HOME``."""

    def __init__(self, home: Path, plugins: Path) -> None:
        self.home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.base = f"http://127.0.0.1:{self.port}"
        self.login = {"login": "owner", "password": secrets.token_urlsafe(12)}
        left_out = ("MALL_", "DATABASE_", "REDIS_", "PYTHONPYCACHEPREFIX")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(left_out)} | {
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(plugins))), "PYTHONUNBUFFERED": "1", "COLUMNS": "160",
            "MALL_HOME": str(home), "MALL_PORT": str(self.port), PARENT: str(os.getpid()),
            "MALL_PLUGINS": "nearby_stores,pay_at_store,witness",
            "MALL_TRUSTED_PROXIES": "1",  # every shopper has an address of their own: sign-ins are limited by address
        }  # fmt: skip
        self.web: subprocess.Popen[bytes] | None = None
        self.worker: subprocess.Popen[bytes] | None = None
        self.staff_token = ""

    # Processes ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Servers, tables, demo data, web server with two workers, job worker; ready when it returns."""
        mall_home.make(self.home)
        self.database_url = mall_home.start_database(self.home)  # this process uses them: they stay between commands
        mall_home.start_redis(self.home)
        prepare = [sys.executable, str(Path(__file__).with_name("prepare.py")), self.login["password"]]
        subprocess.run(prepare, env=self.env, cwd=self.home, check=True, timeout=90)
        self.web = self._popen("serve", "--workers", "2")
        self.start_worker()
        self._wait_until_ready()

    def start_worker(self) -> None:
        self.worker = self._popen("worker")

    def kill_worker(self) -> None:
        """As the kernel does when memory is short."""
        assert self.worker is not None
        self.worker.kill()
        self.worker.wait(10)

    def stop(self) -> None:
        running = [p for p in (self.web, self.worker) if p is not None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()
        mall_home.release(self.home, ["database", "redis"])

    def _popen(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.home / f"{arguments[0]}.log").open("ab") as log:
            command = [sys.executable, "-m", "core.cli", *arguments]
            return subprocess.Popen(
                command, env=self.env, cwd=self.home, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _wait_until_ready(self) -> None:
        end = time.monotonic() + 30
        with httpx.Client(base_url=self.base, trust_env=False) as client:
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    if client.get("/readyz").is_success:
                        return
                said = (self.home / "serve.log").read_text()
                assert self.web is not None
                assert self.web.poll() is None, said
                assert time.monotonic() < end, said
                time.sleep(0.05)

    async def command(self, *arguments: str) -> str:
        """Run ``mall …``; return what it printed."""
        return await self.run(sys.executable, "-m", "core.cli", *arguments)

    async def run(self, *command: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *command, env={k: v for k, v in self.env.items() if k != PARENT}, cwd=self.home,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, said.decode()
        return said.decode()

    # Looking --------------------------------------------------------------------------------------------------

    async def rows(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        connection = await asyncpg.connect(self.database_url)
        try:
            return [dict(row) for row in await connection.fetch(sql, *args)]
        finally:
            await connection.close()

    async def value(self, sql: str, *args: Any) -> Any:
        found = await self.rows(sql, *args)
        return next(iter(found[0].values())) if found else None

    async def stock(self, sku_id: int) -> tuple[int, int]:
        """(on hand, reserved) of a SKU that lies in one place."""
        found = await self.rows("SELECT on_hand, reserved FROM stock WHERE sku_id = $1", sku_id)
        return (found[0]["on_hand"], found[0]["reserved"])

    async def deliveries(self, number: str) -> dict[str, str]:
        """The deliveries that the events of an order owe: ``{handler: state}``."""
        sql = """SELECT d.handler, d.state FROM event e JOIN event_delivery d ON d.event_id = e.id
                 WHERE e.payload ->> 'number' = $1"""
        return {row["handler"]: row["state"] for row in await self.rows(sql, number)}

    def witnessed(self, number: str) -> list[tuple[str, str]]:
        """What the plugin ``witness`` saw of an order: ``(event, begin or end)``."""
        path = self.home / "witness.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [(line["event"], line["moment"]) for line in lines if line["number"] == number]

    # Clients --------------------------------------------------------------------------------------------------

    def client(self, token: str = "", **more: Any) -> httpx.AsyncClient:
        number = next(_address)
        headers = {"X-Forwarded-For": f"10.1.{number // 250}.{number % 250 + 1}"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return httpx.AsyncClient(base_url=self.base, trust_env=False, timeout=20, headers=headers, **more)

    @contextlib.asynccontextmanager
    async def staff(self) -> AsyncIterator[httpx.AsyncClient]:
        """The owner."""
        if not self.staff_token:
            self.staff_token = await self.sign_in_staff(self.login)
        async with self.client(self.staff_token) as client:
            yield client

    async def sign_in_staff(self, login: dict[str, str]) -> str:
        async with self.client() as client:
            return str(ok(await client.post(f"{ADMIN}/auth/sessions", json=login), 201)["token"])

    async def sign_in(self) -> str:
        """Join as a new member with the code that would go to a phone; return the token."""
        phone = f"138{next(_phone) % 10**8:08d}"
        async with self.client() as client:
            ok(await client.post(f"{SHOP}/auth/codes", json={"phone": phone}), 202)
            lines = [json.loads(line) for line in (self.home / "outbox.jsonl").read_text().splitlines()]
            code = next(line["values"]["code"] for line in reversed(lines) if line["to"].endswith(phone))
            body = {"credentials": {"phone": phone, "code": code}}
            return str(ok(await client.post(f"{SHOP}/auth/sessions", json=body), 201)["token"])

    @contextlib.asynccontextmanager
    async def shopper(self) -> AsyncIterator[httpx.AsyncClient]:
        async with self.client(await self.sign_in()) as client:
            yield client

    async def nearest_store(self) -> int:
        async with self.client() as client:
            path = f"{SHOP}/x/nearby_stores/stores?{HERE}&open_now=true&service=pickup&limit=3"
            return int(ok(await client.get(path))["items"][0]["id"])

    async def goods(self, store_id: int, units: int, *, price_fen: int = 2500) -> int:
        """Put a new product on sale with ``units`` of it in one store; return its SKU."""
        name = f"e2e-{secrets.token_hex(4)}"
        draft = {
            "handle": name,
            "title": f"杯子 {name}",
            "state": "active",
            "skus": [{"code": name, "price_fen": price_fen}],
        }
        async with self.staff() as staff:
            sku_id = int(ok(await staff.post(f"{ADMIN}/products", json=draft), 201)["skus"][0]["id"])
            receipt = {"sku_id": sku_id, "store_id": store_id, "qty": units}
            ok(await staff.post(f"{ADMIN}/inventory/receipts", json=receipt, headers=a_key()), 201)
        return sku_id


def a_key() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_hex(8)}


def wish(sku_id: int, store_id: int, *, price_fen: int = 2500, qty: int = 1) -> dict[str, Any]:
    """The body of an order of one line."""
    return {"lines": [{"sku_id": sku_id, "qty": qty}], "store_id": store_id, "expected_total_fen": price_fen * qty}


def ok(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, (
        f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
    )
    return answer.json() if answer.content else None


async def until(what: Callable[[], Awaitable[Any]], *, within_s: float = 30.0, every_s: float = 0.05) -> Any:
    """Ask again until the answer is true, and return it."""
    end = time.monotonic() + within_s
    while True:
        found = await what()
        if found:
            return found
        assert time.monotonic() < end, f"not within {within_s} s"
        await asyncio.sleep(every_s)
