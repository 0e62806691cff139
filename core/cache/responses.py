"""Answers that are the same for everybody, kept as encoded bytes: in this process, behind it in Redis.

What is kept is never wrong for longer than a message takes, and this is why:

- ``invalidate`` gives each tag a new random mark in Redis and tells every process, in one atomic step.
- In a process, an invalidation drops the entries with the tag and also the builds that are still running: a build that
  began before it answers those who already wait for it, and is not kept.
- An entry in Redis carries the marks that its tags had before it was built; with other marks it does not count.
- A process trusts its entries while Redis has answered on the subscription within ``LIVE_S``; without that an entry
  lives ``LIVE_S`` and Redis is not asked. Losing the subscription, or getting a new one, empties the process's part.
- An invalidation that Redis did not take is kept and tried again; meanwhile this process reads no such tags there.
- And nothing lives longer than ``MAX_AGE_S``.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import structlog

from core.cache.client import GONE, Breaker

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from core.kernel.mall import Mall

log = structlog.get_logger("mall.cache")
Build = Callable[[], Awaitable[bytes]]

CHANNEL = "mall:invalid"
LIVE_S = 1.0
PING_S = 0.4
EVERY = "every"  # the tag of all entries: what plugins add to answers changes with the plugins that are on
MAX_AGE_S = 60.0
REDIS_AGE_S = 300
MARK_AGE_S = 86_400  # longer than any entry that carries the mark
MAX_BYTES = 32 * 1024 * 1024
MAX_ENTRIES = 10_000

_MARK = "mall:mark:"
_BODY = "mall:body:"
_SEPARATOR = b"\x00"

# KEYS: the entry, the marks of its tags. ARGV: a fresh mark for tags that have none, how long marks live.
# Answers the entry (or nothing) and the marks.
_READ = """
local marks = {}
for i = 2, #KEYS do
  local mark = redis.call('GET', KEYS[i])
  if not mark then mark = ARGV[1]; redis.call('SET', KEYS[i], mark, 'EX', ARGV[2]) end
  marks[i - 1] = mark
