"""The suite uses the kit that ships (``core.testing``): installed it loads itself, from a bare checkout it is named."""

from __future__ import annotations

from importlib.metadata import entry_points

if not entry_points(group="pytest11", name="minimall"):
    pytest_plugins = ("core.testing.pytest_plugin",)
