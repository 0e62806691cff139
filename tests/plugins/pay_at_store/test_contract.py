from __future__ import annotations

from core.testing.contract import PluginContract
from plugins.pay_at_store.plugin import PLUGIN


class TestContract(PluginContract):
    plugin = PLUGIN
