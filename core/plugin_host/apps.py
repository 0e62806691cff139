"""The Piccolo apps of this mall: the core's, then those of the plugins on the allow-list."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from piccolo.conf.apps import AppConfig

    from core.kernel.mall import Mall
    from core.plugin_host.states import PluginStates


def core_apps() -> list[AppConfig]:
    """Return the core's apps, in the order in which they may name each other in foreign keys."""
    from core.db import history, migrate  # noqa: PLC0415 - Piccolo's migration commands take 0.3 s; a web worker does not pay

    return [migrate.load_app(module) for module in history.CORE_APPS]


def plugin_apps(mall: Mall) -> list[AppConfig]:
    """Return the apps of the usable plugins, in the order in which they require each other."""
    states: PluginStates = mall.plugins
    return [p.app for p in states.loaded.values() if p.fault is None and p.app is not None]
