"""What a plugin must be before it is let in. Each check returns nothing or raises ``Unfit`` with one sentence."""

from __future__ import annotations

import importlib.util
import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pluggy
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from core.hookspecs import PROJECT, MallSpec
from core.plugin_host.manifest import API_VERSION, Plugin

if TYPE_CHECKING:
    from piccolo.conf.apps import AppConfig

_ID = re.compile(r"^(?=.{2,32}$)[a-z][a-z0-9]*(_[a-z0-9]+)*$")
_MIGRATION_ID = re.compile(r"""^ID = ['"](.+)['"]$""", re.MULTILINE)
_RESERVED = frozenset({"core", "mall", "admin", "storefront", "callbacks", "x"})


class Unfit(Exception):
    """The plugin cannot be used; the sentence says why. ``fault`` is how it is listed."""

    def __init__(self, reason: str, fault: Literal["faulty", "incompatible", "missing"] = "faulty") -> None:
        super().__init__(reason)
        self.fault: Literal["faulty", "incompatible", "missing"] = fault


def manifest(found: Any, plugin_id: str) -> Plugin:
    """Check the manifest of an entry point named ``plugin_id`` and return it."""
    plugin = getattr(found, "PLUGIN", None)
    if not isinstance(plugin, Plugin):
        raise Unfit("the entry point has no manifest: a module needs PLUGIN = Plugin(...)")
    if plugin.id != plugin_id:
        raise Unfit(f"the entry point is named {plugin_id!r} but the manifest says {plugin.id!r}")
    if not _ID.match(plugin.id) or plugin.id in _RESERVED:
        raise Unfit(f"{plugin.id!r} is not a plugin id: 2 to 32 of a-z, 0-9 and single _, starting with a letter")
    try:
        Version(plugin.version)
        wanted = SpecifierSet(plugin.core_api)
        for requirement in plugin.requires:
            Requirement(requirement)
    except (InvalidVersion, InvalidSpecifier, InvalidRequirement) as exc:
        raise Unfit(f"the manifest has an unreadable version or range: {exc}") from exc
    if not wanted.contains(API_VERSION):
        raise Unfit(f"it needs core_api {plugin.core_api}, this mall has {API_VERSION}", "incompatible")
    _permissions(plugin)
    config = plugin.config
    if config is not None and not getattr(getattr(config, "__struct_config__", None), "forbid_unknown_fields", False):
        raise Unfit("config must be a msgspec Struct with forbid_unknown_fields=True")
    return plugin


def _permissions(plugin: Plugin) -> None:
    names = [p.name for p in plugin.permissions]
    for name in names:
        if not name.startswith(f"{plugin.id}."):
            raise Unfit(f"the permission {name!r} must start with '{plugin.id}.'")
    if len(set(names)) != len(names):
        raise Unfit("the manifest names a permission twice")


def requirements(plugin: Plugin, fit: dict[str, Plugin]) -> None:
    """Check that what the plugin requires is there and usable, and that what it conflicts with is not."""
    for text in plugin.requires:
        wanted = Requirement(text)
        found = fit.get(wanted.name)
        if found is None:
            raise Unfit(
                f"it requires {text}, which is not installed, not in MALL_PLUGINS or not usable", "incompatible"
            )
        if not wanted.specifier.contains(found.version):
            raise Unfit(f"it requires {text}, found {found.version}", "incompatible")
    clash = sorted(set(plugin.conflicts) & set(fit))
    if clash:
        raise Unfit(f"it cannot run beside {', '.join(clash)}", "incompatible")


def migration_ids(plugin: Plugin) -> tuple[str, ...]:
    """Return the ids of the plugin's migrations, oldest first, read without importing them or Piccolo (it is slow)."""
    if plugin.piccolo_app is None:
        return ()
    found: list[str] = []
    for path in _migration_files(plugin.piccolo_app):
        if not path.name.startswith(f"mall_{plugin.id}_"):
            raise Unfit(f"the migration file {path.name} must start with 'mall_{plugin.id}_'")
        match = _MIGRATION_ID.search(path.read_text(encoding="utf-8"))
        if match is None:
            raise Unfit(f"the migration file {path.name} has no ID")
        found.append(match[1])
    return tuple(sorted(found))


