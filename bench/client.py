"""A load generator: raw HTTP/1.1 over kept-open connections, so that the client costs as little as Python can."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

Make = Callable[[int], bytes]


@dataclass
class Result:
    """What a run gave. Latencies in seconds; ``wrong`` counts answers whose status is not in ``expected``."""

    seconds: float
    latencies: list[float]
    wrong: dict[int, int]

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


@dataclass
class _Shared:
    make: Make
    until: float
    expected: frozenset[int]
    limit: int
    sent: int = 0
    latencies: list[float] = field(default_factory=list[float])
    wrong: dict[int, int] = field(default_factory=dict[int, int])


class _Connection(asyncio.Protocol):
    def __init__(self, shared: _Shared) -> None:
        self.shared = shared
        self.buffer = b""
        self.began = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's own classes.
        self.transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        shared = self.shared
        now = time.perf_counter()
        if now >= shared.until or shared.sent >= shared.limit:
            self.transport.close()
            return
        number = shared.sent
        shared.sent += 1
        self.began = now
        self.transport.write(shared.make(number))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head = self.buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        lowered = self.buffer[:head].lower()
        at = lowered.find(b"content-length:")
        length = int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self.buffer) < head + 4 + length:
            return
        status = int(self.buffer[9:12])
        self.buffer = self.buffer[head + 4 + length :]
        if status in self.shared.expected:
            self.shared.latencies.append(time.perf_counter() - self.began)
        else:
            self.shared.wrong[status] = self.shared.wrong.get(status, 0) + 1
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def load(
    host: str,
    port: int,
    make: Make,
    *,
    clients: int,
    seconds: float,
    expected: frozenset[int] = frozenset({200}),
    limit: int = 10**9,
) -> Result:
    """Send requests from ``clients`` connections for ``seconds``, each its next one when the last is answered."""
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    shared = _Shared(make, began + seconds, expected, limit)
    connections = [(await loop.create_connection(lambda: _Connection(shared), host, port))[1] for _ in range(clients)]
    await asyncio.gather(*(c.done for c in connections))
    return Result(time.perf_counter() - began, shared.latencies, shared.wrong)


def request(method: str, path: str, *, headers: dict[str, str] | None = None, body: bytes = b"") -> bytes:
    """Write one request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", *(f"{k}: {v}" for k, v in (headers or {}).items())]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body
