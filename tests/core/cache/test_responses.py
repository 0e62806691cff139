"""The response cache: never a wrong answer for longer than a message takes, and none for the lack of Redis."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from core import cache
from core.cache import responses
from core.kernel.errors import NotFound
from core.kernel.mall import Mall
from tests.core.cache.conftest import Server

Make = Callable[[], Mall]


class Shelf:
    """What answers are built from."""

    def __init__(self) -> None:
        self.value = 1
        self.builds = 0
        self.gate: asyncio.Event | None = None
        self.reading = asyncio.Event()

    async def build(self) -> bytes:
        seen = self.value
        self.builds += 1
        self.reading.set()
        if self.gate is not None:
            await self.gate.wait()
        return b"%d" % seen


async def until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.01)


async def live(mall: Mall) -> Mall:
    await mall.cache.start(mall)
    await until(lambda: mall.cache.live)
    return mall


async def ask(mall: Mall, shelf: Shelf, key: str = "k", tags: tuple[str, ...] = ("t",)) -> bytes:
    return (await mall.cache.get_or_build(mall, key, tags, shelf.build)).body


async def test_what_build_refuses_reaches_the_caller_and_is_not_kept(make_process: Make) -> None:
    mall = make_process()

    async def missing() -> bytes:
        raise NotFound

    with pytest.raises(NotFound):
        await mall.cache.get_or_build(mall, "k", ("t",), missing)

    assert await ask(mall, Shelf()) == b"1"


async def test_a_second_call_is_answered_without_building(make_process: Make) -> None:
    mall, shelf = await live(make_process()), Shelf()

    assert [await ask(mall, shelf), await ask(mall, shelf)] == [b"1", b"1"]

    assert shelf.builds == 1


async def test_many_at_once_build_once(make_process: Make) -> None:
    mall, shelf = await live(make_process()), Shelf()

    answers = await asyncio.gather(*(ask(mall, shelf) for _ in range(50)))

    assert set(answers) == {b"1"}
    assert shelf.builds == 1


async def test_a_caller_who_goes_away_does_not_take_the_answer_from_the_others(make_process: Make) -> None:
    mall, shelf = make_process(), Shelf()
    shelf.gate = asyncio.Event()
    first = asyncio.create_task(ask(mall, shelf))
    await shelf.reading.wait()
    second = asyncio.create_task(ask(mall, shelf))
    await asyncio.sleep(0)

    first.cancel()
    shelf.gate.set()

    assert await second == b"1"
    assert shelf.builds == 1


async def test_a_build_that_began_before_an_invalidation_is_not_kept(make_process: Make) -> None:
    mall, shelf = await live(make_process()), Shelf()
    shelf.gate = asyncio.Event()
    old = asyncio.create_task(ask(mall, shelf))
    await shelf.reading.wait()

    shelf.value = 2
    await cache.invalidate(mall, ["t"])
    shelf.gate.set()

    assert await old == b"1"  # it was asked before the change
    assert await ask(mall, shelf) == b"2"
    assert await ask(await live(make_process()), shelf) == b"2"  # nor did the old one reach Redis


async def test_a_caller_after_an_invalidation_does_not_join_the_build_from_before(make_process: Make) -> None:
    mall, shelf = await live(make_process()), Shelf()
    shelf.gate = asyncio.Event()
    old = asyncio.create_task(ask(mall, shelf))
    await shelf.reading.wait()
    shelf.value = 2
    await cache.invalidate(mall, ["t"])

    new = asyncio.create_task(ask(mall, shelf))
    await asyncio.sleep(0.05)
    shelf.gate.set()

    assert [await old, await new] == [b"1", b"2"]


async def test_another_process_forgets_at_once(make_process: Make) -> None:
    here, there, shelf = await live(make_process()), await live(make_process()), Shelf()
    assert await ask(there, shelf) == b"1"

    shelf.value = 2
    await cache.invalidate(here, ["t"])

    await until(lambda: "k" not in there.cache.entries, within_s=0.3)
    assert await ask(there, shelf) == b"2"


async def test_a_process_without_a_cache_tells_the_others(make_process: Make) -> None:
    web, worker, shelf = await live(make_process()), make_process(), Shelf()
    kept, worker.cache = worker.cache, None
    assert await ask(web, shelf) == b"1"

    shelf.value = 2
    await cache.invalidate(worker, ["t"])

    worker.cache = kept
    await until(lambda: "k" not in web.cache.entries, within_s=0.3)
    assert await ask(web, shelf) == b"2"


async def test_only_entries_with_the_tag_are_forgotten(make_process: Make) -> None:
    mall, shelf = await live(make_process()), Shelf()
    await ask(mall, shelf, "a", ("product:1", "products"))
    await ask(mall, shelf, "b", ("product:2", "products"))

    await cache.invalidate(mall, ["product:1"])

    assert list(mall.cache.entries) == ["b"]
    assert set(mall.cache.keys_by_tag) == {"product:2", "products", cache.EVERY}


async def test_a_new_process_reads_what_another_built(make_process: Make) -> None:
    first, shelf = await live(make_process()), Shelf()
    await ask(first, shelf)

    assert await ask(await live(make_process()), shelf) == b"1"

    assert shelf.builds == 1


async def test_the_part_of_a_process_is_bounded(make_process: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    mall, shelf = make_process(), Shelf()
    monkeypatch.setattr(responses, "MAX_ENTRIES", 3)

    for i in range(5):
        await ask(mall, shelf, f"k{i}")

    assert list(mall.cache.entries) == ["k2", "k3", "k4"]
    assert mall.cache.size == 3


async def test_without_a_live_subscription_an_entry_lives_a_second(
    make_process: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    mall, shelf = make_process(), Shelf()
    monkeypatch.setattr(responses, "LIVE_S", 0.1)
    await ask(mall, shelf)

    shelf.value = 2  # and nobody says so
    await asyncio.sleep(0.15)

    assert await ask(mall, shelf) == b"2"


async def test_with_a_live_subscription_an_entry_outlives_that_second(
    make_process: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of the test above."""
    mall, shelf = await live(make_process()), Shelf()
    monkeypatch.setattr(responses, "LIVE_S", 0.6)
    await ask(mall, shelf)

    await asyncio.sleep(1.0)
    await ask(mall, shelf)

    assert shelf.builds == 1


