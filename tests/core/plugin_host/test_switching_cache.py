"""Switching a plugin changes what it adds to answers, so kept answers are forgotten."""

from __future__ import annotations

from core import cache, plugin_host


async def test_switching_a_plugin_forgets_kept_answers(make_mall) -> None:
    mall = await make_mall(plugins=("nearby_stores",))
    mall.cache = cache.ResponseCache()

    async def build() -> bytes:
        return b"{}"

    await mall.cache.get_or_build(mall, "k", ("stores",), build)
    await plugin_host.refresh(mall)
    assert list(mall.cache.entries) == ["k"]

    await plugin_host.disable(mall, "nearby_stores")

    assert list(mall.cache.entries) == []
