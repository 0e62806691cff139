"""The Redis GEO index: candidates for a search by distance, never the answer. PostgreSQL is the truth.

A marker is a member of the index itself: whoever finds the marker has found the whole index, and an index that was
evicted, flushed or never built has none. Without it (or without Redis) the caller asks PostgreSQL alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from core.sdk import Mall, StorePoint, db, defer, new_token, stores
from plugins.nearby_stores.geo import distance_m
from plugins.nearby_stores.types import IndexReport

T = TypeVar("T")
KEY = "mall:nearby_stores:geo"
ASKED = "mall:nearby_stores:rebuild_asked"
REBUILD = "nearby_stores.rebuild"
MARKER = "complete"
_MARKER_AT = (-180.0, -85.05112878)  # a corner of what Redis can index, far from every store
_NORTHMOST = 85.0  # Redis indexes latitudes up to 85.05 (Web Mercator)
_PUT_TRIES = 5
_ASK_EVERY_S = 30
_BUILD_S = 600
_CHUNK = 1000
_NEAR_M = 2  # Redis keeps positions to 52 bits, about 0.6 m
GONE = (RedisError, OSError, TimeoutError)
log = structlog.get_logger("mall.nearby_stores")


async def candidates(mall: Mall, lat: float, lng: float, radius_m: int) -> list[int] | None:
    """Return the ids of all stores within ``radius_m``, maybe a few more; ``None`` where the index cannot say."""
    db.assert_no_transaction()
    if mall.redis is None or abs(lat) + radius_m / 110_000 > _NORTHMOST:
        return None
    try:
        # Both in one step of the server: the index cannot vanish between them. Redis takes the Earth for a little
        # larger than we do and rounds positions, so it is asked for a little more.
        async with mall.redis.pipeline(transaction=True) as both:
            both.zscore(KEY, MARKER)
            both.geosearch(KEY, longitude=lng, latitude=lat, radius=radius_m * 1.001 + 10, unit="m")
            marker, found = await both.execute()
        if marker is None:
            await _ask_for_rebuild(mall)
            return None
    except GONE:
        log.warning("index not reachable, the database answers alone")
        return None
    return [int(member) for member in found if member.isdigit()]


async def put(mall: Mall, store_ids: Sequence[int]) -> None:
    """Bring the index in line with the database for these stores. Raises when Redis is away; repeats are harmless."""
    db.assert_no_transaction()
    if mall.redis is None:
        return
    points = await stores.active_points(mall, ids=store_ids)
    for _ in range(_PUT_TRIES):
        there = {point.id for point in points}
        async with mall.redis.pipeline(transaction=True) as pipe:
            if gone := [store_id for store_id in store_ids if store_id not in there]:
                pipe.zrem(KEY, *gone)
            if values := _values(points):
                pipe.geoadd(KEY, values)
            await pipe.execute()
        # Someone else may have written a newer state between our reading and our writing: look again.
        written, points = points, await stores.active_points(mall, ids=store_ids)
        if set(written) == set(points):
            return


async def rebuild(mall: Mall) -> IndexReport:
    """Build the index anew beside the old one and put it in its place in one step. Raises when Redis is away."""
    db.assert_no_transaction()
    points = await stores.active_points(mall)
    if mall.redis is None:
        return IndexReport(stores=len(points), missing=0, misplaced=0, surplus=0)
    fresh = f"{KEY}:{new_token()[:12]}"
    async with mall.redis.pipeline(transaction=False) as pipe:
        pipe.geoadd(fresh, [*_MARKER_AT, MARKER])
        pipe.expire(fresh, _BUILD_S)  # a build that dies halfway leaves nothing for long
        for chunk in _chunks(points):
            if values := _values(chunk):
                pipe.geoadd(fresh, values)
        await pipe.execute()
    async with mall.redis.pipeline(transaction=True) as pipe:
        pipe.persist(fresh)
        pipe.rename(fresh, KEY)
        pipe.delete(ASKED)
        await pipe.execute()
    # What changed while the new one was built was written to the old one.
    return msgspec.structs.replace(await _repair(mall, mall.redis), rebuilt=True)


async def check(mall: Mall) -> IndexReport:
    """Compare the index with the database, repair what differs, and say what it was; without marker rebuild it."""
    db.assert_no_transaction()
    if mall.redis is None or await mall.redis.zscore(KEY, MARKER) is None:
        return await rebuild(mall)
    return await _repair(mall, mall.redis)


async def _repair(mall: Mall, redis: Redis) -> IndexReport:
    points = {p.id: p for p in await stores.active_points(mall) if _indexable(p)}
    members: list[Any] = await redis.zrange(KEY, 0, -1)  # pyright: ignore[reportUnknownMemberType]
    known = {int(member) for member in members if member.isdigit()}
    missing = points.keys() - known
    surplus = known - points.keys()
    misplaced: set[int] = set()
    for chunk in _chunks(sorted(points.keys() & known)):
        for store_id, at in zip(chunk, await redis.geopos(KEY, *chunk), strict=True):
            point = points[store_id]
            if at is None or distance_m(point.lat, point.lng, at[1], at[0]) > _NEAR_M:
                misplaced.add(store_id)
    for chunk in _chunks(sorted(missing | surplus | misplaced)):
        await put(mall, chunk)
    return IndexReport(stores=len(points), missing=len(missing), misplaced=len(misplaced), surplus=len(surplus))


async def _ask_for_rebuild(mall: Mall) -> None:
    """Let the worker rebuild an index that is not there: one request in a while asks, the others go on."""
    assert mall.redis is not None
    if await mall.redis.set(ASKED, 1, nx=True, ex=_ASK_EVERY_S):
        log.warning("index is missing, a rebuild is asked for")
        async with db.transaction():
            defer(mall, REBUILD, {}, at=mall.clock.now(), key="asked")


def _values(points: Iterable[StorePoint]) -> list[float | int | str]:
    """Flatten points as GEOADD wants them."""
    return [part for point in points if _indexable(point) for part in (point.lng, point.lat, point.id)]


def _indexable(point: StorePoint) -> bool:
    return abs(point.lat) < _NORTHMOST


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK))
