"""Run an import: read, parse, then write in pieces, each all or nothing; and the same as a job of the admin API."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import msgspec
import structlog

from core import db
from core.catalog import service as catalog
from core.catalog.categories import ensure_in_transaction
from core.catalog.types import UpsertResult
from core.events import audit, defer
from core.imports import pricerule, products, sheets, stores
from core.imports.errors import JobMissing, LocationMissing
from core.imports.types import MAX_REPORTED, ImportJobView, Kind, Options, Progress, Rejection, Report
from core.inventory import service as inventory
from core.kernel.contracts import Job
from core.kernel.errors import MallError, Problem
from core.kernel.mall import Mall
from core.kernel.origin import Actor
from core.stores import service as store_service

log = structlog.get_logger("mall.imports")
JOB = "imports.run"
STORES_A_PIECE = 500
PRODUCTS_A_PIECE = 100
DEFAULT_LOCATION = Options().location
_REASON = "import"
_VIEW = "id, kind, filename, dry_run, state, done, total, report, error, created_at, finished_at"


class _Undo(Exception):
    """Ends the transaction of a dry run."""


@contextlib.asynccontextmanager
async def _piece(*, dry_run: bool) -> AsyncGenerator[None, None]:
    """Open the transaction of one piece; a dry run does all of it and then undoes it."""
    with contextlib.suppress(_Undo):
        async with db.transaction():
            yield
            if dry_run:
                raise _Undo


async def run(
    mall: Mall, kind: Kind, content: bytes, options: Options, *, actor: Actor, progress: Progress | None = None
) -> Report:
    """Import a file of stores or products; importing the same file again changes nothing.

    A line that cannot be used is reported and left out; a product is taken whole or not at all. Raises
    ``FileUnreadable``, ``FormatUnknown``, ``PriceRuleInvalid``, ``OptionInvalid`` or ``LocationMissing`` before
    anything is written. A dry run writes nothing and reports the same.
    """
    sheet = sheets.read(content)
    tell = progress or _silent
    if kind == "stores":
        return await _stores(mall, sheet, options, actor=actor, tell=tell)
    return await _products(mall, sheet, options, actor=actor, tell=tell)


async def _silent(_done: int, _total: int) -> None:
    """Tell nobody."""


async def _stores(mall: Mall, sheet: sheets.Sheet, options: Options, *, actor: Actor, tell: Progress) -> Report:
    drafts, rejected = stores.parse(sheet, options)
    counts = {"created": 0, "changed": 0, "unchanged": 0}
    done = len(rejected)
    for start in range(0, len(drafts), STORES_A_PIECE):
        piece = drafts[start : start + STORES_A_PIECE]
        async with _piece(dry_run=options.dry_run):
            results = await store_service.upsert_in_transaction(mall, [d for _, d in piece], actor=actor)
            await inventory.ensure_store_locations(mall, [r.store_id for r in results if r.store_id is not None])
        for (line, _), result in zip(piece, results, strict=True):
            if result.outcome == "rejected":
                rejected.append(_from_problems(line, result.code, result.problems))
            else:
                counts[result.outcome] += 1
        done += len(piece)
        await tell(done, len(sheet.rows))
    return _report("stores", sheet, options, counts, rejected)


async def _products(mall: Mall, sheet: sheets.Sheet, options: Options, *, actor: Actor, tell: Progress) -> Report:
    rule = pricerule.parse(options.price_rule)
    parsed, rejected = products.parse(sheet, options, rule)
    if any(p.stock for p in parsed) and options.location != DEFAULT_LOCATION:
        await _location(options)  # a wrong one is refused before anything is written
    counts = {"created": 0, "changed": 0, "unchanged": 0}
    done = len(rejected)
    for start in range(0, len(parsed), PRODUCTS_A_PIECE):
        piece = parsed[start : start + PRODUCTS_A_PIECE]
        async with _piece(dry_run=options.dry_run):
            results = await _write(mall, piece, options, actor)
        for one, result in zip(piece, results, strict=True):
            if result.outcome == "refused":
                rejected += [_from_problems(line, one.draft.handle, result.problems) for line in one.lines]
            else:
                counts["changed" if result.outcome == "updated" else result.outcome] += 1
        done += sum(len(one.lines) for one in piece)
        await tell(done, len(sheet.rows))
    return _report("products", sheet, options, counts, rejected)


async def _write(mall: Mall, piece: Sequence[products.Parsed], options: Options, actor: Actor) -> list[UpsertResult]:
    paths = await ensure_in_transaction(mall, {p.category for p in piece if p.category}, actor=actor)
    drafts = [msgspec.structs.replace(p.draft, category_id=paths.get(p.category)) for p in piece]
    results = await catalog.upsert_in_transaction(mall, drafts, actor=actor)
    wanted = [
        (result.sku_ids[code], qty)
        for one, result in zip(piece, results, strict=True)
        for code, qty in one.stock.items()
        if code in result.sku_ids and qty > 0
    ]
    if wanted:
        location_id = await _location(options)
        # Only the stock of SKUs that are new here: the file's figure is old as soon as something is sold.
        known = await db.rows(
            "SELECT DISTINCT sku_id FROM stock_move WHERE location_id = $1 AND sku_id = ANY($2)",
            location_id,
            [sku_id for sku_id, _ in wanted],
        )
        counted = {r["sku_id"] for r in known}
        counts = [(sku_id, location_id, qty) for sku_id, qty in wanted if sku_id not in counted]
        if counts:
            await inventory.set_on_hand(mall, counts, reason=_REASON, actor=actor)
    return results


async def _location(options: Options) -> int:
    """Find the stock location by code; ``store:<code>`` is a store's; the default warehouse is made if need be."""
    store_code = options.location.removeprefix("store:")
    if store_code != options.location:
        sql = "SELECT l.id FROM location l JOIN store s ON s.id = l.store_id WHERE s.code = $1"
        found = await db.value(sql, store_code)
    else:
        if options.location == DEFAULT_LOCATION:
            await db.execute(
                "INSERT INTO location (kind, code, name) VALUES ('warehouse', $1, $1) ON CONFLICT DO NOTHING",
                options.location,
            )
        found = await db.value("SELECT id FROM location WHERE code = $1", options.location)
    if found is None:
        raise LocationMissing(location=options.location)
    return found