end
return {redis.call('GET', KEYS[1]), table.concat(marks, ',')}
"""
# KEYS: the marks. ARGV: a fresh mark, how long it lives, the channel, the message.
_INVALIDATE = """
for i = 1, #KEYS do redis.call('SET', KEYS[i], ARGV[1], 'EX', ARGV[2]) end
return redis.call('PUBLISH', ARGV[3], ARGV[4])
"""


class CachedBody:
    """An answer ready to be sent: its bytes, its ETag, its headers as ASGI wants them."""

    __slots__ = ("body", "born", "etag", "etag_bytes", "headers", "headers_304", "tags")

    def __init__(self, body: bytes, tags: tuple[str, ...] = ()) -> None:
        self.body = body
        self.tags = tags
        self.born = time.monotonic()
        self.etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
        self.etag_bytes = self.etag.encode()
        shared = [
            (b"etag", self.etag_bytes),
            # Caches may keep it, and must ask before each use: a price change shows at once.
            (b"cache-control", b"no-cache"),
            (b"vary", b"Accept-Language"),
        ]
        self.headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *shared,
        ]
        self.headers_304 = shared


@dataclass(slots=True)
class _Running:
    """A build under way. It is kept only if it still stands in the table of running builds when it ends."""

    tags: tuple[str, ...]
    task: asyncio.Task[CachedBody]


@dataclass(slots=True)
class ResponseCache:
    """The part of one process. Make one per mall; ``start`` and ``stop`` belong to the life of the web worker."""

    entries: OrderedDict[str, CachedBody] = field(default_factory=OrderedDict[str, CachedBody])
    keys_by_tag: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    running: dict[str, _Running] = field(default_factory=dict[str, _Running])
    pending: dict[str, object] = field(default_factory=dict[str, object])
    size: int = 0
    live_until: float = 0.0
    server: str = ""
    breaker: Breaker = field(default_factory=Breaker)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])

    # reading ---------------------------------------------------------------------------------------------------------

    async def get_or_build(self, mall: Mall, key: str, tags: Iterable[str], build: Build) -> CachedBody:
        """Return the answer under ``key``, from the cache or from ``build`` (called once for all who wait for it).

        ``key`` names everything that the answer depends on, the language too. ``tags`` name what it was made of.
        What ``build`` raises reaches everyone who waits, and nothing is kept. Never fails because of Redis.
        """
        found = self.peek(key)
        if found is not None:
            return found
        running = self.running.get(key)
        if running is None:
            tags = (*tags, EVERY)
            task = asyncio.create_task(self._make(mall, key, tags, build))
            running = self.running[key] = _Running(tags, task)
            task.add_done_callback(_seen)
        # Shielded: the caller who goes away must not take the answer from the others.
        return await asyncio.shield(running.task)

    def peek(self, key: str) -> CachedBody | None:
        """Return a fresh entry of this process, or nothing: the way of nearly all calls, without a task switch."""
        found = self.entries.get(key)
        if found is None:
            return None
        now = time.monotonic()
        if now > found.born + (MAX_AGE_S if now < self.live_until else LIVE_S):
            self._drop(key)
            return None
        self.entries.move_to_end(key)
        return found

    async def _make(self, mall: Mall, key: str, tags: tuple[str, ...], build: Build) -> CachedBody:
        me = asyncio.current_task()
        try:
            marks = None
            if self._may_ask(mall.redis, tags):
                body, marks = await self._from_redis(mall.redis, key, tags)
                if body is not None:
                    return self._keep(me, key, CachedBody(body, tags))
            made = self._keep(me, key, CachedBody(await build(), tags))
            if marks and self._may_ask(mall.redis, tags):
                await self._to_redis(mall.redis, key, marks, made.body)
            return made
        finally:
            if (mine := self.running.get(key)) is not None and mine.task is me:
                del self.running[key]

    def _keep(self, me: asyncio.Task[Any] | None, key: str, made: CachedBody) -> CachedBody:
        mine = self.running.get(key)
        if mine is None or mine.task is not me:
            return made  # invalidated while it was built: good for those who asked before, not for later callers
        self._drop(key)
        self.entries[key] = made
        self.size += len(made.body)
        for tag in made.tags:
            self.keys_by_tag.setdefault(tag, set()).add(key)
        while self.size > MAX_BYTES or len(self.entries) > MAX_ENTRIES:
            self._drop(next(iter(self.entries)))
        return made

    # forgetting ------------------------------------------------------------------------------------------------------

    def drop_tags(self, tags: Iterable[str]) -> None:
        """Forget what this process keeps or builds with any of ``tags``."""
        for tag in tags:
            for key in self.keys_by_tag.pop(tag, ()):
                self._drop(key)
            for key in [k for k, r in self.running.items() if tag in r.tags]:
                del self.running[key]

    def clear(self) -> None:
        """Forget everything in this process; builds under way are not kept."""
        self.entries.clear()
        self.keys_by_tag.clear()
        self.running.clear()
        self.size = 0

    def _drop(self, key: str) -> None:
        found = self.entries.pop(key, None)
        if found is None:
            return
        self.size -= len(found.body)
        for tag in found.tags:
            keys = self.keys_by_tag.get(tag)
            if keys is not None:
                keys.discard(key)
                if not keys:
                    del self.keys_by_tag[tag]

    # Redis -----------------------------------------------------------------------------------------------------------

    @property
    def live(self) -> bool:
        """True while the subscription is known to work."""
        return time.monotonic() < self.live_until

    def _may_ask(self, redis: Redis | None, tags: Sequence[str]) -> bool:
        return redis is not None and self.live and self.breaker.closed and self.pending.keys().isdisjoint(tags)

    async def _from_redis(self, redis: Any, key: str, tags: tuple[str, ...]) -> tuple[bytes | None, bytes | None]:
        names = [f"{_BODY}{self.server}:{key}", *(_MARK + tag for tag in tags)]
        try:
            stored, marks = await redis.eval(_READ, len(names), *names, uuid4().hex, MARK_AGE_S)
        except GONE as exc:
            self._redis_failed(exc)
            return None, None
        then, _, body = (stored or b"").partition(_SEPARATOR)
        return (body if stored and then == marks else None), marks

    async def _to_redis(self, redis: Any, key: str, marks: bytes, body: bytes) -> None:
        try:
            await redis.set(f"{_BODY}{self.server}:{key}", marks + _SEPARATOR + body, ex=REDIS_AGE_S)
        except GONE as exc:
            self._redis_failed(exc)

    def _redis_failed(self, exc: Exception) -> None:
        self.breaker.trip()
        log.warning("redis away: answers are built anew", error=str(exc))

    async def start(self, mall: Mall) -> None:
        """Follow the invalidations of all processes until ``stop``."""
        if mall.redis is not None:
            self._tasks.append(asyncio.create_task(self._follow(mall), name="cache-follow"))

    async def stop(self) -> None:
        """Stop following, and forget everything."""
        tasks, self._tasks[:] = set(self._tasks), []
        while tasks:
            for task in tasks:
                task.cancel()  # again, if need be: redis-py loses one that comes together with an answer
            _, tasks = await asyncio.wait(tasks, timeout=0.5)
        self.live_until = 0.0
        self.clear()

    async def _follow(self, mall: Mall) -> None:
        redis: Any = mall.redis
        while True:
            try:
                # The id of the server's run names the entries: after a restart from an older dump none of them counts.
                info = await redis.info("server")
                async with redis.pubsub() as pubsub:
                    await pubsub.subscribe(CHANNEL)
                    await self._listen(mall, pubsub, str(info["run_id"]))
            except GONE as exc:
                log.warning("redis away: cached answers live for a second", error=str(exc))
            finally:
                self.live_until = 0.0
                self.clear()
            await asyncio.sleep(0.5)

    async def _listen(self, mall: Mall, pubsub: Any, server: str) -> None:
        pinged = heard = time.monotonic()
        subscribed = False
        while True:
            message = await pubsub.get_message(timeout=PING_S)
            now = time.monotonic()
            if message is None:
                if now - heard > 3 * LIVE_S:
                    raise TimeoutError("no answer on the subscription")
            else:
                heard = now
                if message["type"] == "message":
                    self.drop_tags(message["data"].decode().split("\n"))
                elif message["type"] == "subscribe":
                    if subscribed:  # the client found a new connection by itself: maybe another server
                        raise ConnectionError("subscribed again")
                    subscribed = True
                    self.clear()  # messages may have been missed until now
                    self.server = server
                self.live_until = now + LIVE_S
            if now - pinged >= PING_S:
                pinged = now
                await pubsub.ping()
                if self.pending:
                    await _tell(mall, self)


async def invalidate(mall: Mall, tags: Iterable[str]) -> None:
    """Forget, in every process, the answers made of any of ``tags``. Call it after the commit; never raises for Redis.

    ``db.after_commit(lambda: invalidate(mall, ["product:7", "products"]))``
    """
    wanted = sorted(set(tags))
    cache: ResponseCache | None = mall.cache
    if cache is not None:
        cache.drop_tags(wanted)
    if mall.redis is None or not wanted:
        return
    if cache is None:
        with contextlib.suppress(*GONE):
            await _send(mall.redis, wanted)
        return
    mine = object()
    cache.pending.update(dict.fromkeys(wanted, mine))
    await _tell(mall, cache)


async def _tell(mall: Mall, cache: ResponseCache) -> None:
    told = dict(cache.pending)
    try:
        await _send(mall.redis, sorted(told))
    except GONE as exc:
        cache.breaker.trip()
        log.warning("redis away: invalidation kept for later", tags=sorted(told)[:10], error=str(exc))
    else:
        for tag, whose in told.items():
            if cache.pending.get(tag) is whose:  # else it was invalidated again meanwhile, and that one is not told yet
                del cache.pending[tag]


async def _send(redis: Any, tags: list[str]) -> None:
    names = [_MARK + tag for tag in tags]
    await redis.eval(_INVALIDATE, len(names), *names, uuid4().hex, MARK_AGE_S, CHANNEL, "\n".join(tags))


def _seen(task: asyncio.Task[CachedBody]) -> None:
    """Look at the outcome, so that a build nobody waits for any more is no "exception was never retrieved"."""
    if not task.cancelled():
        task.exception()
