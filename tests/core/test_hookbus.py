"""Trap 5 of architecture.md: pluggy knows no async. The bus asks one plugin at a time, by name, with a time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pluggy
import pytest

from core.kernel.errors import Conflict, PluginUnavailable
from core.kernel.hookbus import HookBus, HookMisused

spec = pluggy.HookspecMarker("bells")
impl = pluggy.HookimplMarker("bells")


class Spec:
    @spec
    async def sound(self, bell: str, times: int) -> str | None: ...


class Silent(Conflict):
    code = "bells.silent"


class Bell:
    def __init__(self, answer: Callable[[], Any]) -> None:
        self.answer = answer

    @impl
    async def sound(self, bell: str) -> Any:
        return f"{bell}:{self.answer()}"


class Slow:
    @impl
    async def sound(self) -> str:
        await asyncio.sleep(60)
        return "late"


class Nothing:
    @impl
    async def sound(self) -> None:
        return None


def failing(error: Exception) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


def bus(takes_part: Callable[[str, str], bool] = lambda _p, _h: True, **plugins: object) -> HookBus:
    pm = pluggy.PluginManager("bells")
    pm.add_hookspecs(Spec)
    for name, plugin in plugins.items():
        pm.register(plugin, name=name)
    return HookBus(pm, takes_part=takes_part, timeout_s=0.2)


async def test_a_failing_plugin_refuses_a_strict_call_under_its_name() -> None:
    hooks = bus(one=Bell(lambda: "ding"), two=Bell(failing(RuntimeError("cracked"))))

    with pytest.raises(PluginUnavailable) as refused:
        await hooks.strict("sound", bell="b", times=1)

    assert refused.value.details == {"plugin": "two"}


async def test_a_failing_plugin_is_left_out_of_a_lenient_call_and_named() -> None:
    hooks = bus(one=Bell(failing(RuntimeError())), two=Bell(lambda: "dong"))

    answers = await hooks.lenient("sound", bell="b", times=1)

    assert answers.given == (("two", "b:dong"),)
    assert answers.failed == ("one",)


async def test_a_refusal_is_an_answer_and_passes_through_a_strict_call() -> None:
    with pytest.raises(Silent):
        await bus(one=Bell(failing(Silent()))).strict("sound", bell="b", times=1)


async def test_a_plugin_that_hangs_is_given_up() -> None:
    with pytest.raises(PluginUnavailable) as refused:
        await bus(slow=Slow()).strict("sound", bell="b", times=1)

    assert refused.value.details == {"plugin": "slow"}
    assert (await bus(slow=Slow()).lenient("sound", bell="b", times=1)).failed == ("slow",)


async def test_plugins_are_asked_in_the_order_of_their_registration() -> None:
    hooks = bus(b=Bell(lambda: 1), a=Bell(lambda: 2), n=Nothing(), c=Bell(lambda: 3))

    assert await hooks.strict("sound", bell="x", times=1) == (("b", "x:1"), ("a", "x:2"), ("c", "x:3"))


async def test_pluggy_alone_would_be_last_in_first_out_and_not_await() -> None:
    """The negative control of this trap: what the bus is for."""
    hooks = bus(a=Bell(lambda: 1), b=Bell(lambda: 2))

    raw = hooks.pm.hook.sound(bell="x", times=1)

    assert all(asyncio.iscoroutine(r) for r in raw)
    assert [await r for r in raw] == ["x:2", "x:1"]


async def test_only_plugins_that_take_part_are_asked() -> None:
    hooks = bus(
        lambda plugin, hook: (plugin, hook) == ("two", "sound"), one=Bell(failing(ValueError())), two=Bell(lambda: 2)
    )

    assert await hooks.strict("sound", bell="x", times=1) == (("two", "x:2"),)
    assert hooks.has("sound")
    assert not bus(lambda _p, _h: False, one=Bell(lambda: 1)).has("sound")


async def test_a_caller_that_forgets_an_argument_is_told_so_not_the_plugin() -> None:
    with pytest.raises(HookMisused, match="times"):
        await bus(one=Bell(lambda: 1)).strict("sound", bell="x")


def test_firstresult_is_refused() -> None:
    class FirstResult:
        @spec(firstresult=True)
        async def sound(self) -> None: ...

    pm = pluggy.PluginManager("bells")
    pm.add_hookspecs(FirstResult)

    with pytest.raises(HookMisused, match="firstresult"):
        HookBus(pm)
