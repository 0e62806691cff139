"""The ``mall`` command and its demo, on real processes."""

from __future__ import annotations

import contextlib
import json
import os
import re
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

import httpx
import psutil
import pytest

from core import home as mall_home
from core.cache import embedded as redis
from core.db import embedded as postgres

ROOT = Path(__file__).parents[2]
STANDIN = Path(__file__).parent / "standin.py"
pytestmark = pytest.mark.timeout(180)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MALL_", "DATABASE_", "REDIS_"))}
    return {
        **kept, "PYTHONPATH": str(ROOT), "MALL_HOME": str(home), "MALL_PORT": str(free_port()), "COLUMNS": "160",
        "PYTHONUNBUFFERED": "1", **more,
    }  # fmt: skip


def mall(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "core.cli", *arguments], capture_output=True, text=True, check=False, cwd=home.parent,
        env=environment(home, **variables), timeout=120,
    )  # fmt: skip


class Demo:
    """A demo in another process, with all processes that belong to it."""

    def __init__(self, command: list[str], home: Path, **variables: str) -> None:
        self.home = home
        self.env = environment(home, **variables)
        self.base = f"http://127.0.0.1:{self.env['MALL_PORT']}"
        self.out = home.parent / f"{home.name}.out"
        with self.out.open("w") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, env=self.env, cwd=home.parent)

    @property
    def said(self) -> str:
        return self.out.read_text()

    def wait_for(self, text: str, *, within_s: float = 90.0) -> str:
        end = time.monotonic() + within_s
        while text not in self.said:
            assert self.process.poll() is None, f"it stopped: {self.said}"
            assert time.monotonic() < end, f"no {text!r} in: {self.said}"
            time.sleep(0.05)
        return self.said

    def belongings(self) -> list[psutil.Process]:
        """Return every process that was started with this home, the servers too."""
        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                mine = process.environ().get("MALL_HOME") == str(self.home)
                if mine or str(self.home) in " ".join(process.cmdline()):
                    found.append(process)
        return [p for p in found if p.pid != self.process.pid and p.status() != psutil.STATUS_ZOMBIE]

    def stop(self, number: int = signal.SIGINT, *, within_s: float = 15.0) -> int:
        self.process.send_signal(number)
        return self.process.wait(within_s)


