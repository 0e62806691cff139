"""PgQueuer's enqueue as a part of the running transaction. Apart from the outbox because PgQueuer is slow to import."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.queries import Queries

from core import db


class _Joined(AsyncpgDriver):
    """PgQueuer's statements on the connection of the running transaction, through ``core.db``."""

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        return [dict(found) for found in await db.rows(query, *args)]


async def enqueue(
    jobs: Sequence[str], payloads: Sequence[bytes], waits: Sequence[timedelta], keys: Sequence[str | None]
) -> None:
    """Queue all jobs in one statement; a key that waits or runs already is passed over. Must run in a transaction."""
    db.assert_transaction()
    current = db.DB.current_transaction.get()
    if current is None:
        raise db.NoTransaction("this must run inside a transaction")
    await Queries(_Joined(cast("Any", current.connection))).enqueue(
        list(jobs), list(payloads), [0] * len(jobs), list(waits), list(keys), on_conflict="skip"
    )