def _from_problems(line: int, subject: str, found: Sequence[Problem]) -> Rejection:
    first = found[0]
    return Rejection(line=line, subject=subject, column="", code=first.code, message=first.message)


def _report(
    kind: Kind, sheet: sheets.Sheet, options: Options, counts: dict[str, int], rejected: list[Rejection]
) -> Report:
    rejected.sort(key=lambda r: r.line)
    return Report(
        kind=kind, dry_run=options.dry_run, lines=len(sheet.rows), rejected_count=len(rejected),
        rejected=tuple(rejected[:MAX_REPORTED]), **counts,
    )  # fmt: skip


async def submit(
    mall: Mall, kind: Kind, filename: str, content: bytes, options: Options, *, actor: Actor
) -> ImportJobView:
    """Take an uploaded file in and let the job worker import it. Raises what makes the file unusable as a whole."""
    sheet = sheets.read(content)
    if kind == "stores":
        stores.parse(sheets.Sheet(sheet.columns, ()), options)
    else:
        products.parse(sheets.Sheet(sheet.columns, ()), options, pricerule.parse(options.price_rule))
    sql = (
        "INSERT INTO import_job (kind, filename, content, options, dry_run, total, staff_id, created_at) "  # noqa: S608 - a constant
        f"VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7, $8) RETURNING {_VIEW}"
    )
    async with db.transaction():
        job = await db.fetch_one(
            ImportJobView, sql, kind, filename[:200], content, db.json(options), options.dry_run, len(sheet.rows),
            actor.id, mall.clock.now(),
        )  # fmt: skip
        assert job is not None
        defer(mall, JOB, {"job_id": job.id, "actor": msgspec.to_builtins(actor)}, at=mall.clock.now())
        audit.record(mall, actor, "import.submit", subject_kind="import", subject_id=job.id,
                     after={"kind": kind, "filename": filename, "dry_run": options.dry_run})  # fmt: skip
    return job


async def get_job(mall: Mall, job_id: int) -> ImportJobView:
    """Return an import with its progress; raises ``JobMissing``."""
    job = await db.fetch_one(ImportJobView, f"SELECT {_VIEW} FROM import_job WHERE id = $1", job_id)  # noqa: S608 - a constant
    if job is None:
        raise JobMissing
    return job


async def list_jobs(mall: Mall, *, after_id: int | None, limit: int) -> list[ImportJobView]:
    return await db.fetch(
        ImportJobView,
        f"SELECT {_VIEW} FROM import_job WHERE $1::bigint IS NULL OR id < $1 ORDER BY id DESC LIMIT $2",  # noqa: S608 - a constant
        after_id,
        limit,
    )


async def run_job(mall: Mall, payload: dict[str, Any]) -> None:
    """Import an uploaded file. Run again after a crash it goes over the whole file: what is there stays as it is."""
    job_id = int(payload["job_id"])
    job = await db.row(
        "UPDATE import_job SET state = 'running' WHERE id = $1 AND state IN ('waiting', 'running') "
        "RETURNING kind, content, options",
        job_id,
    )
    if job is None:
        return
    actor = msgspec.convert(payload["actor"], Actor)

    async def progress(done: int, total: int) -> None:
        await db.execute("UPDATE import_job SET done = $2, total = $3 WHERE id = $1", job_id, done, total)

    options = msgspec.json.decode(job["options"], type=Options)
    try:
        report = await run(mall, job["kind"], bytes(job["content"]), options, actor=actor, progress=progress)
    except MallError as refusal:
        await _finish(mall, job_id, "failed", None, f"{refusal.code}: {refusal.sentence(mall.settings.mall_locale)}")
        return
    await _finish(mall, job_id, "done", report, None)


async def _finish(mall: Mall, job_id: int, state: str, report: Report | None, error: str | None) -> None:
    await db.execute(
        "UPDATE import_job SET state = $2::varchar, report = $3::jsonb, error = $4, finished_at = $5, content = NULL, "
        "done = CASE WHEN $2 = 'done' THEN total ELSE done END WHERE id = $1",
        job_id, state, None if report is None else db.json(report), error, mall.clock.now(),
    )  # fmt: skip


JOBS = (Job(name=JOB, run=run_job, max_runtime_s=900),)
