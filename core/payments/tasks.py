"""Staff tasks: what the mall cannot decide by itself and puts in front of a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from core import db
from core.events import audit
from core.kernel.mall import Mall
from core.kernel.origin import Actor
from core.payments.errors import TaskNotOpen

TaskKind = Literal[
    "orphan_payment", "payment_mismatch", "duplicate_payment", "late_payment", "capture_stuck", "cancel_stuck"
]


class StaffTaskView(msgspec.Struct, frozen=True, kw_only=True):
    """Something that needs a person."""

    id: int
    kind: str
    subject_kind: str
    subject_id: str
    store_id: int | None
    details: dict[str, Any]
    state: str
    note: str
    done_by: int | None
    created_at: datetime
    done_at: datetime | None


async def raise_task(
    mall: Mall, kind: TaskKind, *, subject_kind: str, subject_id: str, store_id: int | None, details: dict[str, object]
) -> None:
    """Put something in front of staff, once for each (kind, subject)."""
    await db.execute(
        "INSERT INTO staff_task (kind, subject_kind, subject_id, store_id, details, created_at) "
        "VALUES ($1, $2, $3, $4, $5::jsonb, $6) ON CONFLICT (kind, subject_kind, subject_id) DO NOTHING",
        kind, subject_kind, subject_id, store_id, db.json(details), mall.clock.now(),
    )  # fmt: skip


async def is_open(kind: TaskKind, *, subject_kind: str, subject_id: str) -> bool:
    found = await db.value(
        "SELECT 1 FROM staff_task WHERE kind = $1 AND subject_kind = $2 AND subject_id = $3 AND state = 'open'",
        kind,
        subject_kind,
        subject_id,
    )
    return found is not None


async def settle(mall: Mall, kind: TaskKind, *, subject_kind: str, subject_id: str) -> None:
    """Close a task whose cause went away by itself; none open is harmless."""
    await db.execute(
        "UPDATE staff_task SET state = 'done', note = 'settled by itself', done_at = $4 "
        "WHERE kind = $1 AND subject_kind = $2 AND subject_id = $3 AND state = 'open'",
        kind,
        subject_kind,
        subject_id,
        mall.clock.now(),
    )


async def find(
    mall: Mall, *, state: str | None, scope: Sequence[int] | None, after_id: int | None, limit: int
) -> list[StaffTaskView]:
    """Return tasks, newest first; with a ``scope`` only those of its stores."""
    return await db.fetch(
        StaffTaskView,
        "SELECT * FROM staff_task WHERE ($1::text IS NULL OR state = $1) "
        "AND ($2::bigint[] IS NULL OR store_id = ANY($2)) "
        "AND ($3::bigint IS NULL OR id < $3) ORDER BY id DESC LIMIT $4",
        state,
        list(scope) if scope is not None else None,
        after_id,
        limit,
    )


async def complete(mall: Mall, task_id: int, *, note: str, scope: Sequence[int] | None, actor: Actor) -> StaffTaskView:
    """Mark an open task as done, with a note of what was done; raises ``TaskNotOpen``."""
    async with db.transaction():
        done = await db.fetch_one(
            StaffTaskView,
            "UPDATE staff_task SET state = 'done', note = $2, done_by = $3, done_at = $4 "
            "WHERE id = $1 AND state = 'open' AND ($5::bigint[] IS NULL OR store_id = ANY($5)) RETURNING *",
            task_id, note, actor.id, mall.clock.now(), list(scope) if scope is not None else None,
        )  # fmt: skip
        if done is None:
            raise TaskNotOpen
        audit.record(mall, actor, "task.complete", subject_kind="task", subject_id=task_id, store_id=done.store_id,
                     after={"note": note})  # fmt: skip
    return done
