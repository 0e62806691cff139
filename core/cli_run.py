"""What ``mall serve``, ``mall worker`` and ``mall migrate`` do once the servers are there."""

from __future__ import annotations

import asyncio
import ctypes
import importlib
import inspect
import logging
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, TypeVar

from core import home, startup
from core.kernel import logs, memory
from core.kernel.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from core.kernel.mall import Mall
    from core.settings import Settings

T = TypeVar("T")

APP = "app:prepared_app"
STOP_S = 5  # how long a request may take to end when the mall stops
PARENT = "MALL_PARENT"  # the process id of the demo that started this process


class PortBusy(Conflict):
    code = "server.port_busy"
    zh = "{host}:{port} 已被其他程序占用;请用 MALL_PORT 指定其他端口。"
    en = "Port {port} on {host} is in use by another program; choose another with MALL_PORT."


def assert_port_free(host: str, port: int) -> None:
    """Raise ``PortBusy`` unless a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as exc:
            raise PortBusy(host=host, port=port, reason=str(exc)) from exc


def serve(settings: Settings, *, workers: int, app: str = APP) -> None:
    """Serve ``app`` with granian until a signal comes. Raises ``MigrationsPending``."""
    from granian.constants import Interfaces, Loops  # noqa: PLC0415
    from granian.server import Server  # noqa: PLC0415

    os.environ.update(home.environment(settings))
    if app == APP:
        # Made here and not by each worker: on Linux they are forked, start at once and share the memory.
        mall = importlib.import_module(app.partition(":")[0]).prepare(settings)
        asyncio.run(_check(settings, mall))
    server = Server(
        app,
        address=settings.mall_host,
        port=settings.mall_port,
        interface=Interfaces.ASGI,
        workers=workers,
        loop=Loops.uvloop,
        factory=True,
        websockets=False,
        log_enabled=False,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_S,
    )
    stop_with_parent()
    memory.started()
    server.serve()


async def _check(settings: Settings, mall: Mall) -> None:
    async with startup.database(settings):
        await startup.assert_up_to_date(mall)


def worker(settings: Settings) -> None:
    """Run the job worker until a signal comes."""
    stop_with_parent()
    os.environ.update(home.environment(settings))
    logs.configure(settings.mall_log_level, as_json=settings.mall_env == "production")
    call("core.worker.main", "run", settings)


def on_mall(settings: Settings, work: Callable[[Mall], Awaitable[T]], *, migrated: bool = True) -> T:
    """Return ``await work(mall)``. Raises ``MigrationsPending`` if it wants a ``migrated`` database and has none."""

    async def run() -> T:
        async with startup.open_mall(settings) as mall:
            memory.started()
            if migrated:
                await startup.assert_up_to_date(mall)
            return await work(mall)

    quiet_logs(logging.ERROR)
    return asyncio.run(run())


def migrate(settings: Settings) -> list[str]:
    """Bring the database to the newest state; returns what was run."""

    async def run() -> list[str]:
        async with startup.open_mall(settings) as mall:
            memory.started()
            return await startup.bring_up_to_date(mall)

    quiet_logs(logging.WARNING)
    return asyncio.run(run())


def call(module: str, function: str, *args: object) -> None:
    """Call a function, async or not, of a module that is imported only for it."""
    result = getattr(importlib.import_module(module), function)(*args)
    if inspect.isawaitable(result):

        async def run() -> None:
            await result

        asyncio.run(run())


def stop_with_parent() -> None:
    """Ask the kernel for a SIGTERM when the demo that started this process is gone, ``kill -9`` or not (Linux)."""
    parent = os.environ.get(PARENT)
    if parent is None or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    if os.getppid() != int(parent):  # it was gone before we asked
        os.kill(os.getpid(), signal.SIGTERM)


def quiet_logs(level: int) -> None:
    """Log only ``level`` and worse: what a command prints is its answer."""
    logs.configure(logging.getLevelName(level), as_json=False)
