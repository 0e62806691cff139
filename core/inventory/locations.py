"""Places where goods lie. A store has exactly one, made when it is first needed; warehouses are made by staff."""

from __future__ import annotations

from collections.abc import Sequence

from core import db
from core.events import audit
from core.inventory.errors import CodeTaken, LocationUnknown
from core.inventory.types import LocationView
from core.kernel.mall import Mall
from core.kernel.origin import Actor

_STORE_LOCATIONS = """
WITH made AS (
    INSERT INTO location (kind, store_id, code, name, priority)
    SELECT 'store', s.id, 'store:' || s.id, s.name, 0 FROM store s
    WHERE s.id = ANY($1::bigint[]) AND NOT EXISTS (SELECT FROM location l WHERE l.store_id = s.id)
    ORDER BY s.id ON CONFLICT DO NOTHING RETURNING store_id, id
)
SELECT store_id, id FROM location WHERE store_id = ANY($1::bigint[]) UNION ALL SELECT store_id, id FROM made
"""


async def save_warehouse(mall: Mall, *, code: str, name: str, priority: int = 0, actor: Actor) -> LocationView:
    """Make the warehouse ``code``, or change its name and priority. Opens its transaction.

    Raises ``CodeTaken`` when a store's location has the code.
    """
    async with db.transaction():
        made = await db.fetch_one(
            LocationView,
            "INSERT INTO location (kind, store_id, code, name, priority) VALUES ('warehouse', NULL, $1, $2, $3) "
            "ON CONFLICT (code) DO UPDATE SET name = excluded.name, priority = excluded.priority "
            "WHERE location.kind = 'warehouse' RETURNING *",
            code,
            name,
            priority,
        )
        if made is None:
            raise CodeTaken(location=code)
        audit.record(mall, actor, "location.save", subject_kind="location", subject_id=made.id, after=made)
    return made


async def ensure_store_locations(mall: Mall, store_ids: Sequence[int]) -> dict[int, int]:
    """Return ``{store_id: location_id}``, making what is missing; ids of no store are left out."""
    found = {r["store_id"]: r["id"] for r in await db.rows(_STORE_LOCATIONS, list(store_ids))}
    if len(found) < len(set(store_ids)):
        # Another transaction made some in between: its rows are not in the snapshot of the first statement.
        found = {r["store_id"]: r["id"] for r in await db.rows(_STORE_LOCATIONS, list(store_ids))}
    return found


async def location_of_store(mall: Mall, store_id: int) -> int:
    """Return the one location of a store, made if need be. Raises ``LocationUnknown`` when there is no such store."""
    location_id: int | None = await db.value("SELECT id FROM location WHERE store_id = $1", store_id)
    if location_id is None:
        location_id = (await ensure_store_locations(mall, [store_id])).get(store_id)
    if location_id is None:
        raise LocationUnknown
    return location_id


async def get_location(mall: Mall, location_id: int, *, scope: Sequence[int] | None = None) -> LocationView:
    """Return a location; with a ``scope`` (store ids) all outside of it, warehouses too, is ``LocationUnknown``."""
    found = await db.fetch_one(
        LocationView,
        "SELECT * FROM location WHERE id = $1 AND ($2::bigint[] IS NULL OR store_id = ANY($2))",
        location_id,
        list(scope) if scope is not None else None,
    )
    if found is None:
        raise LocationUnknown
    return found


async def list_locations(
    mall: Mall,
    *,
    kind: str | None = None,
    store_id: int | None = None,
    scope: Sequence[int] | None = None,
    after_id: int = 0,
    limit: int = 50,
) -> list[LocationView]:
    """Return locations by id, after ``after_id``."""
    return await db.fetch(
        LocationView,
        "SELECT * FROM location WHERE id > $1 AND ($2::text IS NULL OR kind = $2) "
        "AND ($3::bigint[] IS NULL OR store_id = ANY($3)) AND ($4::bigint IS NULL OR store_id = $4) "
        "ORDER BY id LIMIT $5",
        after_id,
        kind,
        list(scope) if scope is not None else None,
        store_id,
        limit,
    )
