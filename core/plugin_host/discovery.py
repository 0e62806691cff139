"""Find plugins: entry points of the group ``minimall.plugins``, and only those on the allow-list."""

from __future__ import annotations

import importlib
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

GROUP = "minimall.plugins"
_DISTRIBUTION = "minimall"


def entry_points() -> dict[str, str]:
    """Return ``{plugin id: module}`` of all installed plugins. Imports none of them.

    In a checkout that is not installed the built-in plugins are read from its ``pyproject.toml``: the same table that
    an installation turns into entry points.
    """
    return _from_checkout() | {point.name: point.value for point in metadata.entry_points(group=GROUP)}


def _from_checkout() -> dict[str, str]:
    path = Path(__file__).parents[2] / "pyproject.toml"
    if not path.is_file():
        return {}
    project: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {})
    if project.get("name") != _DISTRIBUTION:
        return {}
    return dict(project.get("entry-points", {}).get(GROUP, {}))


def load(module: str) -> Any:
    """Import the module of an entry point (``package.module`` or ``package.module:object``)."""
    name, _, attribute = module.partition(":")
    found = importlib.import_module(name)
    return getattr(found, attribute) if attribute else found
