"""Rate limits: exact across processes, still there without Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from core.cache import RateLimited, limits, rate_limit
from core.kernel.mall import Mall
from tests.core.cache.conftest import Server

Make = Callable[[], Mall]


async def test_the_try_after_the_last_is_refused_and_says_when(make_process: Make) -> None:
    mall = make_process()
    for _ in range(3):
        await rate_limit(mall, "login:1", limit=3, per_s=60)

    with pytest.raises(RateLimited) as refused:
        await rate_limit(mall, "login:1", limit=3, per_s=60)

    assert refused.value.status == 429
    assert 55 <= (refused.value.retry_after_s or 0) <= 60
    assert str(refused.value.retry_after_s) in refused.value.sentence("zh-CN")
    await rate_limit(mall, "login:2", limit=3, per_s=60)  # another key


async def test_processes_count_together(make_process: Make) -> None:
    malls = [make_process() for _ in range(4)]

    outcomes = await asyncio.gather(
        *(rate_limit(malls[i % 4], "k", limit=10, per_s=60) for i in range(40)), return_exceptions=True
    )

    assert outcomes.count(None) == 10


async def test_the_window_ends(make_process: Make) -> None:
    mall = make_process()
    await rate_limit(mall, "k", limit=1, per_s=1)
    with pytest.raises(RateLimited):
        await rate_limit(mall, "k", limit=1, per_s=1)

    await asyncio.sleep(1.05)

    await rate_limit(mall, "k", limit=1, per_s=1)


async def test_without_redis_the_process_counts_alone(make_process: Make, server: Server) -> None:
    mall = make_process()
    server.kill()

    outcomes = [
        await asyncio.gather(rate_limit(mall, "k", limit=2, per_s=60), return_exceptions=True) for _ in range(4)
    ]

    assert [o[0] is None for o in outcomes] == [True, True, False, False]


async def test_forgetting_starts_over(make_process: Make) -> None:
    mall = make_process()
    await rate_limit(mall, "k", limit=1, per_s=60)

    await limits.forget(mall, "k")

    await rate_limit(mall, "k", limit=1, per_s=60)


async def test_local_counters_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_LOCAL_MAX", 10)
    local = limits._Local()

    for i in range(50):
        local.count(str(i), 60)

    assert len(local.counts) == 10
