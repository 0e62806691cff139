"""What an import says about itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Literal

import msgspec

from core.kernel.i18n import Text

Kind = Literal["stores", "products"]
Progress = Callable[[int, int], Awaitable[None]]
"""Called with rows done and rows in all; may be slow, is never called inside a transaction."""

MAX_REPORTED = 1000


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """One line that was not taken, with the line's number in the file (the header is line 1)."""

    line: int
    subject: str
    column: str
    code: str
    message: Text


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to read a file.

    ``coord_sys``: the system of the file's coordinates where it has no column for it. ``hours``, ``services``: for
    stores without their own (``07:00-22:00``). ``price_rule``: see ``core.imports.pricerule``. ``location``: code of
    the warehouse (or ``store:<code>``) that takes the stock of new SKUs. ``publish``: put new products on sale.
    """

    coord_sys: Literal["gcj02", "wgs84", "bd09"] = "gcj02"
    hours: str = ""
    services: tuple[str, ...] = ("pickup",)
    price_rule: str = ""
    location: str = "main"
    publish: bool = True
    dry_run: bool = False


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a file. Counts are stores or products; ``rejected`` lists lines (at most 1,000 of them)."""

    kind: Kind
    dry_run: bool
    lines: int
    created: int
    changed: int
    unchanged: int
    rejected_count: int
    rejected: tuple[Rejection, ...]


class ImportJobView(msgspec.Struct, frozen=True, kw_only=True):
    """An import through the admin API. ``state``: waiting, running, done, failed."""

    id: int
    kind: Kind
    filename: str
    dry_run: bool
    state: str
    done: int
    total: int
    report: dict[str, Any] | None
    error: str | None
    created_at: datetime
    finished_at: datetime | None
