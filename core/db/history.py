"""Which migrations exist and which were run, without Piccolo: every start asks, and its commands load slowly."""

from __future__ import annotations

import functools
import importlib.util
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.db.engine import rows, value

CORE_APPS = (
    "core.plugin_host", "core.events", "core.stores", "core.staff", "core.catalog", "core.members", "core.inventory",
    "core.carts", "core.payments", "core.orders", "core.fulfilment", "core.imports",
)  # fmt: skip
_ID = re.compile(r"""^ID = ["'](.+?)["']$""", re.MULTILINE)


def ids_in(folder: Path) -> list[str]:
    """Return the ids of the migration files of a folder, oldest first."""
    found = [_ID.search(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.py"))]
    return sorted(match.group(1) for match in found if match is not None)


@functools.cache
def core_ids() -> Mapping[str, Sequence[str]]:
    """Return the ids of the core's migrations by the name of their app, as they were when this process first asked."""
    found: dict[str, Sequence[str]] = {}
    for module in CORE_APPS:
        spec = importlib.util.find_spec(module)
        assert spec is not None
        assert spec.origin is not None
        found[f"mall_{module.rpartition('.')[2]}"] = ids_in(Path(spec.origin).parent / "migrations")
    return found


async def missing(wanted: Mapping[str, Sequence[str]]) -> list[str]:
    """Name those of ``wanted`` (ids by app) that were not run, as ``app:id``; one or two statements."""
    if await value("SELECT to_regclass('migration')") is None:
        return [f"{app}:{i}" for app, ids in wanted.items() for i in ids]
    done = {(r["app_name"], r["name"]) for r in await rows("SELECT app_name, name FROM migration")}
    return [f"{app}:{i}" for app, ids in wanted.items() for i in ids if (app, i) not in done]
