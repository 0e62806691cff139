"""``make bench``: start a mall of its own, measure it against its yardsticks, print the table and write RESULTS.md."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psutil
import uvloop

from bench import pgbench
from bench.client import Result, load, request
from core import cli_run, db, home, startup
from core.imports.service import run as import_file
from core.imports.types import Options
from core.inventory import service as inventory
from core.kernel.ids import new_token, token_hash
from core.kernel.mall import Mall
from core.kernel.origin import Actor, Origin
from core.members import service as members
from core.orders import service as orders
from core.orders.types import DraftLine, OrderDraft
from core.settings import Settings, load_settings

CLIENTS = 16
WORKERS = 2
SECONDS = float(os.environ.get("BENCH_SECONDS", "6"))
MEMBERS = 200
ROOT = Path(__file__).parents[1]
ACTOR = Actor(kind="system", name="bench")


def main() -> None:
    """Run all and leave nothing behind."""
    with tempfile.TemporaryDirectory(prefix="mall-bench-") as folder:
        settings = load_settings(
            {}, mall_home=folder, mall_port=_free_port(), mall_env="development", mall_log_level="WARNING"
        )
        with home.servers(settings) as ready:
            cli_run.migrate(ready)
            table = uvloop.run(_measure(ready, Path(folder)))
    _write(table)


async def _measure(settings: Settings, folder: Path) -> list[tuple[str, str, str, str]]:
    async with startup.open_mall(settings) as mall:
        shop = await _seed(mall)
        table = [await _start_time(settings, folder)]
        async with _server(settings, folder, cli_run.APP, settings.mall_port) as mall_process:
            paths = {
                "list": "/storefront/v1/products?limit=20",
                "detail": f"/storefront/v1/products/{shop['product_id']}",
            }
            async with httpx.AsyncClient(base_url=_base(settings.mall_port), trust_env=False) as client:
                for name, path in paths.items():
                    answer = await client.get(path)
                    answer.raise_for_status()
                    (folder / name).write_bytes(answer.content)
            bare_port = _free_port()
            async with _server(settings, folder, "bench.bare:create_app", bare_port):
                for name, path in paths.items():
                    table.append(await _against_bare(name, settings.mall_port, path, bare_port))
            table += await _orders(mall, settings, folder, shop)
            table.append(_memory(mall_process))
        return table


async def _seed(mall: Mall) -> dict[str, Any]:
    """Make 100 SKUs with endless stock in one store, and members with sessions."""
    lines = ["handle,title,category,option1_name,option1_value,price"]
    lines += [f"product-{n},Product {n},Goods,Size,{size},10" for n in range(25) for size in ("S", "M", "L", "XL")]
    await import_file(mall, "products", "\n".join(lines).encode(), Options(), actor=ACTOR)
    await import_file(
        mall, "stores", b"code,name,lng,lat,hours\nB1,Bench,121.47,31.23,00:00-24:00\n", Options(), actor=ACTOR
    )
    store_id = await db.value("SELECT id FROM store")
    location_id = await inventory.location_of_store(mall, store_id)
    skus = [r["id"] for r in await db.rows("SELECT id FROM sku ORDER BY id")]
    async with db.transaction():
        await inventory.set_on_hand(mall, [(sku, location_id, 1_000_000) for sku in skus], reason="bench", actor=ACTOR)
    tokens = [new_token() for _ in range(MEMBERS)]
    now = mall.clock.now()
    await db.execute(
        "WITH m AS (INSERT INTO member (number, source_channel, created_at) "
        "SELECT 'B' || n, 'bench', $1 FROM generate_series(1, $2::int) n RETURNING id) "
        "INSERT INTO member_session (member_id, token_hash, channel, created_at, expires_at) "
        "SELECT m.id, t.hash, 'bench', $1, $3 FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM m) m "
        "JOIN unnest($4::bytea[]) WITH ORDINALITY AS t(hash, n) ON t.n = m.n",
        now, MEMBERS, now + timedelta(days=1), [token_hash(t) for t in tokens],
    )  # fmt: skip
    await db.execute("ANALYZE")
    return {
        "store_id": store_id,
        "skus": skus,
        "tokens": tokens,
        "product_id": await db.value("SELECT min(id) FROM product"),
    }


async def _start_time(settings: Settings, folder: Path) -> tuple[str, str, str, str]:
    """Measure from the start of the web server to an answer of /readyz, with the servers up."""
    took: list[float] = []
    for _ in range(3):
        began = time.perf_counter()
        async with _server(settings, folder, cli_run.APP, settings.mall_port, began=began, took=took):
            pass
    return ("start to /readyz, servers up", f"{sorted(took)[1]:.2f} s (median of 3)", "–", "under 2 s")


async def _against_bare(name: str, port: int, path: str, bare_port: int) -> tuple[str, str, str, str]:
    """Take turns, mall and yardstick, and compare the medians."""
    ours: list[float] = []
    theirs: list[float] = []
    latencies: list[float] = []
    for _ in range(5):
        for rates, at, url in ((ours, port, path), (theirs, bare_port, f"/{name}")):
            found = await load(
                "127.0.0.1", at, lambda _n, url=url: request("GET", url), clients=CLIENTS, seconds=SECONDS / 4
            )
            _refuse_errors(found)
            rates.append(found.per_second)
            if rates is ours:
                latencies.append(found.percentile(0.99))
    mine, yard = sorted(ours)[2], sorted(theirs)[2]
    return (
        f"product {name} from cache", f"{mine:,.0f}/s, p99 {sorted(latencies)[2] * 1000:.1f} ms",
        f"bare Litestar handler, same bytes: {yard:,.0f}/s", f"{mine / yard:.0%} (at least 60 %)",
    )  # fmt: skip


async def _orders(
    mall: Mall, settings: Settings, folder: Path, shop: dict[str, Any]
) -> list[tuple[str, str, str, str]]:
    skus, tokens = shop["skus"], shop["tokens"]

    def make(number: int) -> bytes:
        wish = {
            "lines": [{"sku_id": skus[number * 7 % len(skus)], "qty": 1}], "store_id": shop["store_id"],
            "expected_total_fen": 1000,
        }  # fmt: skip
        headers = {
            "Authorization": f"Bearer {tokens[number % len(tokens)]}",
            "Idempotency-Key": f"bench-{secrets.token_hex(8)}",
        }
        return request("POST", "/storefront/v1/orders", headers=headers, body=json.dumps(wish).encode())

    created = frozenset({201})
    await load("127.0.0.1", settings.mall_port, make, clients=CLIENTS, seconds=2, expected=created)
    ours: list[float] = []
    yards: list[float] = []
    latencies: list[float] = []
    for _ in range(3):
        yards.append(
            await pgbench.orders_per_second(settings.database_url, folder, clients=CLIENTS, seconds=int(SECONDS))
        )
        found = await load("127.0.0.1", settings.mall_port, make, clients=CLIENTS, seconds=SECONDS, expected=created)
        _refuse_errors(found)
        ours.append(found.per_second)
        latencies.append(found.percentile(0.99))
    mine, yard = sorted(ours)[1], sorted(yards)[1]
    trips = await _round_trips(mall, shop)
    return [
        (
            "placing an order (POST to answer, one line)", f"{mine:,.0f}/s, p99 {sorted(latencies)[1] * 1000:.0f} ms",
            f"pgbench, minimal SQL for the same writes: {yard:,.0f}/s", f"{mine / yard:.0%} (at least 10 %)",
        ),
        ("SQL round trips of it, with the session", f"{trips}", "–", "at most 12"),
    ]  # fmt: skip


async def _round_trips(mall: Mall, shop: dict[str, Any]) -> int:
    """Count every statement, BEGIN and COMMIT included, of one order from token to answer, in this process."""
    seen: list[str] = []
    token = db.round_trips.set(seen)
    member = await members.session(mall, shop["tokens"][0])
    draft = OrderDraft(
        member_id=member.member_id, lines=(DraftLine(sku_id=shop["skus"][0], qty=1),), store_id=shop["store_id"],
        origin=Origin(channel="bench", store_id=shop["store_id"]), fulfilment_method="pickup",
    )  # fmt: skip
    await orders.place_order(mall, draft, expected_total_fen=1000, request_key="bench-round-trips")
    db.round_trips.reset(token)
    return len(seen)


def _memory(process: psutil.Process) -> tuple[str, str, str, str]:
    """Take the resident memory of the web workers after the load: what is theirs alone, and with shared pages."""
    workers = process.children(recursive=True) or [process]
    rss = max(w.memory_info().rss for w in workers) / 2**20
    pss = max(w.memory_full_info().pss for w in workers) / 2**20
    return (
        "memory of a web worker after the bench",
        f"{rss:.0f} MB resident ({pss:.0f} MB proportional)",
        "–",
        "under 160 MB",
    )


@contextlib.asynccontextmanager
async def _server(
    settings: Settings, folder: Path, app: str, port: int, *, began: float = 0.0, took: list[float] | None = None
) -> AsyncGenerator[psutil.Process, None]:
    """Serve ``app`` with the settings of ``mall serve`` until the block ends."""
    chosen = msgspec.structs.replace(settings, mall_port=port)
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}  # as on a server: compiled once
    environment = {**inherited, **home.environment(chosen), "BENCH_BYTES": str(folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "core.cli", "serve", "--workers", str(WORKERS)]
    if app != cli_run.APP:
        serve = f"cli_run.serve(load_settings(), workers={WORKERS}, app={app!r})"
        code = f"from core import cli_run; from core.settings import load_settings; {serve}"
        command = [sys.executable, "-c", code]
    with (folder / "server.log").open("w") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, cwd=ROOT)  # noqa: ASYNC220, S603 - our own code; a start is measured
    try:
        path = "/readyz" if app.startswith("app:") else "/list"
        async with httpx.AsyncClient(base_url=_base(port), trust_env=False) as client:
            for _ in range(1000):
                # Asked gently: the one who waits must not take the processor from the one who starts.
                if await _listens(port):
                    with contextlib.suppress(httpx.HTTPError):
                        if (await client.get(path)).is_success:
                            break
                if process.poll() is not None:
                    raise RuntimeError((folder / "server.log").read_text()[-3000:])
                await asyncio.sleep(0.02)
        if took is not None:
            took.append(time.perf_counter() - began)
        yield psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        if process.poll() is None:
            process.kill()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def _refuse_errors(found: Result) -> None:
    if found.wrong:
        raise RuntimeError(f"the server answered {found.wrong}")


def _base(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _facts() -> Iterator[str]:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    memory = psutil.virtual_memory().total / 2**30
    yield f"{psutil.cpu_count()} cores ({model}), {memory:.0f} GiB, Python {platform.python_version()}"
    yield f"{WORKERS} web workers (granian, uvloop), {CLIENTS} clients on the same machine, {SECONDS:.0f} s a run"
    yield "PostgreSQL 18 embedded, fsync and synchronous_commit on; Redis 6.2 embedded, unix socket"


def _write(table: list[tuple[str, str, str, str]]) -> None:
    header = ("what", "measured", "yardstick, same run", "ratio (bound)")
    rows = [f"| {' | '.join(row)} |" for row in (header, ("---",) * 4, *table)]
    text = "\n".join(["# Bench", "", *(f"- {fact}" for fact in _facts()), "", *rows, ""])
    intro = (
        "\nMade by `make bench`. The machine is shared and noisy: read the ratios, not the figures. Client, server "
        "and\ndatabase share the cores, in the yardsticks too. How each is taken stands in `bench/`.\n"
    )
    (ROOT / "bench" / "RESULTS.md").write_text(text + intro)
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
