"""The SQL of stores. Only ``service.py`` uses it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from core import db
from core.stores.types import Box, CityCount, StoreFilter, StorePoint, StoreView

# Every column that a draft may set, with its type in SQL and the value of a new store.
COLUMNS: dict[str, tuple[str, Any]] = {
    "name": ("text", ""),
    "kind": ("text", "direct"),
    "state": ("text", "active"),
    "province": ("text", ""),
    "city": ("text", ""),
    "district": ("text", ""),
    "address": ("text", ""),
    "postcode": ("text", ""),
    "phone": ("text", ""),
    "lat": ("double precision", None),
    "lng": ("double precision", None),
    "coord_sys_given": ("text", "gcj02"),
    "zone": ("text", "Asia/Shanghai"),
    "services": ("text[]", ()),
    "hours": ("jsonb", {}),
    "exceptions": ("jsonb", {}),
    "notice": ("text", ""),
    "extra": ("jsonb", {}),
}
_SIMILAR = 0.45  # a wrong or missing letter in a word of eight; stores are thousands, so no index is needed for this
_NAMES = ", ".join(COLUMNS)
_RECORD = "code text, " + ", ".join(f"{name} {kind}" for name, (kind, _) in COLUMNS.items())
_INSERT = f"""
INSERT INTO store (code, {_NAMES}, created_at, updated_at)
SELECT code, {_NAMES}, $2, $2 FROM jsonb_to_recordset($1::jsonb) AS d({_RECORD})
"""  # noqa: S608 - the names are the constant above


async def insert(row: dict[str, Any], now: datetime) -> StoreView | None:
    """Write a new store; ``None`` when its code is taken."""
    return await db.fetch_one(
        StoreView, f"{_INSERT} ON CONFLICT (code) DO NOTHING RETURNING *", db.json([_full(row)]), now
    )


async def upsert(rows: Sequence[dict[str, Any]], given: Sequence[str], now: datetime) -> dict[str, tuple[int, bool]]:
    """Write ``rows``, which all give the columns ``given``. A known store gets these columns, and only if they differ.

    Returns ``{code: (id, whether it is new)}`` of what was written.
    """
    taken = ", ".join(f"{name} = excluded.{name}" for name in given)
    old = ", ".join(f"store.{name}" for name in given)
    new = ", ".join(f"excluded.{name}" for name in given)
    sql = f"""{_INSERT}
ON CONFLICT (code) DO UPDATE SET {taken}, version = store.version + 1, updated_at = excluded.updated_at
WHERE ({old}) IS DISTINCT FROM ({new})
RETURNING id, code, xmax = 0 AS created"""  # xmax is 0 on a row that this statement inserted
    written = await db.rows(sql, db.json([_full(row) for row in rows]), now)
    return {r["code"]: (r["id"], r["created"]) for r in written}


async def update(store_id: int, version: int, changed: dict[str, Any], now: datetime) -> StoreView | None:
    """Set columns of one store if it still has ``version``; ``None`` if it does not."""
    record = ", ".join(f"{name} {COLUMNS[name][0]}" for name in changed)
    taken = ", ".join(f"{name} = d.{name}" for name in changed)
    sql = f"""
UPDATE store SET {taken}, version = version + 1, updated_at = $4
FROM jsonb_to_record($3::jsonb) AS d({record}) WHERE store.id = $1 AND store.version = $2 RETURNING store.*
"""  # noqa: S608 - the names are keys of COLUMNS
    return await db.fetch_one(StoreView, sql, store_id, version, db.json(changed), now)


async def set_close(
    store_id: int, *, since: datetime | None, until: datetime | None, reason: str, now: datetime
) -> StoreView | None:
    """Set or lift a temporary close; ``None`` when there is no such store or it is so already."""
    return await db.fetch_one(
        StoreView,
        """
UPDATE store SET closed_from = $2, closed_until = $3, closed_reason = $4, version = version + 1, updated_at = $5
WHERE id = $1
  AND (closed_from, closed_until, closed_reason) IS DISTINCT FROM ($2::timestamptz, $3::timestamptz, $4::text)
