"""The storefront face: what shoppers call. One module a resource, each with a list ``handlers``."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any


def handlers() -> list[Any]:
    """Collect the handlers of every module of this package."""
    found: list[Any] = []
    for module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
        found += getattr(importlib.import_module(f"{__name__}.{module}"), "handlers", [])
    return found
