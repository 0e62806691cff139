"""The mall: the context that every service and every hook gets first. Built by ``core.plugin_host.boot``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.kernel.clock import Clock, SystemClock
from core.kernel.contracts import Objects

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from core.kernel.hookbus import HookBus
    from core.settings import Settings


@dataclass(slots=True)
class Mall:
    """One running mall in one process. Domain code uses ``clock``, ``hooks``, ``objects`` and ``settings``.

    ``redis`` is for ``core.cache`` and for plugins' indexes; everything in it can be rebuilt, and it may be ``None``.
    ``plugins`` is the host's view of plugin states (``core.plugin_host.state.PluginStates``). ``cache`` holds a web
    worker's encoded answers (``core.cache.ResponseCache``); other processes have none.
    """

    settings: Settings
    hooks: HookBus
    clock: Clock = field(default_factory=SystemClock)
    objects: Objects = field(default_factory=Objects)
    redis: Redis | None = None
    plugins: Any = None
    cache: Any = None
