"""The plugin host: manifest, discovery, checks, life cycle, settings. ``boot`` builds the mall."""

from core.plugin_host.apps import core_apps, plugin_apps
from core.plugin_host.boot import boot
from core.plugin_host.config import PluginSettings, plugin_config, plugin_settings
from core.plugin_host.manifest import API_VERSION, Plugin
from core.plugin_host.service import (
    attach,
    detach,
    disable,
    enable,
    install,
    list_plugins,
    refresh,
    save_settings,
)
from core.plugin_host.states import PluginInfo, PluginStates

__all__ = [
    "API_VERSION",
    "Plugin",
    "PluginInfo",
    "PluginSettings",
    "PluginStates",
    "attach",
    "boot",
    "core_apps",
    "detach",
    "disable",
    "enable",
    "install",
    "list_plugins",
    "plugin_apps",
    "plugin_config",
    "plugin_settings",
    "refresh",
    "save_settings",
]
