"""A plugin that cannot be used is listed with its reason, and the mall starts without it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import msgspec
import pluggy
import pytest
from litestar import Controller, get

from core.hookspecs import hookimpl
from core.kernel.contracts import DuplicateObject, EventHandler, Job, ObjectMissing, Permission
from core.kernel.i18n import Text
from core.kernel.mall import Mall
from core.payments.types import PaymentProvider
from core.plugin_host import Plugin, PluginInfo, boot, discovery
from core.settings import Settings


def a_manifest(plugin_id: str = "bells", **over: Any) -> Plugin:
    values: dict[str, Any] = {
        "id": plugin_id, "version": "1.2.0", "core_api": ">=1.0,<2", "title": Text("铃", "Bells"),
        "summary": Text("", ""), **over,
    }  # fmt: skip
    return Plugin(**values)


def a_plugin(*hooks: Callable[..., Any], manifest: Plugin | None = None, **over: Any) -> Any:
    """A plugin object: its manifest and the given functions as its hooks."""
    return SimpleNamespace(PLUGIN=manifest or a_manifest(**over), plugin=_with_hooks(hooks))


def _with_hooks(hooks: tuple[Callable[..., Any], ...]) -> object:
    return type("Hooks", (), {hook.__name__: staticmethod(hook) for hook in hooks})()


def boot_with(**plugins: Any) -> Mall:
    return boot(Settings(), plugin_ids=(), extra=plugins, environ={})


def the_fault(*hooks: Callable[..., Any], **over: Any) -> PluginInfo:
    """Boot a mall with one plugin ``bells`` and return how it is listed."""
    [info] = boot_with(bells=a_plugin(*hooks, **over)).plugins.info()
    return info


# manifest ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("over", "state", "reason"),
    [
        ({"core_api": ">=2"}, "incompatible", "needs core_api >=2"),
        ({"core_api": "one"}, "faulty", "unreadable version or range"),
        ({"version": "new"}, "faulty", "unreadable version or range"),
        ({"requires": ("gongs>=1",)}, "incompatible", "requires gongs>=1"),
        ({"requires": ("a b",)}, "faulty", "unreadable version or range"),
        ({"permissions": (Permission("orders.read", Text("", "")),)}, "faulty", "must start with 'bells.'"),
        ({"permissions": (Permission("bells.a", Text("", "")),) * 2}, "faulty", "twice"),
        ({"config": dict}, "faulty", "forbid_unknown_fields"),
        ({"piccolo_app": "core.nowhere"}, "faulty", "no package core.nowhere"),
        ({"piccolo_app": "core.orders"}, "faulty", "must start with 'mall_bells_'"),
    ],
)
def test_a_manifest_that_does_not_fit_is_listed_with_its_reason(over: dict[str, Any], state: str, reason: str) -> None:
    info = the_fault(**over)

    assert info.state == state
    assert reason in info.reason


@pytest.mark.parametrize("plugin_id", ["Bells", "b", "1bell", "be__lls", "bells_", "be-lls", "x" * 33, "core", "mall"])
def test_an_id_that_is_none_is_refused(plugin_id: str) -> None:
    [info] = boot(
        Settings(), plugin_ids=(), extra={plugin_id: a_plugin(plugin_id=plugin_id)}, environ={}
    ).plugins.info()

    assert info.state == "faulty"
    assert "is not a plugin id" in info.reason


def test_an_entry_point_and_its_manifest_must_agree() -> None:
    [info] = boot_with(gongs=a_plugin()).plugins.info()
    assert "the manifest says 'bells'" in info.reason


def test_a_module_without_a_manifest_is_faulty() -> None:
    [info] = boot_with(bells=SimpleNamespace(PLUGIN=None)).plugins.info()
    assert "no manifest" in info.reason


# discovery -----------------------------------------------------------------------------------------------------------


def test_only_plugins_on_the_allow_list_are_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    points = {"bells": "no.such.module", "gongs": "no.such.other"}
    monkeypatch.setattr(discovery, "entry_points", lambda: points)

    listed = boot(Settings(mall_plugins="bells, drums"), environ={}).plugins.info()

    assert [(i.id, i.state) for i in listed] == [("bells", "faulty"), ("drums", "missing")]
    assert "ModuleNotFoundError" in listed[0].reason


def test_a_plugin_that_fails_to_import_is_listed_and_the_others_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("bells_for_tests")
    module.PLUGIN = a_manifest()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(discovery, "entry_points", lambda: {"bells": module.__name__, "gongs": "this"})

    states = {i.id: i.state for i in boot(Settings(mall_plugins="bells,gongs"), environ={}).plugins.info()}

    assert states == {"bells": "disabled", "gongs": "faulty"}


def test_the_built_in_plugins_are_found() -> None:
    assert {"nearby_stores", "pay_at_store"} <= set(discovery.entry_points())


# hooks ---------------------------------------------------------------------------------------------------------------


@hookimpl
def order_sung(mall: Mall) -> None: ...


@hookimpl
async def order_guard(nonsense: int) -> None: ...


@pytest.mark.parametrize(("hook", "reason"), [(order_sung, "order_sung"), (order_guard, "nonsense")])
def test_unknown_hooks_and_arguments_are_refused(hook: Callable[..., Any], reason: str) -> None:
    info = the_fault(hook)

    assert info.state == "faulty"
    assert reason in info.reason


@pytest.mark.parametrize("option", ["tryfirst", "trylast", "wrapper", "hookwrapper", "optionalhook"])
def test_options_that_depend_on_others_are_refused(option: str) -> None:
    if option in ("wrapper", "hookwrapper"):

        @hookimpl(**{option: True})
        def register_jobs(mall: Mall) -> Any:
            yield

    else:

        @hookimpl(**{option: True})
        def register_jobs(mall: Mall) -> Any:
            return ()

    info = the_fault(register_jobs)

    assert info.state == "faulty"
    assert "register_jobs" in info.reason


def test_a_hook_of_the_wrong_kind_is_refused() -> None:
    @hookimpl
    def order_placing(order: Any) -> None: ...

    @hookimpl
    async def register_jobs(mall: Mall) -> Any: ...

    assert the_fault(order_placing).reason == "order_placing must be written with async def"
    assert the_fault(register_jobs).reason == "register_jobs must be written with def"


def test_a_hook_without_its_mark_is_noticed() -> None:
    class Forgetful:
        PLUGIN = a_manifest()

        async def order_placing(self, order: Any) -> None: ...

    [info] = boot_with(bells=Forgetful()).plugins.info()
    assert "write @hookimpl above it" in info.reason


def test_a_plugin_that_fails_while_it_registers_leaves_nothing_behind() -> None:
    async def wind(_mall: Mall, _payload: dict[str, Any]) -> None: ...

    @hookimpl
    def register_jobs(mall: Mall) -> Any:
        yield Job("bells.wind", wind)
        raise RuntimeError("out of rope")

    @hookimpl
    async def order_placing(order: Any) -> None: ...

    mall = boot_with(bells=a_plugin(register_jobs, order_placing, permissions=(Permission("bells.x", Text("", "")),)))

    [info] = mall.plugins.info()
    assert (info.state, info.reason) == ("faulty", "RuntimeError: out of rope")
    with pytest.raises(ObjectMissing):
        mall.objects.get(Job, "bells.wind", even_inactive=True)
    assert mall.objects.owner(Permission, "bells.x") is None
    assert mall.hooks.pm.hook.order_placing.get_hookimpls() == []


@pytest.mark.parametrize("kind", ["job", "event handler"])
def test_jobs_and_handlers_are_named_after_their_plugin(kind: str) -> None:
    async def wind(_mall: Mall, _given: Any) -> None: ...

    @hookimpl
    def register_jobs(mall: Mall) -> Any:
        return [Job("orders.wind", wind)] if kind == "job" else []

    @hookimpl
    def register_event_handlers(mall: Mall) -> Any:
        return [EventHandler("orders.wind", object, wind)] if kind != "job" else []

    assert the_fault(register_jobs, register_event_handlers).reason.startswith(f"the {kind} 'orders.wind'")


class Provider:
    def __init__(self, code: str) -> None:
        self.code = code
        self.title = Text(code, code)


def test_two_owners_of_one_code_stop_the_start() -> None:
    @hookimpl
    def register_payment_providers(mall: Mall) -> Any:
        return [Provider("bell_pay")]

    one, two = a_plugin(register_payment_providers), a_plugin(register_payment_providers, plugin_id="gongs")

    with pytest.raises(DuplicateObject, match="gongs registers PaymentProvider 'bell_pay', which bells already has"):
        boot_with(bells=one, gongs=two)


# routes --------------------------------------------------------------------------------------------------------------


@get("/toll", opt={"permission": "bells.toll"})
async def toll() -> None: ...


@get("/open")
async def unguarded() -> None: ...


class Tower(Controller):
    path = "/tower"
    opt: ClassVar[dict[str, str]] = {"permission": "bells.toll"}

    @get("/")
    async def inside(self) -> None: ...

    @get("/top", opt={"permission": "orders.read"})
    async def top(self) -> None: ...


@pytest.mark.parametrize("handler", [unguarded, Tower, toll], ids=["none", "another's", "undeclared"])
def test_an_admin_route_without_a_declared_permission_is_refused(handler: Any) -> None:
    @hookimpl
    def register_admin_routes(mall: Mall) -> Any:
        return [handler]

    declared = () if handler is toll else (Permission("bells.toll", Text("", "")),)
    info = the_fault(register_admin_routes, permissions=declared)

    assert info.state == "faulty"
    assert "permission of the manifest" in info.reason


def test_what_is_no_route_is_refused() -> None:
    @hookimpl
    def register_storefront_routes(mall: Mall) -> Any:
        return ["/toll"]

    assert "neither a route handler nor a controller" in the_fault(register_storefront_routes).reason


def test_routes_are_kept_by_face_and_plugin() -> None:
    @hookimpl
    def register_admin_routes(mall: Mall) -> Any:
        return [toll]

    mall = boot_with(bells=a_plugin(register_admin_routes, permissions=(Permission("bells.toll", Text("", "")),)))

    assert mall.plugins.routes("admin") == [("bells", (toll,))]
    assert mall.plugins.routes("storefront") == []
    assert mall.objects.owner(Permission, "bells.toll") == "bells"


def test_an_order_extension_must_forbid_unknown_fields() -> None:
    class Loose(msgspec.Struct): ...

    @hookimpl
    def register_order_extensions(mall: Mall) -> Any:
        return Loose

    assert "forbid_unknown_fields" in the_fault(register_order_extensions).reason


def test_commands_and_demo_data_are_offered() -> None:
    async def load(_mall: Mall) -> None: ...

    added: list[object] = []

    @hookimpl
    def register_commands(group: Any) -> None:
        added.append(group)

    @hookimpl
    def register_demo_data(mall: Mall) -> Any:
        return load

    mall = boot_with(bells=a_plugin(register_commands, register_demo_data))
    [(plugin_id, add)] = mall.plugins.commands()
    add("the group")

    assert (plugin_id, added) == ("bells", ["the group"])
    assert mall.plugins.demo_loaders() == [("bells", load)]


# order ---------------------------------------------------------------------------------------------------------------


def test_plugins_are_registered_after_what_they_require_then_by_id() -> None:
    plugins = {
        "zebra": a_plugin(plugin_id="zebra"),
        "apple": a_plugin(plugin_id="apple", requires=("zebra>=1",)),
        "mango": a_plugin(plugin_id="mango"),
    }
    mall = boot_with(**plugins)

    assert list(mall.plugins.loaded) == ["mango", "zebra", "apple"]
    assert [i.state for i in mall.plugins.info()] == ["enabled"] * 3


def test_a_plugin_falls_with_what_it_requires() -> None:
    mall = boot_with(
        bells=a_plugin(core_api=">=9"),
        gongs=a_plugin(plugin_id="gongs", requires=("bells",)),
        drums=a_plugin(plugin_id="drums"),
    )
    states = {i.id: i.state for i in mall.plugins.info()}
    assert states == {"bells": "incompatible", "gongs": "incompatible", "drums": "enabled"}


def test_a_version_that_is_too_old_does_not_do() -> None:
    mall = boot_with(bells=a_plugin(), gongs=a_plugin(plugin_id="gongs", requires=("bells>=2",)))
    assert "requires bells>=2, found 1.2.0" in mall.plugins.info()[1].reason


def test_plugins_that_require_each_other_in_a_circle_are_refused() -> None:
    mall = boot_with(bells=a_plugin(requires=("gongs",)), gongs=a_plugin(plugin_id="gongs", requires=("bells",)))
    assert {i.state for i in mall.plugins.info()} == {"incompatible"}


def test_plugins_that_conflict_do_not_run_together() -> None:
    mall = boot_with(bells=a_plugin(), gongs=a_plugin(plugin_id="gongs", conflicts=("bells",)))
    assert [(i.id, i.state) for i in mall.plugins.info()] == [("bells", "enabled"), ("gongs", "incompatible")]


def test_each_mall_has_a_plugin_manager_of_its_own() -> None:
    one, two = boot_with(bells=a_plugin()), boot_with()
    assert one.hooks.pm.has_plugin("bells")
    assert not two.hooks.pm.has_plugin("bells")
    assert isinstance(one.hooks.pm, pluggy.PluginManager)


def test_the_core_registers_its_own_objects() -> None:
    mall = boot_with()
    assert list(mall.objects.all(Job))
    assert all(owner == "core" for _, owner, _ in mall.objects.all(Job))
    assert list(mall.objects.all(PaymentProvider)) == []
