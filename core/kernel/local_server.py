"""What the two servers under ``MALL_HOME`` share: who uses them, where their socket is, how a program is run.

Several processes of one mall share a server. Each holds a shared lock (``flock``) on a file beside it for as long as
it lives; the last one to let go may stop the server. The kernel drops the lock of a killed process, so unlike a list
of process ids this cannot go stale.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import stat
from collections.abc import Generator
from pathlib import Path

from core.kernel.errors import Unavailable

_LONGEST_SOCKET_PATH = 100  # bytes; the kernel's limit is 107 on Linux and 103 on macOS
_SHORT_ROOT = Path("/tmp")  # noqa: S108 - the folder made in it is checked for its owner and mode
_PLAIN_PATH = re.compile(r"[\w/.+~-]+")
_holds: dict[Path, int] = {}


class LocalServerFailed(Unavailable):
    """A server under ``MALL_HOME`` cannot be used; the reason is the server's own last word."""

    code = "server.failed"
    zh = "{server} 不可用:{reason}"
    en = "{server} cannot be used: {reason}"


@contextlib.contextmanager
def exclusive(folder: Path) -> Generator[None, None, None]:
    """Let one process at a time look at, start or stop the server of ``folder``."""
    handle = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def hold(folder: Path) -> None:
    """Count this process among the users of the server of ``folder`` until it lets go or ends."""
    if folder not in _holds:
        handle = os.open(folder / "users", os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(handle, fcntl.LOCK_SH)
        _holds[folder] = handle


def let_go(folder: Path) -> bool:
    """Stop counting this process; returns whether nobody is left (the caller holds ``exclusive``)."""
    handle = _holds.pop(folder, None)
    if handle is not None:
        os.close(handle)
    probe = os.open(folder / "users", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(probe)
    return True


def socket_folder(folder: Path, file_name: str, *, uid: int) -> Path:
    """Return a folder for the socket ``file_name``: ``folder`` itself, or another when its path would not do.

    It will not do if it is too long for a socket, or has signs that mean something in a URL or a list of hosts. The
    other is made under ``/tmp`` for the user ``uid`` alone; raises ``LocalServerFailed`` if somebody else has it.
    """
    if len(os.fsencode(folder / file_name)) <= _LONGEST_SOCKET_PATH and _PLAIN_PATH.fullmatch(str(folder)):
        return folder
    short = _SHORT_ROOT / f"minimall-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"
    with contextlib.suppress(FileExistsError):
        short.mkdir(mode=0o700)
        os.chown(short, uid, -1)
    found = short.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or found.st_mode & 0o077:
        reason = f"{short} belongs to somebody else; set MALL_HOME to a shorter path"
        raise LocalServerFailed(server=folder.name, reason=reason)
    return short


def forget_socket_folder(folder: Path, sockets: Path) -> None:
    """Remove a short folder whose server has stopped."""
    if sockets != folder:
        with contextlib.suppress(OSError):  # not empty: not only ours
            sockets.rmdir()


def last_lines(log: Path, count: int = 3) -> str:
    """Return the end of a server's log on one line, for an error; empty when there is none."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return " | ".join(lines[-count:])