async def test_redis_killed_answers_are_built_and_redis_back_they_are_shared_again(
    make_process: Make, server: Server
) -> None:
    mall, shelf = await live(make_process()), Shelf()
    assert await ask(mall, shelf) == b"1"

    server.kill()
    await until(lambda: not mall.cache.live)
    shelf.value = 2
    await cache.invalidate(mall, ["t"])
    assert await ask(mall, shelf) == b"2"
    assert "t" in mall.cache.pending

    server.start()
    await until(lambda: mall.cache.live)
    await until(lambda: not mall.cache.pending)
    assert await ask(mall, shelf) == b"2"


async def test_a_redis_that_hangs_keeps_nobody_waiting_for_long_and_nothing_stale(
    make_process: Make, server: Server
) -> None:
    mall, other, shelf = await live(make_process()), await live(make_process()), Shelf()
    await ask(mall, shelf)

    server.signal(signal.SIGSTOP)
    try:
        shelf.value = 2
        await cache.invalidate(other, ["t"])  # cannot be told to anybody
        await until(lambda: not mall.cache.live, within_s=2.0)
        await asyncio.sleep(1.0)
        began = time.monotonic()
        assert await ask(mall, shelf) == b"2"
        assert time.monotonic() - began < 1.5
    finally:
        server.signal(signal.SIGCONT)


async def test_an_invalidation_that_redis_did_not_take_is_told_later(
    make_process: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there, shelf = await live(make_process()), await live(make_process()), Shelf()
    await ask(there, shelf)
    real = responses._send

    async def fails(_redis: Any, _tags: list[str]) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr(responses, "_send", fails)
    shelf.value = 2
    await cache.invalidate(here, ["t"])
    assert await ask(here, shelf) == b"2"  # not the old one from Redis

    monkeypatch.setattr(responses, "_send", real)

    await until(lambda: "k" not in there.cache.entries, within_s=2.0)
    assert await ask(there, shelf) == b"2"
