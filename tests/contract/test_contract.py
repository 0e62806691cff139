"""The contract tests pass for a plugin that uses every hook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.sdk import Event, Mall, MemberJoined, OrderPlaced
from core.testing.contract import PluginContract
from core.testing.plugin_all_hooks.plugin import PLUGIN

if TYPE_CHECKING:
    from collections.abc import Sequence


class TestAllHooks(PluginContract):
    plugin = PLUGIN
    module = "core.testing.plugin_all_hooks.plugin"

    async def events(self, mall: Mall) -> Sequence[Event]:
        return [OrderPlaced(order_id=1, number="M1", member_id=1, payable_fen=100), MemberJoined(member_id=1)]
