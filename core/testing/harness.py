"""What the fixtures of ``pytest_plugin`` do: boot a mall for a test, make clients of it, run its background work."""

from __future__ import annotations

import importlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from core import cache, db, plugin_host
from core.kernel.contracts import Job
from core.kernel.ids import new_token, token_hash
from core.settings import load_settings

if TYPE_CHECKING:
    from core.kernel.mall import Mall
    from core.testing.clock import FrozenClock

Issue = Callable[["Mall"], Awaitable[str]]
BASE_URL = "http://mall.test"
_SESSION = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a test asks of ``make_mall``."""

    plugins: tuple[str, ...]
    extra: Mapping[str, object]
    environ: Mapping[str, str]
    settings: Mapping[str, Any]


async def boot_mall(database_url: str, redis_url: str, *, clock: FrozenClock, wanted: Wanted) -> Mall:
    """Boot a mall on an open pool and an emptied Redis, with its plugins on. It follows no other process."""
    values: dict[str, Any] = {
        "database_url": database_url,
        "redis_url": redis_url,
        "mall_env": "test",
        "mall_secret": "a-secret-of-the-test-mall-0123456789",
        "mall_plugins": ",".join(wanted.plugins),
        **wanted.settings,
    }
    settings = load_settings({}, **values)
    redis: Any = cache.connect(redis_url)  # its types are partly unknown
    await redis.flushdb()
    mall = plugin_host.boot(
        settings,
        clock=clock,
        plugin_ids=wanted.plugins,
        extra=wanted.extra,
        redis=redis,
        environ=dict(wanted.environ),
    )
    await plugin_host.install(mall)
    return mall


async def shut(mall: Mall) -> None:
    """Close what the boot opened; the pool belongs to the test's database."""
    await plugin_host.detach(mall)
    if mall.redis is not None:
        await mall.redis.aclose()


def make_app(mall: Mall) -> Any:
    """Make the real app around a mall that is already booted."""
    return importlib.import_module("app").create_app(mall=mall)  # the one module above the kit


class MallTransport(httpx.AsyncBaseTransport):
    """Carry requests to the app of a mall, made when the first one comes."""

    def __init__(self, mall: Callable[[], Awaitable[Mall]]) -> None:
        self._mall = mall
        self._inner: httpx.ASGITransport | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._inner is None:
            self._inner = httpx.ASGITransport(make_app(await self._mall()), raise_app_exceptions=False)
        return await self._inner.handle_async_request(request)


class SessionAuth(httpx.Auth):
    """A bearer token that is issued when the first request needs it."""

    def __init__(self, mall: Callable[[], Awaitable[Mall]], issue: Issue) -> None:
        self._mall = mall
        self._issue = issue
        self._token: str | None = None

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        if self._token is None:
            self._token = await self._issue(await self._mall())
        request.headers["authorization"] = f"Bearer {self._token}"
        yield request


async def member_token(mall: Mall, member: object) -> str:
    """Store a session of a member (an id, or anything with ``member_id`` or ``id``) and return its token."""
    token = new_token()
    await db.execute(
        "INSERT INTO member_session (member_id, token_hash, channel, created_at, expires_at, client)"
        " VALUES ($1, $2, 'miniprogram', $3, $4, 'test')",
        _id_of(member, "member_id"), token_hash(token), mall.clock.now(), mall.clock.now() + _SESSION,
    )  # fmt: skip
    return token


async def staff_token(mall: Mall, staff: object) -> str:
    """Store a session of a staff member (an id, or anything with ``staff_id`` or ``id``) and return its token."""
    token = new_token()
    await db.execute(
        "INSERT INTO staff_session (staff_id, token_hash, created_at, expires_at, ip, client)"
        " VALUES ($1, $2, $3, $4, '', 'test')",
        _id_of(staff, "staff_id"), token_hash(token), mall.clock.now(), mall.clock.now() + _SESSION,
    )  # fmt: skip
    return token


def _id_of(person: object, name: str) -> int:
    if isinstance(person, int):
        return person
    found: object = getattr(person, name, None) or getattr(person, "id", None)
    if not isinstance(found, int):
        raise TypeError(f"{person!r} has neither {name} nor id")
    return found


async def deliver_events(mall: Mall) -> int:
    """Deliver every due event, also those that the handlers emit; return how many deliveries were made."""
    delivery: Any = importlib.import_module("core.events.delivery")
    total = 0
    while done := await delivery.deliver_due(mall):
        total += done
    return total


async def run_job(mall: Mall, name: str, payload: Mapping[str, object] | None = None) -> None:
    """Run one job as the worker would; the payload goes through JSON as it does in the queue."""
    job = mall.objects.get(Job, name)
    await job.run(mall, msgspec.json.decode(msgspec.json.encode(dict(payload or {}))))
