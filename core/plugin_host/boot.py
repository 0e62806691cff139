"""Build a mall: load the plugins of the allow-list, check them, and collect what the core and they register.

Touches neither the database nor Redis. A plugin that cannot be used is listed with its reason and the mall starts
without it; only two owners of one code stop the start (``DuplicateObject``): nobody could say who takes the money.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy
import structlog
from packaging.requirements import Requirement

from core.hookspecs import PROJECT, MallSpec
from core.kernel.clock import Clock, SystemClock
from core.kernel.contracts import DuplicateObject, EventHandler, Job, NotificationChannel, Objects, Permission
from core.kernel.hookbus import HookBus
from core.kernel.i18n import Text
from core.kernel.mall import Mall
from core.members.types import IdentityProvider
from core.orders.types import FulfilmentMethod
from core.payments.types import PaymentProvider
from core.plugin_host import checks, config, discovery
from core.plugin_host.checks import Unfit
from core.plugin_host.errors import PluginSettingsInvalid
from core.plugin_host.manifest import API_VERSION, Plugin
from core.plugin_host.states import Face, Loaded, PluginStates

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from core.settings import Settings

log = structlog.get_logger("mall.plugins")

# Each may have a ``wiring`` module whose ``register(mall)`` adds the domain's own objects, jobs and event handlers.
DOMAINS = (
    "events", "stores", "staff", "catalog", "members", "inventory", "pricing", "carts", "payments", "orders",
    "fulfilment", "imports", "plugin_host",
)  # fmt: skip
_PROVIDERS: tuple[tuple[str, type[Any]], ...] = (
    ("register_payment_providers", PaymentProvider),
    ("register_identity_providers", IdentityProvider),
    ("register_fulfilment_methods", FulfilmentMethod),
    ("register_notification_channels", NotificationChannel),
)
_FACES: tuple[tuple[str, Face], ...] = (
    ("register_storefront_routes", "storefront"),
    ("register_admin_routes", "admin"),
    ("register_callback_routes", "callback"),
)


def boot(
    settings: Settings,
    *,
    clock: Clock | None = None,
    plugin_ids: Iterable[str] | None = None,
    extra: Mapping[str, Any] | None = None,
    redis: Redis | None = None,
    environ: dict[str, str] | None = None,
    check_tables: bool = True,
) -> Mall:
    """Return a mall with its plugins loaded and off; ``attach`` reads which of them are on.

    ``plugin_ids`` replaces the allow-list of the settings. ``extra`` adds plugin objects by id, as tests do: an object
    without ``PLUGIN`` gets a bare manifest, and they are on unless the database says otherwise. ``environ`` replaces
    the process environment for plugin settings. ``check_tables=False`` is for serving processes, which save the import
    of Piccolo's commands: ``mall migrate`` has checked, and what it did not migrate stays off. Raises
    ``DuplicateObject``.
    """
    pm = pluggy.PluginManager(PROJECT)
    pm.add_hookspecs(MallSpec)
    states = PluginStates(environ=environ)
    mall = Mall(
        settings=settings,
        hooks=HookBus(pm, takes_part=states.takes_part),
        clock=clock or SystemClock(),
        objects=Objects(active=states.is_enabled),
        redis=redis,
        plugins=states,
    )
    for domain in DOMAINS:
        name = f"core.{domain}.wiring"
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name).register(mall)
    found = _find(settings.plugin_ids if plugin_ids is None else tuple(plugin_ids), dict(extra or {}))
    for plugin in _in_order(found):
        states.loaded[plugin.manifest.id] = plugin
        if plugin.fault is None:
            _guarded(plugin, lambda plugin=plugin: _let_in(mall, plugin, check_tables=check_tables))
        if plugin.fault is not None:
            log.warning("plugin not usable", plugin=plugin.manifest.id, state=plugin.fault, reason=plugin.reason)
    return mall


def _find(plugin_ids: tuple[str, ...], extra: dict[str, Any]) -> list[Loaded]:
    points = discovery.entry_points() if plugin_ids else {}
    found: list[Loaded] = []
    for plugin_id in dict.fromkeys(plugin_ids):
        plugin = Loaded(_bare(plugin_id))
        found.append(plugin)
        if plugin_id not in points:
            plugin.fault, plugin.reason = "missing", "no installed package has this plugin"
            continue
        _guarded(plugin, lambda plugin=plugin, module=points[plugin_id]: _read(plugin, discovery.load(module)))
    for plugin_id, given in extra.items():
        plugin = Loaded(_bare(plugin_id), always_on=True)
        found.append(plugin)
        if hasattr(given, "PLUGIN"):
            _guarded(plugin, lambda plugin=plugin, given=given: _read(plugin, given))
        else:
            plugin.module = given
    return found


def _read(plugin: Loaded, module: Any) -> None:
    plugin.manifest = checks.manifest(module, plugin.manifest.id)
    plugin.module = module


def _bare(plugin_id: str) -> Plugin:
    return Plugin(
        id=plugin_id, version="0", core_api=f"=={API_VERSION}", title=Text(plugin_id, plugin_id), summary=Text("", "")
    )


def _guarded(plugin: Loaded, step: Callable[[], None]) -> None:
    """Run one step of loading; what it raises becomes the plugin's listed fault."""
    try:
        step()
    except DuplicateObject:
        raise
    except Unfit as exc:
        plugin.fault, plugin.reason = exc.fault, str(exc)
    except PluginSettingsInvalid as exc:
        plugin.fault, plugin.reason = "faulty", str(exc)
    except Exception as exc:  # noqa: BLE001 - whatever a plugin raises while it loads is its fault, not the mall's
        plugin.fault, plugin.reason = "faulty", f"{type(exc).__name__}: {exc}"


