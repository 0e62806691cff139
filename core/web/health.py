"""Is the process alive, and can it serve: ``/healthz`` and ``/readyz``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import structlog
from litestar import Response, get

from core.cache.client import GONE
from core.db import history
from core.kernel.mall import Mall

if TYPE_CHECKING:
    from core.plugin_host.states import PluginStates

TIMEOUT_S = 2.0
log = structlog.get_logger("mall.web")


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """What this process can reach. ``degraded``: everything works, more slowly (Redis is away, a plugin is faulty)."""

    status: Literal["ready", "degraded", "not_ready"]
    database: str
    redis: str
    migrations: str
    plugins: dict[str, str] = {}
    reasons: list[str] = []


@get("/healthz", include_in_schema=False, sync_to_thread=False)
def healthz() -> dict[str, str]:
    """The process answers. Asks nothing else: an orchestrator must not restart it because the database is away."""
    return {"status": "ok"}


@get("/readyz", include_in_schema=False)
async def readyz(mall: Mall) -> Response[Readiness]:
    """200 when this process can serve; 503 with the reasons while the database or a migration is missing."""
    found = await readiness(mall)
    return Response(
        found, status_code=503 if found.status == "not_ready" else 200, headers={"Cache-Control": "no-store"}
    )


async def readiness(mall: Mall) -> Readiness:
    """Ask everything that serving a call may need."""
    reasons: list[str] = []
    database, migrations = await _database(mall)
    redis = await _redis(mall)
    states: PluginStates = mall.plugins
    plugins = {info.id: info.state for info in states.info()}
    reasons += [f"database: {database}"] if database != "ok" else []
    reasons += [f"migrations: {migrations}"] if migrations != "ok" else []
    not_ready = bool(reasons)
    reasons += [f"redis: {redis}"] if redis != "ok" else []
    reasons += [f"plugin {i.id}: {i.state} ({i.reason})" for i in states.info() if i.reason]
    return Readiness(
        status="not_ready" if not_ready else "degraded" if reasons else "ready",
        database=database, redis=redis, migrations=migrations, plugins=plugins, reasons=reasons,
    )  # fmt: skip


async def _database(mall: Mall) -> tuple[str, str]:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            pending = await _pending(mall)
    except Exception as exc:  # noqa: BLE001 - whatever keeps us from the database is the answer
        log.warning("database not ready", error=repr(exc))
        return "away", "unknown"
    return "ok", f"run `mall migrate`: {', '.join(pending)}" if pending else "ok"


async def _pending(mall: Mall) -> list[str]:
    """Name the migrations of the core that were not run, in two statements. A plugin's show as its state."""
    return await history.missing(history.core_ids())


async def _redis(mall: Mall) -> str:
    if mall.redis is None:
        return "away"
    try:
        async with asyncio.timeout(TIMEOUT_S):
            redis: Any = mall.redis
            await redis.ping()
    except GONE as exc:
        log.warning("redis not ready", error=repr(exc))
        return "away"
    return "ok"


handlers: list[Any] = [healthz, readyz]
