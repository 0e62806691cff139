"""A real worker process: events reach it at once, SIGTERM ends it in order."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from core import db
from core.testing.pytest_plugin import Servers

ROOT = Path(__file__).parents[3]
_START = "from core.settings import load_settings; from core.worker import run; run(load_settings())"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_process_in_order(database: str, mall_servers: Servers, number: signal.Signals) -> None:
    environ = {
        **os.environ, "DATABASE_URL": database, "REDIS_URL": mall_servers.redis_url, "MALL_PLUGINS": "",
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _START,
        cwd=ROOT,
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    seen = b""
    async with asyncio.timeout(30):
        while b"worker started" not in seen:
            line = await process.stdout.readline()
            assert line, seen.decode()
            seen += line

    process.send_signal(number)
    began = time.monotonic()
    rest, _ = await asyncio.wait_for(process.communicate(), 15)

    assert process.returncode == 0, (seen + rest).decode()
    assert b"worker stopped" in rest
    assert time.monotonic() - began < 10


async def test_a_database_without_a_queue_is_refused(own_database: str, mall_servers: Servers) -> None:
    await db.execute("DROP TABLE pgqueuer CASCADE")
    environ = {**os.environ, "DATABASE_URL": own_database, "REDIS_URL": "", "MALL_PLUGINS": "", "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _START,
        cwd=ROOT,
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert b"mall migrate" in out
