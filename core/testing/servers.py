"""The servers of a test run: PostgreSQL shared by all runs of one checkout, Redis of one pytest process.

``MALL_TEST_DSN`` (a superuser's URL) and ``MALL_TEST_REDIS_URL`` name servers to use instead. The embedded PostgreSQL
keeps its cluster in ``.mall/test``, so that only the first run pays for making it; the last run that uses it stops it.
Nothing in it survives a power cut (``fsync`` is off): it holds only what tests wrote.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Generator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit, urlunsplit

import psutil

from core.cache import embedded as embedded_redis
from core.db import embedded as embedded_postgres

# The embedded server's own configuration is durable and small; PostgreSQL reads this file after it.
_CONFIGURATION = """\
max_connections = '300'
shared_buffers = '128MB'
fsync = 'off'
synchronous_commit = 'off'
full_page_writes = 'off'
"""


def with_database(url: str, name: str) -> str:
    """Return ``url`` with another database name."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def is_embedded() -> bool:
    return not os.environ.get("MALL_TEST_DSN")


@contextlib.contextmanager
def postgres(home: Path) -> Generator[str]:
    """Yield the URL of a PostgreSQL on which databases may be created."""
    given = os.environ.get("MALL_TEST_DSN")
    if given:
        yield given
        return
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        url = embedded_postgres.ensure(home)
        override = home / "pg" / "data" / "postgresql.auto.conf"
        if override.read_text() != _CONFIGURATION:
            override.write_text(_CONFIGURATION)
            embedded_postgres.stop(home)
            url = embedded_postgres.ensure(home)
    try:
        yield url
    finally:
        embedded_postgres.release(home)


@contextlib.contextmanager
def redis(home: Path, worker: int) -> Generator[str]:
    """Yield the URL of a Redis that belongs to this process alone (a database number of its own on a given one)."""
    given = os.environ.get("MALL_TEST_REDIS_URL")
    if given:
        yield _own_number(given, worker)
        return
    for left in home.glob("redis-*"):  # of runs that were killed
        if not psutil.pid_exists(int(left.name.removeprefix("redis-"))):
            embedded_redis.stop(left)
            shutil.rmtree(left, ignore_errors=True)
    own = home / f"redis-{os.getpid()}"
    try:
        yield embedded_redis.ensure(own)
    finally:
        embedded_redis.release(own)
        shutil.rmtree(own, ignore_errors=True)


def _own_number(url: str, worker: int) -> str:
    """Return the URL with the database number moved by ``worker``: in the path, or in a ``unix://`` one's query."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        number = int(parse_qs(parts.query).get("db", ["0"])[0])
        return urlunsplit(parts._replace(query=f"db={number + worker}"))
    return urlunsplit(parts._replace(path=f"/{int(parts.path.strip('/') or 0) + worker}"))