def password_in(said: str) -> str:
    found = re.search(r"owner\s+password (\S+)", said)
    assert found, said
    return found[1]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the database's user can reach: every run of pytest closes its own to other users."""
    made = Path(tempfile.mkdtemp(prefix="mall-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def demo(folder: Path) -> Iterator[Callable[..., Demo]]:
    started: list[Demo] = []

    def start(*parts: str, name: str = "home", **variables: str) -> Demo:
        command = [sys.executable, str(STANDIN), *parts] if parts else [sys.executable, "-m", "core.cli", "demo"]
        one = Demo(command, folder / name, **variables)
        started.append(one)
        return one

    yield start
    for one in started:
        with contextlib.suppress(ProcessLookupError):
            one.process.kill()
        one.process.wait()
        for process in one.belongings():
            with contextlib.suppress(psutil.Error):
                process.kill()


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A migrated home for commands that only need one."""
    above = Path(tempfile.mkdtemp(prefix="mall-"))
    above.chmod(0o755)
    done = mall(above / "home", "migrate")
    assert done.returncode == 0, done.stderr
    yield above / "home"
    postgres.stop(above / "home")
    redis.stop(above / "home")
    shutil.rmtree(above)


# Commands ---------------------------------------------------------------------------------------------------------


def test_help_lists_the_commands(home: Path) -> None:
    done = mall(home, "--help")

    assert {"demo", "serve", "worker", "migrate", "plugins", "import", "doctor", "version"} <= set(done.stdout.split())


def test_help_is_quick_because_nothing_heavy_is_imported() -> None:
    script = "import sys, core.cli; print(*sys.modules)"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)

    heavy = {"litestar", "piccolo", "asyncpg", "redis", "granian", "asyncio", "structlog", "httpx", "core.db"}
    assert set(done.stdout.split()) & heavy == set()


def test_migrate_twice_says_that_all_is_up_to_date_and_leaves_no_server_behind(home: Path) -> None:
    done = mall(home, "migrate")

    assert done.stdout == "The database is up to date.\n"
    assert not postgres.is_running(home)
    assert not redis.is_running(home)


def test_plugins_are_listed_switched_and_refused(home: Path) -> None:
    listed = mall(home, "plugins", "list")
    off = mall(home, "plugins", "disable", "nearby_stores")
    again = mall(home, "plugins", "list")
    on = mall(home, "plugins", "enable", "nearby_stores")
    unknown = mall(home, "plugins", "enable", "blockchain")

    assert re.search(r"nearby_stores\s+\S+\s+enabled", listed.stdout), listed.stdout + listed.stderr
    assert off.stdout == "nearby_stores is disabled.\n", off.stderr
    assert re.search(r"nearby_stores\s+\S+\s+disabled", again.stdout)
    assert on.stdout == "nearby_stores is enabled.\n"
    assert unknown.returncode == 1
    assert unknown.stderr == "✗ There is no plugin named “blockchain”. [plugin.not_found]\n"


def test_serve_refuses_a_database_that_is_not_migrated(folder: Path) -> None:
    done = mall(folder / "home", "serve")

    assert done.returncode == 1
    assert re.fullmatch(r"✗ The database is not up to date .* run `mall migrate` first. \[.*pending\]\n", done.stderr)


def test_the_worker_refuses_a_database_that_is_not_migrated_and_the_list_of_plugins_says_so(folder: Path) -> None:
    done = mall(folder / "home", "worker")
    listed = mall(folder / "home", "plugins", "list")

    assert done.returncode == 1
    assert "mall migrate" in done.stderr
    assert "Traceback" not in done.stderr
    assert "pay_at_store" in listed.stdout
    assert "The database is not up to date; run `mall migrate`." in listed.stdout


@pytest.mark.parametrize("command", [["serve"], ["demo"]])
def test_a_busy_port_is_told_in_one_sentence_before_anything_starts(folder: Path, command: list[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        done = mall(folder / "home", *command, MALL_PORT=port)

    assert done.returncode == 1
    expected = f"✗ Port {port} on 127.0.0.1 is in use by another program; choose another with MALL_PORT."
    assert done.stderr == f"{expected} [server.port_busy]\n"
    assert not (folder / "home" / "pg").exists()


def test_production_without_a_secret_is_refused(folder: Path) -> None:
    done = mall(folder / "home", "serve", MALL_ENV="production")

    assert done.returncode == 1
    assert "MALL_SECRET must be set" in done.stderr
    assert not (folder / "home").exists()


def test_the_secret_of_a_home_is_made_once_and_for_its_owner_only(home: Path) -> None:
    secret = home / "secret"
    before = secret.read_text()

    mall(home, "migrate")

    assert secret.read_text() == before
    assert len(before) == 64
    assert secret.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"DATABASE_URL": "postgresql://mall@127.0.0.1:1/mall"}, "127.0.0.1:1/mall cannot be reached"),
        ({"DATABASE_URL": "not a url"}, "cannot be reached"),
        ({"MALL_PORT": "many"}, "MALL_PORT"),
    ],
)
def test_wrong_settings_are_one_sentence(folder: Path, variables: dict[str, str], sentence: str) -> None:
    done = mall(folder / "home", "migrate", **variables)

    assert done.returncode == 1
    assert sentence.lower() in done.stderr.lower()
    assert done.stderr.count("\n") == 1
    assert not (folder / "home" / "pg").exists()


def test_given_servers_are_used_and_nothing_is_embedded(home: Path, folder: Path) -> None:
    urls = {"DATABASE_URL": postgres.ensure(home), "REDIS_URL": redis.ensure(home)}
    try:
        done = mall(folder / "elsewhere", "plugins", "list", **urls)
    finally:
        postgres.release(home)
        redis.release(home)

    assert done.returncode == 0, done.stderr
    assert not (folder / "elsewhere" / "pg").exists()
    assert not (folder / "elsewhere" / "redis").exists()


def test_doctor_finds_what_is_there_and_says_what_to_do(home: Path, folder: Path) -> None:
    well = mall(home, "doctor")
    away = mall(folder / "home", "doctor", DATABASE_URL="postgresql://mall@127.0.0.1:1/mall", MALL_ENV="production")

    assert well.returncode == 0, well.stdout + well.stderr
    assert "✗" not in well.stdout
    assert away.returncode == 1
    assert "set MALL_SECRET" in away.stdout
    assert "correct DATABASE_URL" in away.stdout
    assert not (folder / "home").exists()


def test_version(home: Path) -> None:
    assert re.match(r"Minimall \d+\.\d+\.\d+, Python 3\.", mall(home, "version").stdout)


# The demo ---------------------------------------------------------------------------------------------------------


def test_ctrl_c_stops_everything_and_the_next_start_is_quick_with_a_new_password(demo: Callable[..., Demo]) -> None:
    first = demo("web", "jobs")
    said = first.wait_for("Ctrl-C")
    assert httpx.get(f"{first.base}/anything").text == "ready"
    assert len(first.belongings()) >= 6  # two servers, the web server with two workers, the job worker

    assert first.stop() == 0
    assert first.belongings() == []
    assert "migrations run" in said

    began = time.monotonic()
    second = demo("web", "jobs")
    said_again = second.wait_for("Ctrl-C")
    assert "up to date" in said_again
    assert time.monotonic() - began < 20  # 6 s on a quiet machine; the suite shares this one
    assert password_in(said_again) != password_in(said)
    assert second.stop(signal.SIGTERM) == 0
    assert second.belongings() == []


def test_a_part_that_dies_ends_the_demo_with_its_last_words(demo: Callable[..., Demo]) -> None:
    one = demo("web", "dying")

    assert one.process.wait(60) == 1
    assert "The dying has stopped (exit status 7): no more paper" in one.said
    assert one.belongings() == []


def test_a_part_that_does_not_listen_is_stopped_too(demo: Callable[..., Demo]) -> None:
    one = demo("web", "deaf")
    one.wait_for("Ctrl-C")

    assert one.stop() == 0
    assert one.belongings() == []


def test_stopping_in_the_middle_of_the_start_leaves_nothing(demo: Callable[..., Demo]) -> None:
    one = demo("web", "jobs")
    while not (one.home / "pg").exists():
        time.sleep(0.01)

    assert one.stop(within_s=30) == 0
    assert one.belongings() == []


def test_a_killed_demo_takes_its_web_server_and_worker_along(demo: Callable[..., Demo]) -> None:
    one = demo("web", "jobs")
    one.wait_for("Ctrl-C")

    one.stop(signal.SIGKILL)
    end = time.monotonic() + 10
    while [p for p in one.belongings() if "python" in p.name()] and time.monotonic() < end:
        time.sleep(0.1)

    assert not [p for p in one.belongings() if "python" in p.name()]
    again = demo("web", "jobs", MALL_PORT=one.env["MALL_PORT"])  # finds the servers that were left
    again.wait_for("Ctrl-C")
    assert again.stop() == 0
    assert again.belongings() == []


def test_a_running_demo_shows_messages_and_refuses_a_second_one_and_a_reset(demo: Callable[..., Demo]) -> None:
    one = demo("web", "jobs")
    one.wait_for("Ctrl-C")
    message: dict[str, Any] = {"to": "+8613800138000", "template": "login_code", "values": {"code": "123456"}}
    with (one.home / "outbox.jsonl").open("a") as outbox:
        outbox.write(json.dumps(message) + "\n")

    second = mall(one.home, "demo")
    reset = mall(one.home, "demo", "--reset")

    assert "code 123456" in one.wait_for("+8613800138000")
    assert second.stderr.endswith("is running; stop it with Ctrl-C first. [home.in_use]\n")
    assert reset.stderr == second.stderr
    assert one.process.poll() is None


def test_reset_deletes_only_the_home_of_a_mall(folder: Path) -> None:
    photos = folder / "photos"
    photos.mkdir()
    (photos / "wedding.jpg").write_text("dear")

    done = mall(photos, "demo", "--reset")

    assert done.returncode == 1
    assert "[home.not_a_mall_home]" in done.stderr
    assert [p.name for p in photos.iterdir()] == ["wedding.jpg"]


def test_reset_deletes_what_was_made_and_stops_the_servers(folder: Path) -> None:
    one = folder / "home"
    assert mall(one, "migrate").returncode == 0
    postgres.ensure(one)

    mall_home.reset(one)

    assert [p.name for p in one.iterdir()] == ["mall-home"]


def test_the_whole_mall_starts_from_nothing_and_the_printed_login_works(demo: Callable[..., Demo]) -> None:
    one = demo()
    said = one.wait_for("Ctrl-C", within_s=150)
    with httpx.Client(base_url=one.base, timeout=20) as client:
        ready = client.get("/readyz").json()
        pages = [client.get(f"/{face}/docs").status_code for face in ("storefront", "admin")]
        signed_in = client.post("/admin/v1/auth/sessions", json={"login": "owner", "password": password_in(said)})

    assert ready["status"] == "ready", ready
    assert pages == [200, 200]
    assert signed_in.is_success, signed_in.text
    assert one.stop() == 0
    assert one.belongings() == []
