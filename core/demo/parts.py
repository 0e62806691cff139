"""The processes of a demo: started apart from the terminal, watched, and stopped together with all they started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.cli_run import PARENT, STOP_S
from core.kernel.errors import Unavailable
from core.kernel.local_server import last_lines


class PartStopped(Unavailable):
    code = "demo.part_stopped"
    zh = "{part}已停止(退出码 {status}):{reason}"
    en = "The {part} has stopped (exit status {status}): {reason}"


@dataclass(frozen=True, slots=True)
class Part:
    """One process: a name for people and the command that runs it."""

    name: str
    command: Sequence[str]


@dataclass(slots=True)
class Running:
    part: Part
    process: asyncio.subprocess.Process
    log: Path


def usual_parts(workers: int) -> list[Part]:
    """Return the web server and the job worker, as the production commands run them."""
    cli = [sys.executable, "-m", "core.cli"]
    return [Part("web server", [*cli, "serve", "--workers", str(workers)]), Part("job worker", [*cli, "worker"])]


async def start(part: Part, *, environment: Mapping[str, str], logs: Path) -> Running:
    """Start a part in a session of its own: Ctrl-C reaches the demo, and the demo stops its parts in order."""
    log = logs / f"{part.name.replace(' ', '-')}.log"
    with log.open("w") as out:
        process = await asyncio.create_subprocess_exec(
            *part.command, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            env={**os.environ, **environment, PARENT: str(os.getpid())},
        )  # fmt: skip
    return Running(part, process, log)


async def until_one_stops(running: Sequence[Running]) -> None:
    """Wait for ever; raises ``PartStopped`` when one of them ends by itself."""
    waiting = {asyncio.create_task(one.process.wait()): one for one in running}
    try:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
    one = waiting[done.pop()]
    reason = last_lines(one.log) or f"see {one.log}"
    raise PartStopped(part=one.part.name, status=one.process.returncode, reason=reason)


async def stop(running: Sequence[Running]) -> None:
    """Ask all to end, wait a few seconds, and end with force what is left, and what they left behind."""
    for one in running:
        with contextlib.suppress(ProcessLookupError):
            one.process.terminate()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_S + 1):
            for one in running:
                await one.process.wait()
    for one in running:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(one.process.pid, signal.SIGKILL)
        await one.process.wait()
