"""Join the core, the two faces and the plugins into one application."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import asyncpg
import structlog
from litestar.datastructures import State

import admin_api
import storefront_api
from core import cache, db, plugin_host
from core.kernel import logs
from core.settings import Settings, load_settings
from core.web import docs, health, mounts
from core.web.access import AccessLog
from core.web.context import RequestContext
from core.web.lean import LeanLitestar
from core.web.problems import on_exception
from core.web.validation import MallRequest

if TYPE_CHECKING:
    from litestar import Litestar

    from core.kernel.mall import Mall

log = structlog.get_logger("mall.web")


def create_app(
    settings: Settings | None = None, plugins: Iterable[str] | None = None, *, mall: Mall | None = None
) -> Litestar:
    """Make the application of one web process.

    It opens and closes the database pool and Redis with the process. With a ``mall`` that is already attached (tests)
    it opens nothing. All loaded plugins are mounted; a guard opens and closes them while the mall runs.
    """
    given = mall is not None
    if mall is None:
        settings = settings or load_settings()
        _configure_logs(settings)
        mall = plugin_host.boot(settings, plugin_ids=plugins, check_tables=False)
    return assemble(mall, storefront_api.handlers(), admin_api.handlers(), lifespan=[] if given else [_running])


_prepared: Litestar | None = None


def prepare(settings: Settings) -> Mall:
    """Make the application of this process's workers before they are forked; returns its mall."""
    global _prepared  # noqa: PLW0603 - handed down to the forked workers, where nobody calls this again
    _prepared = create_app(settings)
    mall: Mall = _prepared.state.mall
    return mall


def prepared_app() -> Litestar:
    """Return what ``prepare`` made, or a new application where nothing was prepared: the target of ``mall serve``."""
    return _prepared if _prepared is not None else create_app()


def assemble(mall: Mall, shoppers: Sequence[Any], staff: Sequence[Any], *, lifespan: Sequence[Any] = ()) -> Litestar:
    """Mount these handlers, the plugins of ``mall`` and the technical pages; tests give a few handlers of theirs."""
    if mall.cache is None:
        mall.cache = cache.ResponseCache()
    storefront = mounts.storefront_routers(mall.plugins, shoppers)
    admin = mounts.admin_routers(mall.plugins, staff)
    callbacks = mounts.callback_routers(mall.plugins)
    app = LeanLitestar(
        route_handlers=[*storefront, *admin, *callbacks, *health.handlers, *docs.handlers(mall, storefront, admin)],
        dependencies=mounts.DEPENDENCIES,
        signature_namespace=mounts.NAMESPACE,
        exception_handlers={Exception: on_exception},
        request_max_body_size=mounts.BODY_LIMIT,
        request_class=MallRequest,
        state=State({"mall": mall}),
        lifespan=lifespan,
        openapi_config=None,
        logging_config=None,
        debug=False,
    )
    settings = mall.settings
    _configure_logs(settings)
    app.asgi_handler = RequestContext(
        app.asgi_handler,
        trusted_proxies=settings.mall_trusted_proxies,
        default_lang=settings.mall_locale,
        access=None if settings.mall_env == "test" else AccessLog(as_json=settings.mall_env == "production"),
    )
    return app


@contextlib.asynccontextmanager
async def _running(app: Litestar) -> AsyncGenerator[None]:
    """Hold what a web process needs, from its start to its end. The database may come later: ``/readyz`` says so."""
    mall: Any = app.state.mall
    settings: Settings = mall.settings
    async with contextlib.AsyncExitStack() as stack:
        db.configure(settings.database_url)
        await db.start_pool(max_size=settings.mall_pool_size)
        stack.push_async_callback(db.stop_pool)
        if settings.redis_url and mall.redis is None:
            mall.redis = cache.connect(settings.redis_url)
            stack.push_async_callback(mall.redis.aclose)
        stack.push_async_callback(plugin_host.detach, mall)
        try:
            await plugin_host.attach(mall)
        except asyncpg.UndefinedTableError:
            waiting = asyncio.create_task(_attach_later(mall), name="attach-later")
            stack.callback(waiting.cancel)
        await mall.cache.start(mall)
        stack.push_async_callback(mall.cache.stop)
        log.info("web process ready")
        yield


async def _attach_later(mall: Any) -> None:
    """Wait for `mall migrate`, which no web process runs; until then ``/readyz`` names what is missing."""
    log.warning("the database has no tables yet: run `mall migrate`")
    while True:
        await asyncio.sleep(1.0)
        with contextlib.suppress(asyncpg.UndefinedTableError):
            await plugin_host.attach(mall)
            return


def _configure_logs(settings: Settings) -> None:
    """Set up the log unless somebody did: structlog's own default would print the values of local variables."""
    if not structlog.is_configured():
        logs.configure(settings.mall_log_level, as_json=settings.mall_env == "production")
