"""What this process knows of its plugins: what was loaded at start, and which of it is switched on now."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from core.kernel.contracts import CORE
from core.kernel.i18n import Text
from core.plugin_host.errors import PluginNotFound
from core.plugin_host.manifest import Plugin

if TYPE_CHECKING:
    from piccolo.conf.apps import AppConfig

    from core.kernel.mall import Mall

Face = Literal["storefront", "admin", "callback"]
State = Literal["enabled", "draining", "disabled", "needs_migration", "faulty", "incompatible", "missing"]

# Hooks about work that began before: a draining plugin still answers them (architecture.md, "life cycle").
OLD_WORK = frozenset({"order_transition_guard", "order_transitioning", "extend_orders"})


class PluginInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One line of ``mall plugins list``. ``reason`` says what to do about a plugin that cannot be on."""

    id: str
    version: str
    title: Text
    summary: Text
    state: State
    reason: str = ""
    requires: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()


@dataclass(slots=True)
class Loaded:
    """One plugin of the allow-list in this process. ``fault`` is set when it cannot be used, with the reason."""

    manifest: Plugin
    module: Any = None
    fault: Literal["faulty", "incompatible", "missing"] | None = None
    reason: str = ""
    always_on: bool = False
    app: AppConfig | None = None
    migration_ids: tuple[str, ...] = ()
    routes: dict[Face, tuple[Any, ...]] = field(default_factory=dict[Face, tuple[Any, ...]])
    extension: type[Any] | None = None
    demo: Callable[[Mall], Awaitable[None]] | None = None
    commands: Callable[[Any], None] | None = None


@dataclass(slots=True)
class PluginStates:
    """The host's view, ``mall.plugins``. Filled by ``boot``, switched by ``refresh`` (in every worker)."""

    loaded: dict[str, Loaded] = field(default_factory=dict[str, Loaded])
    stored: dict[str, str] = field(default_factory=dict[str, str])
    unmigrated: frozenset[str] = frozenset()
    settings: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict[str, tuple[int, dict[str, Any]]])
    environ: dict[str, str] | None = None
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    tasks: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])

    def state(self, plugin_id: str) -> State:
        """Return the state as it counts in this process."""
        plugin = self.loaded.get(plugin_id)
        if plugin is None:
            return "missing"
        if plugin.fault is not None:
            return plugin.fault
        if plugin_id in self.unmigrated:
            return "needs_migration"
        stored = self.stored.get(plugin_id, "enabled" if plugin.always_on else "disabled")
        return stored if stored in ("enabled", "draining") else "disabled"

    def is_enabled(self, plugin_id: str) -> bool:
        """Say whether the plugin takes new work. The core always does."""
        return plugin_id == CORE or self.state(plugin_id) == "enabled"

    def is_draining(self, plugin_id: str) -> bool:
        """Say whether the plugin was switched off and still finishes old work."""
        return self.state(plugin_id) == "draining"

    def works(self, plugin_id: str) -> bool:
        """Say whether the plugin takes or still finishes work: its jobs, event handlers and callbacks run."""
        return plugin_id == CORE or self.state(plugin_id) in ("enabled", "draining")

    def takes_part(self, plugin_id: str, hook: str) -> bool:
        """Say whether the hook bus asks this plugin: an enabled one always, a draining one about old work only."""
        if hook.startswith("register_"):
            return True
        state = self.state(plugin_id)
        return state == "enabled" or (state == "draining" and hook in OLD_WORK)

    def routes(self, face: Face) -> list[tuple[str, tuple[Any, ...]]]:
        """Return ``(plugin id, handlers)`` of every usable plugin that has routes for ``face``, on or off."""
        return [(i, p.routes[face]) for i, p in self._usable() if p.routes.get(face)]

    def extensions(self) -> dict[str, type[Any]]:
        """Return the struct that validates ``extensions[<id>]`` of an order, by the id of the plugins that are on."""
        return {i: p.extension for i, p in self._usable() if p.extension is not None and self.is_enabled(i)}

    def demo_loaders(self) -> list[tuple[str, Callable[[Mall], Awaitable[None]]]]:
        """Return ``(plugin id, loader)`` of the plugins that are on and bring demo data."""
        return [(i, p.demo) for i, p in self._usable() if p.demo is not None and self.is_enabled(i)]

    def commands(self) -> list[tuple[str, Callable[[Any], None]]]:
        """Return ``(plugin id, add)``; ``add(group)`` puts the plugin's commands into the group ``mall x <id>``."""
        return [(i, p.commands) for i, p in self._usable() if p.commands is not None]

    def get(self, plugin_id: str) -> Loaded:
        """Return what was loaded, or raise ``PluginNotFound``."""
        found = self.loaded.get(plugin_id)
        if found is None:
            raise PluginNotFound(plugin=plugin_id)
        return found

    def info(self) -> list[PluginInfo]:
        """List every plugin of the allow-list, with its state and the reason if it cannot be on."""
        return [
            PluginInfo(
                id=i,
                version=p.manifest.version,
                title=p.manifest.title,
                summary=p.manifest.summary,
                state=self.state(i),
                reason=p.reason or ("run `mall migrate`" if self.state(i) == "needs_migration" else ""),
                requires=p.manifest.requires,
                permissions=tuple(x.name for x in p.manifest.permissions),
            )
            for i, p in self.loaded.items()
        ]

    def _usable(self) -> Iterator[tuple[str, Loaded]]:
        return ((i, p) for i, p in self.loaded.items() if p.fault is None)
