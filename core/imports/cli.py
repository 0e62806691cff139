"""``mall import stores|products FILE``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from core.kernel.origin import Actor

if TYPE_CHECKING:
    from core.cli import Runner
    from core.imports.types import Kind, Report
    from core.kernel.mall import Mall

SHOWN = 20
MAX_FILE = 50 * 1024 * 1024


@click.group(help="Load stores and products from files.")
def group() -> None:
    """Hold the commands."""


_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_DRY = click.option("--dry-run", is_flag=True, help="Report what would happen and write nothing.")


@group.command("stores")
@_FILE
@_DRY
@click.option(
    "--coord", "coord_sys", type=click.Choice(["gcj02", "wgs84", "bd09"]), default="gcj02", show_default=True,
    help="Coordinate system of the file, where it has no column coord_sys.",
)  # fmt: skip
@click.option("--hours", default="", help="Opening hours of stores without their own, like 07:00-22:00.")
@click.option("--services", default="pickup", show_default=True, help="Services of stores without their own, by comma.")
@click.pass_obj
def stores(runner: Runner, file: Path, *, services: str, **options: Any) -> None:
    """Load stores from a .csv or .xlsx FILE: the mall's own columns, or a chain-store export."""
    _import(runner, "stores", file, services=tuple(s.strip() for s in services.split(",") if s.strip()), **options)


@group.command("products")
@_FILE
@_DRY
@click.option(
    "--price-rule", default="", help="For files without prices: base=28;Size.Grande=+3;Milk.Soy Milk=+3 (yuan)."
)
@click.option(
    "--location", default="main", show_default=True, help="Stock location for new SKUs: a code, or store:<code>."
)
@click.option("--publish/--draft", default=True, show_default=True, help="Put new products on sale at once.")
@click.pass_obj
def products(runner: Runner, file: Path, **options: Any) -> None:
    """Load products from a .csv or .xlsx FILE: Shopify's product export, the mall's own columns, or a menu."""
    _import(runner, "products", file, **options)


def _import(runner: Runner, kind: Kind, file: Path, **options: Any) -> None:
    from core.imports.errors import FileUnreadable  # noqa: PLC0415 - `mall --help` needs none of this
    from core.imports.service import run  # noqa: PLC0415 - as above
    from core.imports.types import Options  # noqa: PLC0415 - as above

    if file.stat().st_size > MAX_FILE:
        raise FileUnreadable(reason=f"it is larger than {MAX_FILE // 1024 // 1024} MiB")
    content = file.read_bytes()
    console = Console()
    columns = (TextColumn(f"importing {kind}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())

    async def work(mall: Mall) -> Report:
        with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
            task = bar.add_task(kind, total=None)

            async def progress(done: int, total: int) -> None:
                bar.update(task, completed=done, total=total)

            actor = Actor(kind="system", name="mall import")
            return await run(mall, kind, content, Options(**options), actor=actor, progress=progress)

    _print(console, runner.run(work))


def _print(console: Console, report: Report) -> None:
    would = " (dry run: nothing was written)" if report.dry_run else ""
    console.print(
        f"{report.lines} lines: [green]{report.created} {report.kind} created[/], {report.changed} changed, "
        f"{report.unchanged} unchanged, [{'red' if report.rejected_count else 'green'}]{report.rejected_count} lines "
        f"rejected[/]{would}"
    )
    if not report.rejected:
        return
    table = Table("line", "subject", "column", "why", box=None, title_justify="left")
    for one in report.rejected[:SHOWN]:
        table.add_row(str(one.line), one.subject, one.column, f"{one.message.en} ({one.code})")
    console.print(table)
    if report.rejected_count > SHOWN:
        console.print(f"… and {report.rejected_count - SHOWN} more")
    raise SystemExit(2)
