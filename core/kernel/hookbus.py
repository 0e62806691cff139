"""The async caller over pluggy (architecture.md, trap 5).

pluggy knows no async: with ``firstresult`` it takes a coroutine for an answer, wrappers see un-awaited coroutines, one
raise stops the call, and the order is LIFO. So the bus walks the implementations itself: registration order, one
plugin at a time, each with its name, a time limit and the failure policy of the hook's kind.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from core.kernel.errors import MallError, PluginUnavailable

if TYPE_CHECKING:
    from pluggy import HookImpl, PluginManager

log = structlog.get_logger("mall.hooks")


class HookMisused(Exception):
    """A hook is specified or called in a way that cannot work: a fault of the core, not of a plugin."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the plugins said, and which of them failed to say anything (lenient calls only)."""

    given: tuple[tuple[str, Any], ...]
    failed: tuple[str, ...] = ()


@dataclass(slots=True)
class HookBus:
    """Call async hooks one plugin at a time, with the plugin's name on every outcome.

    ``takes_part(plugin, hook)`` says who is asked: the plugins that are on, and draining ones about old work. A hook
    with ``firstresult`` is refused when the bus is made; wrappers are refused when a plugin is loaded.
    """

    pm: PluginManager
    takes_part: Callable[[str, str], bool] = field(default=lambda _plugin, _hook: True)
    timeout_s: float = 2.0

    def __post_init__(self) -> None:
        for name, caller in vars(self.pm.hook).items():
            if caller.spec is not None and caller.spec.opts["firstresult"]:
                raise HookMisused(f"{name}: firstresult takes a coroutine for an answer; look an object up by its code")

    async def strict(self, hook: str, /, **kwargs: Any) -> tuple[tuple[str, Any], ...]:
        """Ask every plugin; refuse the operation with ``PluginUnavailable`` if one of them fails.

        A ``MallError`` from a plugin is an answer and passes through.
        """
        given: list[tuple[str, Any]] = []
        for impl in self._asked(hook, kwargs):
            try:
                answer = await self._run(impl, kwargs)
            except MallError:
                raise
            except Exception as exc:
                log.exception("hook failed", hook=hook, plugin=impl.plugin_name)
                raise PluginUnavailable(plugin=impl.plugin_name) from exc
            if answer is not None:
                given.append((impl.plugin_name, answer))
        return tuple(given)

    async def lenient(self, hook: str, /, **kwargs: Any) -> Answers:
        """Ask every plugin; leave out the ones that fail and name them, so that the answer can say so."""
        given: list[tuple[str, Any]] = []
        failed: list[str] = []
        for impl in self._asked(hook, kwargs):
            try:
                answer = await self._run(impl, kwargs)
            except Exception:
                log.exception("hook failed", hook=hook, plugin=impl.plugin_name)
                failed.append(impl.plugin_name)
                continue
            if answer is not None:
                given.append((impl.plugin_name, answer))
        return Answers(tuple(given), tuple(failed))

    def has(self, hook: str) -> bool:
        """Say whether any plugin that takes part implements ``hook``: lets a caller skip building its arguments."""
        return next(self._impls(hook), None) is not None

    def _asked(self, hook: str, kwargs: dict[str, Any]) -> Iterator[HookImpl]:
        spec = getattr(self.pm.hook, hook).spec
        if spec is None or set(kwargs) != set(spec.argnames):
            raise HookMisused(
                f"{hook} is called with {sorted(kwargs)}, its specification says {spec and spec.argnames}"
            )
        return self._impls(hook)

    def _impls(self, hook: str) -> Iterator[HookImpl]:
        # get_hookimpls() is in registration order; pluggy's own call would be LIFO.
        return (i for i in getattr(self.pm.hook, hook).get_hookimpls() if self.takes_part(i.plugin_name, hook))

    async def _run(self, impl: HookImpl, kwargs: dict[str, Any]) -> Any:
        async with asyncio.timeout(self.timeout_s):
            result = impl.function(*[kwargs[name] for name in impl.argnames])
            return await result if inspect.isawaitable(result) else result
