"""``mall demo``: a whole mall from nothing, in one terminal, gone again with Ctrl-C.

It starts the servers, migrates, loads demo data, makes a staff login for this run, starts web workers and a job
worker, and says where everything is. Whatever it started it stops, in the reverse order; data stays in ``MALL_HOME``.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import json
import logging
import os
import secrets
import signal
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from msgspec import structs
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from core import cli_run, home, startup
from core.demo import parts, purchase, tour
from core.demo.bars import Bars
from core.kernel import memory
from core.kernel.errors import Conflict, MallError, Unavailable
from core.staff.service import create_owner

if TYPE_CHECKING:
    from core.demo.parts import Part, Running
    from core.kernel.mall import Mall
    from core.settings import Settings

LOGIN = "owner"
READY_S = 60.0
OUTBOX = "outbox.jsonl"  # of core.members.console: what would be sent to phones


class DemoInProduction(Conflict):
    code = "demo.in_production"
    zh = "演示不能在生产环境(MALL_ENV=production)运行。"
    en = "A demo does not run with MALL_ENV=production; use `mall migrate`, `mall serve` and `mall worker`."


class DemoNotReady(Unavailable):
    code = "demo.not_ready"
    zh = "商城在 {seconds} 秒内未能就绪:{reason}"
    en = "The mall was not ready within {seconds} s: {reason}"


def run(
    settings: Settings, *, workers: int = 2, reset: bool = False, chosen: Sequence[Part] | None = None,
    console: Console | None = None,
) -> int:  # fmt: skip
    """Run the demo until a signal (exit status 0) or until one of its parts dies (1).

    ``chosen`` replaces the web server and the job worker. Raises ``PortBusy``, ``HomeInUse``, ``NotAMallHome`` and
    ``LocalServerFailed`` before anything of it runs.
    """
    if settings.mall_env == "production":
        raise DemoInProduction
    if reset:
        home.reset(settings.home)
    home.make(settings.home)
    (settings.home / "logs").mkdir(exist_ok=True)
    cli_run.quiet_logs(logging.WARNING)
    with home.only_demo(settings.home):
        cli_run.assert_port_free(settings.mall_host, settings.mall_port)
        (settings.home / OUTBOX).unlink(missing_ok=True)  # messages of the last run
        demo = _Demo(settings, console or Console(highlight=False), list(chosen or parts.usual_parts(workers)))
        return asyncio.run(demo.run())


class _Demo:
    def __init__(self, settings: Settings, console: Console, chosen: list[Part]) -> None:
        self.settings = home.with_secret(settings)
        self.console = console
        self.chosen = chosen
        self.running: list[Running] = []
        self.started: list[str] = []
        self.began = time.monotonic()

    async def run(self) -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stop.set)
        work = asyncio.create_task(self._work())
        asked = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({work, asked}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                self.console.print("\nStopping …")
                work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            if work.cancelled():
                return 0
            error = work.exception()
            if error is None:
                return 0
            if not isinstance(error, MallError):
                raise error
            self.console.print(Text.assemble(("✗ ", "bold red"), error.sentence("en"), (f" [{error.code}]", "dim")))
            return 1
        finally:
            asked.cancel()
            await self._stop()

    async def _work(self) -> None:
        await self._start_servers()
        async with startup.open_mall(self.settings) as mall:
            await self._migrate(mall)
            password = await self._login(mall)
            memory.started()
            await self._start_parts(self.chosen[:1])
            await self._beside(self._load(mall))
        await self._beside(self._until_ready())
        await self._start_parts(self.chosen[1:])  # not before: the web server has the processors to itself until then
        self._welcome(password)
        async with _following(self.settings.home / OUTBOX, self._show_message):
            await parts.until_one_stops(self.running)

    async def _start_servers(self) -> None:
        began, where = time.monotonic(), self.settings.home
        for name, field, start in (
            ("PostgreSQL", "database_url", home.start_database), ("Redis", "redis_url", home.start_redis),
        ):  # fmt: skip
            if getattr(self.settings, field):
                continue
            self.started.append(field.removesuffix("_url"))
            with self.console.status(f"Starting {name} …"):
                starting = asyncio.create_task(asyncio.to_thread(start, where))
                try:
                    url = await asyncio.shield(starting)
                except asyncio.CancelledError:
                    await asyncio.wait([starting])  # a thread cannot be cancelled; what it starts must be stopped
                    raise
            self.settings = structs.replace(self.settings, **{field: url})
        found = "PostgreSQL and Redis" if len(self.started) == 2 else "Servers"  # noqa: PLR2004 - both
        self._tick(found, f"in {_short(where)}" if self.started else "as DATABASE_URL and REDIS_URL say", began)

    async def _migrate(self, mall: Mall) -> None:
        began = time.monotonic()
        with self.console.status("Migrating …"):
            done = await startup.bring_up_to_date(mall)
        self._tick("Database", f"{len(done)} migrations run" if done else "up to date", began)

    async def _login(self, mall: Mall) -> str:
        """Make the staff login of this run; the one of the last run ends here."""
        (self.settings.home / OUTBOX).unlink(missing_ok=True)
        password = secrets.token_urlsafe(12)
        await create_owner(mall, LOGIN, password)
        _keep(self.settings.home / tour.LOGIN_FILE, json.dumps({"login": LOGIN, "password": password}))
        return password

    async def _start_parts(self, chosen: Sequence[Part]) -> None:
        environment, logs = home.environment(self.settings), self.settings.home / "logs"
        for part in chosen:
            self.running.append(await parts.start(part, environment=environment, logs=logs))

    async def _load(self, mall: Mall) -> None:
        """Load the demo data of the core, then of each plugin that brings some; what is there already stays."""
        began = time.monotonic()
        with Bars(self.console) as bars:
            if importlib.util.find_spec("core.demo.data") is not None:
                await importlib.import_module("core.demo.data").load(mall, bars)
            loaders = mall.plugins.demo_loaders()
            for number, (plugin_id, load) in enumerate(loaders):
                bars(plugin_id, number, len(loaders))
                await load(mall)
        self._tick("Demo data", "loaded", began)

    async def _until_ready(self) -> None:
        began, reason = time.monotonic(), "no answer"
        async with httpx.AsyncClient(base_url=reachable(self.settings), timeout=3) as client:
            with self.console.status("Starting the mall …"):
                while time.monotonic() - began < READY_S:
                    try:
                        answer = await client.get("/readyz")
                    except httpx.HTTPError as exc:
                        reason = str(exc)
                    else:
                        if answer.is_success:
                            self._tick("Mall", ", ".join(one.name for one in self.chosen), began)
                            return
                        reason = answer.text[:300]
                    await asyncio.sleep(0.05)
        raise DemoNotReady(seconds=int(READY_S), reason=reason)

    async def _beside(self, step: Coroutine[Any, Any, None]) -> None:
        """Do a step while watching the parts: one that dies ends the step. Raises ``PartStopped``."""
        doing = asyncio.create_task(step)
        watching = asyncio.create_task(parts.until_one_stops(self.running))
        try:
            await asyncio.wait({doing, watching}, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                watching.result()
            doing.result()
        finally:
            for task in (doing, watching):
                task.cancel()
            await asyncio.gather(doing, watching, return_exceptions=True)

    async def _stop(self) -> None:
        (self.settings.home / tour.LOGIN_FILE).unlink(missing_ok=True)
        await parts.stop(self.running)
        await asyncio.to_thread(home.release, self.settings.home, self.started)

    # What is shown ------------------------------------------------------------------------------------------------

    def _tick(self, what: str, how: str, began: float) -> None:
        took = f"{time.monotonic() - began:.1f} s"
        self.console.print(Text.assemble(("  ✓ ", "green"), f"{what:<22}", f"{how:<44}", (f"{took:>7}", "dim")))

    def _welcome(self, password: str) -> None:
        base = reachable(self.settings)
        table = Table.grid(padding=(0, 2))
        for face in ("Storefront", "Admin"):
            table.add_row(f"{face} API", f"{base}/{face.lower()}/v1")
            table.add_row("  its pages", f"{base}/{face.lower()}/docs")
        table.add_row("Staff login", f"[bold]{LOGIN}[/]  password [bold]{password}[/]  [dim](of this run)[/]")
        table.add_row("Logs", str(_short(self.settings.home / "logs")))
        took = f"{time.monotonic() - self.began:.1f} s"
        self.console.print()
        self.console.print(Panel(table, title="Minimall is running", subtitle=f"started in {took}", expand=False))
        self.console.print("\nOne purchase, in another terminal (or [bold]mall demo --tour[/]):\n")
        script = purchase.script(base, self.settings.home, login=LOGIN, password=password)
        self.console.print(script, markup=False, soft_wrap=True, style="cyan")
        self.console.print("\nMessages to phones are shown here. [bold]Ctrl-C[/] stops everything; the data stays.\n")

    def _show_message(self, line: str) -> None:
        with contextlib.suppress(ValueError, KeyError):
            message = json.loads(line)
            values = ", ".join(f"{name} {value}" for name, value in message["values"].items())
            sent = Text.assemble(("  ✉ ", "cyan"), f"{message['to']}  {message['template']}: ", (values, "bold"))
            self.console.print(sent)


def reachable(settings: Settings) -> str:
    """Return the address for a client on this machine: a server that listens everywhere is asked on the loopback."""
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - compared, not bound
    return f"http://{anywhere.get(settings.mall_host, settings.mall_host)}:{settings.mall_port}"


@contextlib.asynccontextmanager
async def _following(path: Path, show: Callable[[str], None]) -> AsyncGenerator[None, None]:
    """Show each line that is appended to a file meanwhile."""

    async def follow() -> None:
        at = 0
        while True:
            at = _show_from(path, at, show)
            await asyncio.sleep(0.25)

    task = asyncio.create_task(follow())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _show_from(path: Path, at: int, show: Callable[[str], None]) -> int:
    """Show the whole lines of a file after position ``at``; return where they end."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        file.seek(at)
        for line in file:
            if not line.endswith(b"\n"):
                break
            show(line.decode(errors="replace"))
            at += len(line)
    return at


def _keep(path: Path, text: str) -> None:
    """Write a file that only its owner can read: the tour signs in with it."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