def _in_order(found: list[Loaded]) -> list[Loaded]:
    """Sort so that what a plugin requires comes before it, by id among equals; a cycle is a fault of its members."""
    waiting = {p.manifest.id: p for p in sorted(found, key=lambda p: p.manifest.id)}
    ordered: list[Loaded] = []
    while waiting:
        ready = next((p for p in waiting.values() if not _needs(p) & set(waiting)), None)
        if ready is None:
            ready = next(iter(waiting.values()))
            ready.fault, ready.reason = "incompatible", f"it requires itself in a circle: {', '.join(waiting)}"
        ordered.append(waiting.pop(ready.manifest.id))
    return ordered


def _needs(plugin: Loaded) -> set[str]:
    return set() if plugin.fault else {Requirement(r).name for r in plugin.manifest.requires}


def _let_in(mall: Mall, plugin: Loaded, *, check_tables: bool) -> None:
    states: PluginStates = mall.plugins
    manifest = plugin.manifest
    implementer = getattr(plugin.module, "plugin", plugin.module)
    fit = {i: p.manifest for i, p in states.loaded.items() if p.fault is None and i != manifest.id}
    checks.requirements(manifest, fit)
    plugin.migration_ids = checks.migration_ids(manifest)
    if check_tables:
        plugin.app = checks.tables(manifest)
    checks.hooks(manifest.id, implementer)
    config.build(manifest, {}, states.environ)
    mall.hooks.pm.register(implementer, name=manifest.id)
    try:
        _register(mall, plugin)
    except BaseException:
        mall.hooks.pm.unregister(name=manifest.id)
        mall.objects.remove_owner(manifest.id)
        raise


def _register(mall: Mall, plugin: Loaded) -> None:
    owner = plugin.manifest.id
    for permission in plugin.manifest.permissions:
        mall.objects.add(Permission, permission.name, permission, owner=owner)
    for hook, face in _FACES:
        handlers = tuple(_ask(mall, owner, hook) or ())
        checks.routes(handlers)
        if face == "admin":
            checks.admin_routes(plugin.manifest, handlers)
        plugin.routes[face] = handlers
    for hook, kind in _PROVIDERS:
        for provider in _ask(mall, owner, hook) or ():
            mall.objects.add(kind, provider.code, provider, owner=owner)
    for handler in _ask(mall, owner, "register_event_handlers") or ():
        checks.owned_name(owner, "event handler", handler.name)
        mall.objects.add(EventHandler, handler.name, handler, owner=owner)
    for job in _ask(mall, owner, "register_jobs") or ():
        checks.owned_name(owner, "job", job.name)
        mall.objects.add(Job, job.name, job, owner=owner)
    plugin.extension = _ask(mall, owner, "register_order_extensions")
    if plugin.extension is not None:
        checks.extension(plugin.extension)
    plugin.demo = _ask(mall, owner, "register_demo_data")
    if _implementation(mall, owner, "register_commands") is not None:
        plugin.commands = lambda group: _ask(mall, owner, "register_commands", group=group)


def _ask(mall: Mall, owner: str, hook: str, **kwargs: Any) -> Any:
    implementation = _implementation(mall, owner, hook)
    if implementation is None:
        return None
    known = {"mall": mall, **kwargs}
    return implementation.function(*[known[name] for name in implementation.argnames])


def _implementation(mall: Mall, owner: str, hook: str) -> pluggy.HookImpl | None:
    found = getattr(mall.hooks.pm.hook, hook).get_hookimpls()
    return next((impl for impl in found if impl.plugin_name == owner), None)
