"""The test kit as a pytest plugin (entry point ``minimall``): fixtures for the mall's own suite and for plugin authors.

Every test gets an event loop, a connection pool, an emptied database and an emptied Redis of its own; the servers,
the template database and this process's clone of it are made once a run, when the first test asks for them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import pytest
import pytest_asyncio

from core import db
from core.plugin_host import discovery
from core.testing import databases, harness, servers
from core.testing.clock import FrozenClock

if TYPE_CHECKING:
    from core.kernel.mall import Mall

T = TypeVar("T")
MakeMall = Callable[..., Awaitable["Mall"]]
MakeClient = Callable[["harness.Issue | None"], httpx.AsyncClient]


@dataclass(frozen=True, slots=True)
class Servers:
    """Where this run's servers are: ``admin_url`` may create databases, ``database_url`` is this process's clone."""

    admin_url: str
    template: str
    database_url: str
    redis_url: str


def plugin_modules() -> list[str]:
    """Name the packages of the installed plugins, and of the test plugin that uses every hook."""
    found = {module.partition(":")[0].rpartition(".")[0] for module in discovery.entry_points().values()}
    return [*sorted(found), "core.testing.plugin_all_hooks"]


def _apart(work: Awaitable[T]) -> T:
    """Run a coroutine in a thread with a loop of its own: pytest-asyncio's loop of the first test is not disturbed."""

    async def run() -> T:
        return await work

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(run())).result()


@pytest.fixture(scope="session")
def mall_servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    """PostgreSQL with a migrated database of this process, and Redis. Nothing runs before a test needs it."""
    home = request.config.rootpath / ".mall" / "test"
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    with servers.postgres(home) as admin_url, servers.redis(home, worker) as redis_url:
        template = _apart(databases.ensure_template(admin_url, plugin_modules()))
        database_url = _apart(databases.clone(admin_url, template))
        yield Servers(admin_url, template, database_url, redis_url)
        _apart(databases.drop(admin_url, database_url))


@pytest_asyncio.fixture
async def database(mall_servers: Servers) -> AsyncIterator[str]:
    """An empty, migrated database with an open pool; yields its URL. For tests that need no mall."""
    db.configure(mall_servers.database_url)
    await db.start_pool(max_size=20)
    await databases.wipe()
    yield mall_servers.database_url
    await _stop_pool()


@pytest_asyncio.fixture
async def own_database(mall_servers: Servers) -> AsyncIterator[str]:
    """A database for one test alone, for tests that change its structure (migrations, purges)."""
    url = await databases.clone(mall_servers.admin_url, mall_servers.template, "_own")
    db.configure(url)
    await db.start_pool(max_size=5)
    yield url
    await _stop_pool()
    await databases.drop(mall_servers.admin_url, url)


async def _stop_pool() -> None:
    """Close the pool; a connection that a failing test still holds is cut instead of waited for."""
    engine: Any = db.DB  # Piccolo's stubs do not say that the pool may be gone
    try:
        async with asyncio.timeout(5):
            await db.stop_pool()
    except TimeoutError:
        engine.pool.terminate()
        engine.pool = None


@pytest.fixture
def clock() -> FrozenClock:
    """The clock of the test's mall; 2026-11-21 10:00 in Shanghai until it is moved."""
    return FrozenClock()


@pytest.fixture
def booted_malls() -> list[Mall]:
    """The malls of this test, in the order of their boot; clients talk to the last one."""
    return []


@pytest_asyncio.fixture
async def make_mall(
    database: str, mall_servers: Servers, clock: FrozenClock, booted_malls: list[Mall]
) -> AsyncIterator[MakeMall]:
    """Boot malls: ask with ``plugins=("coupons",)``, ``extra={"broken": Broken()}``, and await the answer.

    ``plugins`` are found by entry point and enabled; ``extra`` are plugin objects by id (with or without ``PLUGIN``);
    ``environ`` holds their deployment values (``MALL_<ID>__<FIELD>``); other keywords are settings of the mall.
    """

    async def make(
        plugins: Sequence[str] = (),
        extra: Mapping[str, object] | None = None,
        environ: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> Mall:
        wanted = harness.Wanted(plugins=tuple(plugins), extra=extra or {}, environ=environ or {}, settings=settings)
        mall = await harness.boot_mall(database, mall_servers.redis_url, clock=clock, wanted=wanted)
        booted_malls.append(mall)
        return mall

    yield make
    for mall in booted_malls:
        await harness.shut(mall)


@pytest_asyncio.fixture
async def mall(make_mall: MakeMall) -> Mall:
    """A mall without plugins."""
    return await make_mall()


@pytest_asyncio.fixture
async def make_client(make_mall: MakeMall, booted_malls: list[Mall]) -> AsyncIterator[MakeClient]:
    """Return a function that makes a client of the last booted mall (of a bare one if none was), through real ASGI."""
    clients: list[httpx.AsyncClient] = []

    async def the_mall() -> Mall:
        return booted_malls[-1] if booted_malls else await make_mall()

    def make(issue: harness.Issue | None = None) -> httpx.AsyncClient:
        made = httpx.AsyncClient(
            transport=harness.MallTransport(the_mall),
            base_url=harness.BASE_URL,
            auth=harness.SessionAuth(the_mall, issue) if issue else None,
        )
        clients.append(made)
        return made

    yield make
    for made in clients:
        await made.aclose()


@pytest.fixture
def client(make_client: MakeClient) -> httpx.AsyncClient:
    """A client without a token."""
    return make_client(None)


@pytest.fixture
def storefront(make_client: MakeClient) -> Callable[[object], httpx.AsyncClient]:
    """Return a function that makes a shopper's client: ``storefront(member)``, with a view, a session or an id."""
    return lambda member: make_client(lambda mall: harness.member_token(mall, member))


@pytest.fixture
def admin(make_client: MakeClient) -> Callable[[object], httpx.AsyncClient]:
    """Return a function that makes a staff client: ``admin(staff)``, with a view, a session or an id."""
    return lambda staff: make_client(lambda mall: harness.staff_token(mall, staff))


@pytest.fixture
def deliver_events() -> Callable[[Mall], Awaitable[int]]:
    """Deliver the due events of a mall until none is left; await it."""
    return harness.deliver_events


@pytest.fixture
def run_job() -> Callable[..., Awaitable[None]]:
    """Run one job of a mall as the worker would: by name, with a payload; await it."""
    return harness.run_job
