"""The audit trail: written by ``core.events.audit`` beside each change, read here."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from core import db
from core.events.audit import record as audit
from core.staff.types import AuditView

if TYPE_CHECKING:
    from core.kernel.mall import Mall

__all__ = ("AuditFilter", "audit", "list_audit")


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for; ``since`` is included, ``until`` is not. ``action`` may end in ``*`` (``product.*``)."""

    actor_kind: str | None = None
    actor_id: int | None = None
    action: str | None = None
    subject_kind: str | None = None
    subject_id: str | None = None
    store_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None


_LIST = """
SELECT id, actor_kind, actor_id, actor_name, action, subject_kind, subject_id, store_id, before, after, request_id, ip,
       at
  FROM audit_entry
 WHERE ($1::bigint IS NULL OR id < $1)
   AND ($2::text IS NULL OR actor_kind = $2) AND ($3::bigint IS NULL OR actor_id = $3)
   AND ($4::text IS NULL OR action = $4 OR (right($4, 1) = '*' AND starts_with(action, left($4, -1))))
   AND ($5::text IS NULL OR subject_kind = $5) AND ($6::text IS NULL OR subject_id = $6)
   AND ($7::bigint IS NULL OR store_id = $7)
   AND ($8::timestamptz IS NULL OR at >= $8) AND ($9::timestamptz IS NULL OR at < $9)
   AND ($10::bigint[] IS NULL OR store_id = ANY($10))
 ORDER BY id DESC LIMIT $11
"""


async def list_audit(
    mall: Mall,
    wanted: AuditFilter,
    *,
    scope: tuple[int, ...] | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[AuditView]:
    """List changes, newest first.

    A ``scope`` of stores shows what happened in them; mall-wide changes need all stores (``None``).
    """
    return await db.fetch(
        AuditView, _LIST, before_id, wanted.actor_kind, wanted.actor_id, wanted.action, wanted.subject_kind,
        wanted.subject_id, wanted.store_id, wanted.since, wanted.until, scope, limit,
    )  # fmt: skip
