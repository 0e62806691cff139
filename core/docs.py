"""The reference pages that are made from the code: ``python -m core.docs`` writes them, ``--check`` refuses stale ones.

Hooks, errors, permissions and events are contracts; their pages cannot say anything else than the code does.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from core.events.types import Event
from core.hookspecs import MallSpec
from core.kernel.contracts import Permission
from core.kernel.errors import MallError
from core.plugin_host import discovery
from core.plugin_host.manifest import Plugin
from core.staff.permissions import CORE_PERMISSIONS

ROOT = Path(__file__).parents[1]
_PACKAGES = ("core", "storefront_api", "admin_api", "plugins")
_NOT_OF_THE_MALL = ("core.testing",)
_NOTE = "<!-- Made by `python -m core.docs` from the code. Do not edit. -->"
T = TypeVar("T")


def pages() -> dict[str, str]:
    """Return every generated page by its path below the root."""
    load_everything()
    return {
        "docs/hooks.md": hooks_page(),
        "docs/errors.md": errors_page(),
        "docs/permissions.md": permissions_page(),
        "docs/events.md": events_page(),
    }


def stale() -> list[str]:
    """Name the pages that do not say what the code says."""
    return [name for name, text in pages().items() if not _same(ROOT / name, text)]


def write() -> list[str]:
    """Write the pages that changed; return their names."""
    changed = stale()
    for name, text in pages().items():
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        if name in changed:
            (ROOT / name).write_text(text, encoding="utf-8")
    return changed


def load_everything() -> None:
    """Import every module of the mall, so that each of its classes is known."""
    for package in _PACKAGES:
        folder = str(ROOT / package)
        for module in pkgutil.walk_packages([folder], f"{package}."):
            if ".migrations" not in module.name and not module.name.startswith(_NOT_OF_THE_MALL):
                importlib.import_module(module.name)


def hook_names() -> list[str]:
    """Name every hook, in the order of ``core/hookspecs.py``."""
    return [name for name, value in vars(MallSpec).items() if inspect.isfunction(value) and not name.startswith("_")]


def hook_signature(name: str) -> str:
    """Write a hook as an implementation would: ``async order_guard(mall: Mall, …) -> …``."""
    function: Any = getattr(MallSpec, name)
    signature = inspect.signature(function)
    arguments = [p for p in signature.parameters.values() if p.name != "self"]
    text = str(signature.replace(parameters=arguments)).replace("'", "")
    return f"{'async ' if inspect.iscoroutinefunction(function) else ''}{name}{text}"


def hooks_page() -> str:
    """Every hook with its signature and its contract."""
    module = inspect.getmodule(MallSpec)
    parts = ["# Hooks", _NOTE, inspect.getdoc(module) or ""]
    for name in hook_names():
        contract = inspect.getdoc(getattr(MallSpec, name)) or ""
        parts.append(f"## {name}\n\n```python\n{hook_signature(name)}\n```\n\n{contract}")
    return _join(parts)


def error_classes() -> list[type[MallError]]:
    """Every refusal that has a code of its own, by code."""
    own = [c for c in below(MallError) if "code" in vars(c) and not _kit(c)]
    return sorted({MallError, *own}, key=lambda c: (c.code, c.__name__))


def errors_page() -> str:
    """Every refusal: code, status, the sentence in both languages, and the class that plugins import or catch."""
    rows = [(f"`{c.code}`", str(c.status), c.zh, c.en, f"`{c.__module__}.{c.__qualname__}`") for c in error_classes()]
    intro = (
        "A refusal is `application/problem+json` (RFC 9457) with one of these codes; codes are stable. Words in braces"
        " are facts of the case; they are also in the answer's `details`."
    )
    return _join(["# Errors", _NOTE, intro, _table(("code", "status", "zh-CN", "en", "class"), rows)])


def permissions_page() -> str:
    """Every permission of the core and of the built-in plugins."""
    rows = [_permission_row("core", p) for p in CORE_PERMISSIONS]
    for plugin_id, module in sorted(discovery.entry_points().items()):
        manifest: Plugin = discovery.load(module).PLUGIN
        rows += [_permission_row(plugin_id, p) for p in manifest.permissions]
    intro = "A role holds permissions by name; every admin operation names the one that it needs. `*` is all of them."
    return _join(["# Permissions", _NOTE, intro, _table(("name", "of", "zh-CN", "en"), rows)])


def event_classes() -> list[type[Event]]:
    """Every event that the mall emits, by name."""
    return sorted((c for c in below(Event) if c.name and not _kit(c)), key=lambda c: c.name)


def events_page() -> str:
    """Every event with its fields."""
    intro = (
        "Events are written in the transaction that makes them true and delivered after it, at least once. Each also"
        " carries `origin` (channel, store, staff), `at` and `event_id`."
    )
    parts = ["# Events", _NOTE, intro]
    for kind in event_classes():
        own = [f for f in msgspec.structs.fields(kind) if f.name not in Event.__struct_fields__]
        fields = "\n".join(f"- `{f.name}: {_type_name(kind, f.name)}`" for f in own)
        parts.append(
            f"## {kind.name}\n\n`{kind.__module__}.{kind.__qualname__}`: {inspect.getdoc(kind) or ''}\n\n{fields}"
        )
    return _join(parts)


def below(root: type[T]) -> Iterator[type[T]]:
    """Yield every class derived from ``root``, once."""
    seen: set[type[T]] = set()
    todo = list(root.__subclasses__())
    while todo:
        kind = todo.pop()
        if kind not in seen:
            seen.add(kind)
            todo += kind.__subclasses__()
            yield kind


def _kit(kind: type[Any]) -> bool:
    return not kind.__module__.startswith(_PACKAGES) or kind.__module__.startswith(_NOT_OF_THE_MALL)


def _type_name(kind: type[Any], field: str) -> str:
    for base in kind.__mro__:
        found = vars(base).get("__annotations__", {}).get(field)
        if found is not None:
            return found if isinstance(found, str) else inspect.formatannotation(found)
    return ""


def _permission_row(owner: str, permission: Permission) -> tuple[str, ...]:
    return f"`{permission.name}`", owner, permission.title.zh, permission.title.en


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _join(parts: Iterable[str]) -> str:
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def main(arguments: list[str], say: Callable[[str], object] = print) -> int:
    """Write the pages, or with ``--check`` name the stale ones and return 1."""
    checking = "--check" in arguments
    changed = stale() if checking else write()
    for name in changed:
        say(f"{name} is stale: run `python -m core.docs`" if checking else f"wrote {name}")
    return 1 if checking and changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
