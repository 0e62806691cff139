"""Rate limits: counted in Redis for all processes together, in this process alone while Redis is away."""

from __future__ import annotations

import time
import weakref
from typing import TYPE_CHECKING

import structlog

from core.cache.client import GONE, Breaker
from core.kernel.errors import MallError

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from core.kernel.mall import Mall

log = structlog.get_logger("mall.cache")
_PREFIX = "mall:limit:"
_LOCAL_MAX = 10_000

# A fixed window that begins with the first call. Counting and expiry are one step: a counter without expiry would
# lock its key for ever.
_COUNT = """
local n = redis.call('INCR', KEYS[1])
if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
local left = redis.call('PTTL', KEYS[1])
if left < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]); left = tonumber(ARGV[1]) end
return {n, left}
"""


class RateLimited(MallError):
    """429: too many tries in too short a time."""

    code = "rate.limited"
    status = 429
    zh = "操作过于频繁,请在 {retry_after_s} 秒后再试。"
    en = "Too many tries; try again in {retry_after_s} seconds."

    def __init__(self, *, retry_after_s: int) -> None:
        super().__init__(retry_after_s=retry_after_s)
        self.details = {"retry_after_s": retry_after_s}


class _Local:
    """The counters of one mall in this process: key -> (count, end of the window)."""

    def __init__(self) -> None:
        self.counts: dict[str, tuple[int, float]] = {}
        self.breaker = Breaker()

    def count(self, key: str, per_s: int) -> tuple[int, float]:
        now = time.monotonic()
        n, end = self.counts.get(key, (0, 0.0))
        n, end = (n + 1, end) if end > now else (1, now + per_s)
        if len(self.counts) >= _LOCAL_MAX and key not in self.counts:
            self.counts = {k: v for k, v in self.counts.items() if v[1] > now}
            while len(self.counts) >= _LOCAL_MAX:
                del self.counts[next(iter(self.counts))]
        self.counts[key] = (n, end)
        return n, end - now


_without_redis = _Local()
_by_client: weakref.WeakKeyDictionary[Redis, _Local] = weakref.WeakKeyDictionary()


async def rate_limit(mall: Mall, key: str, *, limit: int, per_s: int) -> None:
    """Count one try under ``key``; raise ``RateLimited`` from the ``limit + 1``-th within ``per_s`` seconds on.

    Refused tries count too, but do not make the window longer. While Redis is away each process counts alone.
    """
    n, left_s = await _count(mall.redis, key, per_s)
    if n > limit:
        raise RateLimited(retry_after_s=max(1, int(left_s + 0.999)))


async def forget(mall: Mall, key: str) -> None:
    """Start over: the tries under ``key`` no longer count (a sign-in that worked)."""
    local = _local(mall.redis)
    local.counts.pop(key, None)
    if mall.redis is not None and local.breaker.closed:
        try:
            await mall.redis.delete(_PREFIX + key)
        except GONE:
            local.breaker.trip()


async def _count(redis: Redis | None, key: str, per_s: int) -> tuple[int, float]:
    local = _local(redis)
    if redis is not None and local.breaker.closed:
        try:
            n, left_ms = await redis.eval(_COUNT, 1, _PREFIX + key, str(per_s * 1000))  # pyright: ignore[reportGeneralTypeIssues, reportUnknownMemberType, reportUnknownVariableType]
        except GONE as exc:
            local.breaker.trip()
            log.warning("redis away: rate limits are counted by each process alone", error=str(exc))
        else:
            return int(n), int(left_ms) / 1000  # pyright: ignore[reportUnknownArgumentType]
    return local.count(key, per_s)


def _local(redis: Redis | None) -> _Local:
    return _without_redis if redis is None else _by_client.setdefault(redis, _Local())