def _migration_files(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise Unfit(f"there is no package {package}, which the manifest names as its piccolo_app")
    return sorted(p for p in (Path(spec.origin).parent / "migrations").glob("*.py") if p.name != "__init__.py")


def tables(plugin: Plugin) -> AppConfig | None:
    """Import the plugin's Piccolo app and check its names (traps 1 and 2 of architecture.md)."""
    if plugin.piccolo_app is None:
        return None
    from core.db import migrate  # noqa: PLC0415 - Piccolo's migration commands take 0.3 s; a web worker does not pay

    app = migrate.load_app(plugin.piccolo_app)
    if app.app_name != f"mall_{plugin.id}":
        raise Unfit(f"its Piccolo app must be named 'mall_{plugin.id}', not {app.app_name!r}")
    if migrate.files(app) != _migration_files(plugin.piccolo_app):
        raise Unfit("its migrations must be in the folder 'migrations' beside piccolo_app.py")
    for table in app.table_classes:
        name = table._meta.tablename  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - Piccolo's place for it
        if not name.startswith(f"{plugin.id}_"):
            raise Unfit(f"{table.__name__} needs an explicit tablename='{plugin.id}_…', it has {name!r}")
    return app


def hooks(plugin_id: str, implementer: Any) -> None:
    """Check the hook implementations in a plugin manager of their own, before the mall's ever sees them (trap 5)."""
    trial = pluggy.PluginManager(PROJECT)
    trial.add_hookspecs(MallSpec)
    try:
        trial.register(implementer, name=plugin_id)
        trial.check_pending()
    except pluggy.PluginValidationError as exc:
        raise Unfit(f"a hook does not fit: {str(exc).splitlines()[0]} ({exc})") from exc
    known = [name for name in vars(MallSpec) if not name.startswith("_")]
    for name in known:
        for impl in getattr(trial.hook, name).get_hookimpls():
            if impl.wrapper or impl.hookwrapper or impl.tryfirst or impl.trylast or impl.optionalhook:
                raise Unfit(f"{name}: wrappers, tryfirst, trylast and optionalhook are not allowed")
            wants_async = inspect.iscoroutinefunction(getattr(MallSpec, name))
            if inspect.iscoroutinefunction(impl.function) != wants_async:
                raise Unfit(f"{name} must be written with {'async def' if wants_async else 'def'}")
    for name in _unmarked(implementer, known):
        raise Unfit(f"{name} has the name of a hook but not the mark: write @hookimpl above it")


def _unmarked(implementer: Any, known: Iterable[str]) -> Iterable[str]:
    home = implementer.__name__ if inspect.ismodule(implementer) else type(implementer).__module__
    for name in known:
        function = getattr(implementer, name, None)
        mine = inspect.isroutine(function) and getattr(function, "__module__", None) == home
        if mine and not hasattr(function, f"{PROJECT}_impl"):
            yield name


def admin_routes(plugin: Plugin, handlers: Iterable[Any]) -> None:
    """Check that every admin handler names a permission of the manifest."""
    declared = {p.name for p in plugin.permissions}
    for name, opt in _handlers(handlers):
        permission = opt.get("permission")
        if permission not in declared:
            raise Unfit(f"the admin route {name} must carry opt={{'permission': …}} with a permission of the manifest")


def routes(handlers: Iterable[Any]) -> None:
    """Check that all are Litestar handlers or controllers."""
    list(_handlers(handlers))


def _handlers(handlers: Iterable[Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    for handler in handlers:
        if inspect.isclass(handler):  # a controller: its own handlers, each over the controller's opt
            shared: dict[str, Any] = getattr(handler, "opt", None) or {}
            for name, value in inspect.getmembers(handler, lambda v: hasattr(v, "opt") and hasattr(v, "fn")):
                yield f"{handler.__name__}.{name}", {**shared, **value.opt}
        elif hasattr(handler, "opt") and hasattr(handler, "fn"):
            yield getattr(handler, "handler_name", str(handler)), handler.opt
        else:
            raise Unfit(f"{handler!r} is neither a route handler nor a controller")


def owned_name(plugin_id: str, kind: str, name: str) -> None:
    """Check that a job or an event handler is named after its plugin."""
    if not name.startswith((f"{plugin_id}.", f"{plugin_id}_", f"{plugin_id}:")):
        raise Unfit(f"the {kind} {name!r} must be named '{plugin_id}.…'")


def extension(kind: Any) -> None:
    """Check the struct that validates a plugin's part of an order request."""
    if not getattr(getattr(kind, "__struct_config__", None), "forbid_unknown_fields", False):
        raise Unfit("register_order_extensions must return a msgspec Struct with forbid_unknown_fields=True")
