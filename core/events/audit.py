"""The audit trail: who changed what, written in the transaction of the change.

It stands beside the events because every domain records here while the table (``audit_entry``) belongs to the staff's
own domain, which the others may not import.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from core import db
from core.kernel import request
from core.kernel.mall import Mall
from core.kernel.origin import Actor

_KEY = "core.events.audit"
_INSERT = """
INSERT INTO audit_entry (actor_kind, actor_id, actor_name, action, subject_kind, subject_id, store_id, before, after,
                         request_id, ip, at)
SELECT * FROM jsonb_to_recordset($1::jsonb)
    AS e(actor_kind text, actor_id bigint, actor_name text, action text, subject_kind text, subject_id text,
         store_id bigint, before jsonb, after jsonb, request_id text, ip text, at timestamptz)
"""


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    actor_kind: str
    actor_id: int | None
    actor_name: str
    action: str
    subject_kind: str
    subject_id: str
    store_id: int | None
    before: Any
    after: Any
    request_id: str
    ip: str
    at: datetime


def record(
    mall: Mall,
    actor: Actor,
    action: str,
    *,
    subject_kind: str,
    subject_id: int | str,
    store_id: int | None = None,
    before: object = None,
    after: object = None,
) -> None:
    """Note one change for the audit trail; all notes of a transaction are written in one statement before it commits.

    ``action`` is ``<subject>.<verb>`` (``product.update``). ``before`` and ``after`` are anything msgspec can encode,
    without secrets. Request id and address come from ``core.kernel.request``. Must run inside a transaction.
    """
    seen = request.current.get()
    entries = db.bag(_KEY, list[_Entry])
    entries.append(
        _Entry(
            actor_kind=actor.kind,
            actor_id=actor.id,
            actor_name=actor.name[:64],
            action=action,
            subject_kind=subject_kind,
            subject_id=str(subject_id),
            store_id=store_id,
            before=before,
            after=after,
            request_id=seen.request_id[:64],
            ip=seen.ip[:64],
            at=mall.clock.now(),
        )
    )
    db.before_commit(_KEY, _flush)


async def _flush() -> None:
    # The list is asked for again: a savepoint that was undone has put an older one in its place.
    entries = db.bag(_KEY, list[_Entry])
    if entries:
        await db.execute(_INSERT, db.json(entries))
