"""The connection to Redis: short time limits, because everything in it can be done without."""

from __future__ import annotations

import time

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

TIMEOUT_S = 0.5
REST_S = 1.0
GONE = (RedisError, OSError, TimeoutError)  # what a call raises when Redis is away


def connect(url: str) -> Redis:
    """Make a client for ``url`` (``redis://``, ``rediss://``, ``unix://``). Nothing is sent before its first use."""
    return Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
        url,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        # Once more on a new connection: a pooled one may have died with the server it led to.
        retry=Retry(NoBackoff(), 1),
        client_name="minimall",
    )


class Breaker:
    """After a failure leave Redis alone for ``REST_S``: an outage must not cost every request a time limit."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until = 0.0

    @property
    def closed(self) -> bool:
        """True while Redis may be asked."""
        return time.monotonic() >= self._until

    def trip(self) -> None:
        self._until = time.monotonic() + REST_S
