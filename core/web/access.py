"""One line a call, written apart from the log of events: at thousands of calls a second that pipeline would cost as
much as the call. Lines are gathered for ``FLUSH_S`` and written at once.
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime

import msgspec

FLUSH_S = 0.2
FLUSH_LINES = 1000


class AccessLog:
    """The access log of one process, on standard error: JSON in production, plain text otherwise."""

    __slots__ = ("_as_json", "_lines", "_second", "_stamp")

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._lines: list[bytes] = []
        self._second = 0
        self._stamp = ""

    def add(self, method: str, path: str, status: int, ms: float, ip: str, request_id: str) -> None:
        """Note one call; ``ms`` is how long it took."""
        now = int(time.time())
        if now != self._second:
            self._second = now
            self._stamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if self._as_json:
            line = msgspec.json.encode(
                {"timestamp": self._stamp, "level": "info", "message": "http", "method": method, "path": path,
                 "status": status, "ms": ms, "ip": ip, "request_id": request_id}
            )  # fmt: skip
        else:  # repr: a path may hold line breaks
            line = f"{self._stamp} {status} {method} {path!r} {ms} ms {ip} {request_id}".encode(errors="replace")
        self._lines.append(line)
        if len(self._lines) == 1:
            asyncio.get_running_loop().call_later(FLUSH_S, self.flush)
        elif len(self._lines) >= FLUSH_LINES:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered; the last act of a process."""
        lines, self._lines = self._lines, []
        if lines:
            sys.stderr.buffer.write(b"\n".join(lines) + b"\n")
            sys.stderr.buffer.flush()