RETURNING *""",
        store_id,
        since,
        until,
        reason,
        now,
    )


async def get(store_id: int) -> StoreView | None:
    return await db.fetch_one(StoreView, "SELECT * FROM store WHERE id = $1", store_id)


async def get_by_code(code: str) -> StoreView | None:
    return await db.fetch_one(StoreView, "SELECT * FROM store WHERE code = $1", code)


async def by_ids(ids: Sequence[int]) -> list[StoreView]:
    return await db.fetch(StoreView, "SELECT * FROM store WHERE id = ANY($1)", list(ids))


async def ids_by_code(codes: Sequence[str]) -> dict[str, int]:
    found = await db.rows("SELECT id, code FROM store WHERE code = ANY($1)", list(codes))
    return {r["code"]: r["id"] for r in found}


async def ids(where: StoreFilter) -> list[int]:
    found = await db.rows(
        """
SELECT id FROM store
WHERE state = $1 AND ($2 = '' OR city = $2) AND ($3::text IS NULL OR $3 = ANY(services)) ORDER BY id""",
        where.state or "active",
        _kept(where.city),
        where.service,
    )
    return [r["id"] for r in found]


async def page(where: StoreFilter, *, after: int, limit: int) -> list[StoreView]:
    return await db.fetch(
        StoreView,
        """
SELECT * FROM store
WHERE id > $1 AND ($2 = '' OR city = $2) AND ($3::text IS NULL OR $3 = ANY(services))
  AND ($4::text IS NULL OR state = $4) AND search_text LIKE ALL ($5::text[]) AND ($6::bigint[] IS NULL OR id = ANY($6))
ORDER BY id LIMIT $7""",
        after,
        _kept(where.city),
        where.service,
        where.state,
        patterns(where.q),
        None if where.ids is None else list(where.ids),
        limit,
    )


async def points(
    *, box: Box | None, service: str | None, ids: Sequence[int] | None, or_changed_since: datetime | None
) -> list[StorePoint]:
    return await db.fetch(
        StorePoint,
        """
SELECT id, lat, lng, version FROM store
WHERE state = 'active' AND lat IS NOT NULL AND ($1::text IS NULL OR $1 = ANY(services))
  AND ($2::float8 IS NULL OR (lat BETWEEN $2 AND $3
       AND CASE WHEN $4::float8 <= $5::float8 THEN lng BETWEEN $4 AND $5 ELSE lng >= $4 OR lng <= $5 END))
  AND ($6::bigint[] IS NULL OR id = ANY($6) OR updated_at > $7)""",
        service,
        None if box is None else box.south,
        None if box is None else box.north,
        None if box is None else box.west,
        None if box is None else box.east,
        None if ids is None else list(ids),
        or_changed_since,
    )


async def search(q: str, *, limit: int) -> list[StoreView]:
    """Find active stores with every word of ``q``; if there is none, those with the most similar text."""
    exact = await db.fetch(
        StoreView,
        """
SELECT * FROM store WHERE state = 'active' AND search_text LIKE ALL ($1::text[])
ORDER BY (code = $2) DESC, strpos(lower(name), lower($2)) = 0, similarity(name, $2) DESC, id LIMIT $3""",
        patterns(q),
        q,
        limit,
    )
    return exact or await db.fetch(
        StoreView,
        """
SELECT * FROM store WHERE state = 'active' AND word_similarity(lower($1), search_text) >= $3
ORDER BY word_similarity(lower($1), search_text) DESC, id LIMIT $2""",
        q,
        limit,
        _SIMILAR,
    )


async def cities() -> list[CityCount]:
    return await db.fetch(
        CityCount,
        """
SELECT province, city, count(*)::int AS stores FROM store WHERE state = 'active' AND city <> ''
GROUP BY province, city ORDER BY stores DESC, city, province""",
    )


def patterns(q: str) -> list[str]:
    """Return a LIKE pattern for each word of ``q``; what is special to LIKE stands for itself."""
    words = _kept(q).lower().split()[:8]
    return ["%" + w.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%" for w in words]


def _kept(text: str) -> str:
    """Leave out what PostgreSQL cannot hold."""
    return text.replace("\0", "")


def _full(row: dict[str, Any]) -> dict[str, Any]:
    return {name: default for name, (_, default) in COLUMNS.items()} | row
