"""The outbox: what a transaction wants told or done is written with it, or not at all.

``emit`` and ``defer`` only note it down; before the commit all events with their deliveries go to the database in one
statement, and all deferred jobs in another.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from core import db
from core.kernel.contracts import CORE, EventHandler, Job
from core.kernel.errors import Invalid

if TYPE_CHECKING:
    from core.events.types import Event
    from core.kernel.mall import Mall

WAKE = "mall_events"
"""The PostgreSQL channel that wakes the worker when something is due."""

_EVENTS = "core.events.outbox"
_JOBS = "core.events.jobs"
_NOT_PAYLOAD = ("event_id",)

# One statement: ids are drawn first, so that deliveries can name them.
_INSERT = f"""
WITH fresh AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('event', 'id')) AS id, e.*
      FROM jsonb_to_recordset($1::jsonb) AS e(name text, payload jsonb, channel text, store_id bigint, staff_id bigint,
                                              at timestamptz, handlers text[])
), kept AS (
    INSERT INTO event (id, name, payload, channel, store_id, staff_id, at)
    SELECT id, name, payload, channel, store_id, staff_id, at FROM fresh
), owed AS (
    INSERT INTO event_delivery (event_id, handler, state, tries, due_at)
    SELECT f.id, h.name, 'due', 0, f.at FROM fresh f, unnest(f.handlers) AS h(name)
)
SELECT pg_notify('{WAKE}', '') WHERE EXISTS (SELECT 1 FROM fresh WHERE cardinality(handlers) > 0)
"""  # noqa: S608 - the channel is a constant


class PayloadInvalid(Invalid):
    """A job's payload cannot be written as JSON: a fault of the code that defers it."""

    code = "events.payload_invalid"
    zh = "任务 {job} 的参数无法保存。"
    en = "The payload of job {job} cannot be stored."


class _Noted(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    payload: dict[str, Any]
    channel: str
    store_id: int | None
    staff_id: int | None
    at: datetime
    handlers: list[str]


class _Deferred(msgspec.Struct, frozen=True, kw_only=True):
    job: str
    payload: bytes
    wait: timedelta
    key: str | None


def emit(mall: Mall, event: Event) -> None:
    """Tell the handlers of ``event`` after the commit of the running transaction, each at least once.

    It is owed to the handlers of the core and of the plugins that are on (or draining) now; one that is switched off
    later gets it when it is on again. ``event.at`` is the mall's clock unless it is set. Must run in a transaction.
    """
    at = event.at or mall.clock.now()
    payload: dict[str, Any] = msgspec.to_builtins(event)
    payload["at"] = msgspec.to_builtins(at)
    for name in _NOT_PAYLOAD:
        payload.pop(name, None)
    noted: list[_Noted] = db.bag(_EVENTS, list[_Noted])
    noted.append(
        _Noted(
            name=event.name,
            payload=payload,
            channel=event.origin.channel,
            store_id=event.origin.store_id,
            staff_id=event.origin.staff_id,
            at=at,
            handlers=[
                handler
                for handler, owner, found in mall.objects.all(EventHandler, even_inactive=True)
                if found.event.name == event.name and works(mall, owner)
            ],
        )
    )
    db.before_commit(_EVENTS, _flush_events)


def defer(mall: Mall, job_name: str, payload: dict[str, Any], *, at: datetime, key: str | None = None) -> None:
    """Run a registered job at ``at`` or soon after, if the running transaction commits.

    While a job with the same ``key`` waits or runs, another is not added (``key`` is per job). The wait is counted by
    the database's clock from now on; the job itself must look at ``mall.clock``. Must run in a transaction. Raises
    ``ObjectMissing`` for a job that nobody registered.
    """
    mall.objects.get(Job, job_name, even_inactive=True)
    try:
        encoded = msgspec.json.encode(payload)
    except TypeError as exc:
        raise PayloadInvalid(job=job_name) from exc
    noted: list[_Deferred] = db.bag(_JOBS, list[_Deferred])
    wait = max(at - mall.clock.now(), timedelta(0))
    noted.append(
        _Deferred(job=job_name, payload=encoded, wait=wait, key=f"{job_name}:{key}" if key is not None else None)
    )
    db.before_commit(_JOBS, _flush_jobs)


def works(mall: Mall, owner: str) -> bool:
    """Say whether the handlers and jobs of ``owner`` run: the core's, and those of plugins that are on or draining."""
    ask: Callable[[str], bool] | None = getattr(mall.plugins, "works", None)
    return owner == CORE or ask is None or ask(owner)


async def _flush_events() -> None:
    # The list is asked for again: a savepoint that was undone has put an older one in its place.
    noted: list[_Noted] = db.bag(_EVENTS, list[_Noted])
    if noted:
        await db.execute(_INSERT, db.json(noted))


async def _flush_jobs() -> None:
    noted: list[_Deferred] = db.bag(_JOBS, list[_Deferred])
    if noted:
        from core.events.joined import enqueue  # noqa: PLC0415 - see preload

        await enqueue(
            [n.job for n in noted], [n.payload for n in noted], [n.wait for n in noted], [n.key for n in noted]
        )


def preload() -> None:
    """Import PgQueuer (0.4 s), so that the first order of a process does not wait for it. For a thread, after start."""
    importlib.import_module("core.events.joined")
