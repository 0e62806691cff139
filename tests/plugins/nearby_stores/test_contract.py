"""nearby_stores keeps what every plugin promises."""

from __future__ import annotations

from collections.abc import Sequence

from core.kernel.mall import Mall
from core.sdk import Event, StoreChanged, StoreCreated
from core.testing import builders
from core.testing.contract import PluginContract
from plugins.nearby_stores.plugin import PLUGIN


class TestContract(PluginContract):
    plugin = PLUGIN

    async def events(self, mall: Mall) -> Sequence[Event]:
        store = await builders.a_store(mall)
        return (StoreCreated(store_id=store.id), StoreChanged(store_id=store.id))
