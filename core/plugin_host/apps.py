"""The Piccolo apps of this mall: the core's, then those of the plugins on the allow-list."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from piccolo.conf.apps import AppConfig

    from core.kernel.mall import Mall
    from core.plugin_host.states import PluginStates
    from core.settings import Settings


def core_apps() -> list[AppConfig]:
    """Return the core's apps, in the order in which they may name each other in foreign keys."""
    from core.db import history, migrate  # noqa: PLC0415 - Piccolo's migration commands take 0.3 s; a web worker does not pay

    return [migrate.load_app(module) for module in history.CORE_APPS]


def plugin_apps(mall: Mall) -> list[AppConfig]:
    """Return the apps of the usable plugins, in the order in which they require each other."""
    states: PluginStates = mall.plugins
    return [p.app for p in states.loaded.values() if p.fault is None and p.app is not None]


def all_apps(settings: Settings, *, plugin_ids: Iterable[str] | None = None) -> list[AppConfig]:
    """Return every app that ``mall migrate`` runs, in order. A plugin that cannot be used is left out."""
    from core.plugin_host.boot import boot  # noqa: PLC0415 - boot imports the domains; a caller may only want core_apps

    return [*core_apps(), *plugin_apps(boot(settings, plugin_ids=plugin_ids))]
