from __future__ import annotations

from typing import TYPE_CHECKING

from core.sdk import Event, Mall, StoreChanged, StoreCreated
from core.testing import builders
from core.testing.contract import PluginContract
from plugins.nearby_stores.plugin import PLUGIN

if TYPE_CHECKING:
    from collections.abc import Sequence


class TestContract(PluginContract):
    plugin = PLUGIN

    async def events(self, mall: Mall) -> Sequence[Event]:
        store = await builders.a_store(mall)
        return [StoreCreated(store_id=store.id), StoreChanged(store_id=store.id)]
