"""Changes of what is on hand: goods received, counts corrected. Each is written together with its move.

Moves are append-only (a trigger refuses anything else), and what is on hand is their sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import asyncpg
import msgspec

from core import db
from core.catalog.changes import invalidate_products
from core.events import audit, emit
from core.inventory.errors import BelowReserved, QuantityInvalid, ReasonMissing, RequestKeyReused, StockUnknown
from core.inventory.events import StockChanged
from core.inventory.types import MoveKind, StockLevel
from core.kernel.errors import MallError
from core.kernel.mall import Mall
from core.kernel.origin import Actor, Origin

Place = tuple[int, int]  # (sku_id, location_id)
_MOST = 1_000_000_000  # units of one SKU at one place; the column is a 32-bit integer


class _Change(msgspec.Struct, frozen=True, kw_only=True):
    """How a change is to be written down, the same for all its places."""

    kind: MoveKind
    absolute: bool
    reason: str
    actor: Actor
    ref: str
    request_key: str | None = None


_MAKE = """
INSERT INTO stock (sku_id, location_id, on_hand, reserved, backorder, version)
SELECT k.id, l.id, 0, 0, false, 1 FROM unnest($1::bigint[], $2::bigint[]) AS w(sku_id, location_id)
JOIN sku k ON k.id = w.sku_id JOIN location l ON l.id = w.location_id
ORDER BY k.id, l.id ON CONFLICT DO NOTHING
"""
# $4: the quantities are new totals, not differences. A fall below what is reserved (below 0 on backorder) is refused.
# All values come from the locked row, see ``reservations``.
_CHANGE = """
WITH locked AS (
    SELECT s.id, s.sku_id, s.location_id, s.on_hand, s.reserved, s.version,
           k.code, k.product_id, k.backorder, k.tracked,
           (CASE WHEN $4::bool THEN 0 ELSE s.on_hand END + w.qty) AS wanted
    FROM unnest($1::bigint[], $2::bigint[], $3::int[]) AS w(sku_id, location_id, qty)
    JOIN stock s ON s.sku_id = w.sku_id AND s.location_id = w.location_id
    JOIN sku k ON k.id = s.sku_id
    ORDER BY s.sku_id, s.location_id FOR NO KEY UPDATE OF s
), judged AS (
    SELECT *, wanted < on_hand AND wanted < CASE WHEN backorder THEN 0 ELSE reserved END AS refused FROM locked
), changed AS (
    UPDATE stock s SET on_hand = j.wanted, reserved = j.reserved, backorder = j.backorder OR j.wanted < j.reserved,
                       version = j.version + 1
    FROM judged j WHERE s.id = j.id AND j.wanted <> j.on_hand AND NOT EXISTS (SELECT FROM judged b WHERE b.refused)
    RETURNING s.id
), moved AS (
    INSERT INTO stock_move
        (sku_id, location_id, kind, qty, before, after, ref, reason, actor_kind, actor_id, at, request_key)
    SELECT j.sku_id, j.location_id, $5, j.wanted - j.on_hand, j.on_hand, j.wanted, $6, $7, $8, $9::bigint,
           $10::timestamptz, $11
    FROM judged j JOIN changed c ON c.id = j.id
)
SELECT j.*, o.store_id, j.wanted <= j.reserved AS sold_out,
       j.tracked AND NOT j.backorder AND (j.on_hand <= j.reserved) <> (j.wanted <= j.reserved) AS crossed
FROM judged j JOIN location o ON o.id = j.location_id ORDER BY j.sku_id, j.location_id
"""


async def receive(
    mall: Mall,
    sku_id: int,
    location_id: int,
    *,
    qty: int,
    actor: Actor,
    ref: str = "",
    reason: str = "",
    request_key: str | None = None,
) -> StockLevel:
    """Add goods that have arrived. Opens its transaction.

    A repeat by the same actor with the same ``request_key`` books nothing and answers what the first one made. Raises
    ``StockUnknown``, ``QuantityInvalid`` or ``RequestKeyReused``.
    """
    if not 0 < qty <= _MOST:
        raise QuantityInvalid(qty=qty)
    change = _Change(kind="receive", absolute=False, reason=reason, actor=actor, ref=ref, request_key=request_key)
    return await _once(mall, (sku_id, location_id), qty, change)


async def adjust(
    mall: Mall,
    sku_id: int,
    location_id: int,
    *,
    delta: int | None = None,
    to: int | None = None,
    reason: str,
    actor: Actor,
    ref: str = "",
    request_key: str | None = None,
) -> StockLevel:
    """Correct what is on hand, by ``delta`` or ``to`` a count; exactly one of them. Opens its transaction.

    ``request_key`` as in ``receive``. Raises ``ReasonMissing``, ``QuantityInvalid``, ``StockUnknown``,
    ``RequestKeyReused``, and ``BelowReserved`` when orders hold more than would be left. Locks the stock row.
    """
    if not reason.strip():
        raise ReasonMissing
    if (delta is None) == (to is None):
        raise QuantityInvalid(qty=f"delta={delta}, to={to}")
    change = _Change(
        kind="adjust", absolute=to is not None, reason=reason, actor=actor, ref=ref, request_key=request_key
    )
    return await _once(mall, (sku_id, location_id), to if to is not None else delta or 0, change)


async def set_on_hand(
    mall: Mall, counts: Iterable[tuple[int, int, int]], *, reason: str, actor: Actor, ref: str = ""
) -> int:
    """Set ``(sku_id, location_id, on hand)`` for many at once, in two statements; returns how many rows changed.

    Of two counts for one place the last one stays; a count that is already true writes nothing. Must run inside a
    transaction. All or nothing: raises ``BelowReserved`` (one problem each), ``StockUnknown`` or ``ReasonMissing``.
    """
    db.assert_transaction()
    if not reason.strip():
        raise ReasonMissing
    wanted = {(sku_id, location_id): qty for sku_id, location_id, qty in counts}
    if not wanted:
        return 0
    found = await _write(mall, wanted, _Change(kind="adjust", absolute=True, reason=reason, actor=actor, ref=ref))
    changed = sum(1 for r in found if r["wanted"] != r["on_hand"])
    if changed:
        audit.record(
            mall,
            actor,
            "stock.set",
            subject_kind="stock",
            subject_id=ref or "many",
            after={"rows": changed, "reason": reason},
        )
    return changed


async def make_rows(places: Sequence[Place]) -> None:
    """Give every (SKU, location) its stock row; those that exist stay as they are."""
    await db.execute(_MAKE, [sku_id for sku_id, _ in places], [location_id for _, location_id in places])


def announce(mall: Mall, rows: Sequence[db.Row]) -> None:
    """Emit ``StockChanged`` for each row that ``crossed`` zero, and drop cached answers about those products."""
    crossed = [r for r in rows if r["crossed"]]
    for r in crossed:
        emit(
            mall,
            StockChanged(
                product_id=r["product_id"],
                sku_id=r["sku_id"],
                location_id=r["location_id"],
                sold_out=r["sold_out"],
                origin=Origin(channel="system", store_id=r["store_id"]),
            ),
        )
    if crossed:
        products = {r["product_id"] for r in crossed}
        db.after_commit(lambda: invalidate_products(mall, products))


async def _once(mall: Mall, place: Place, qty: int, change: _Change) -> StockLevel:
    """Make one change; its request key decides who was first, the unique index is the last word."""
    try:
        async with db.transaction():
            return await _one(mall, place, qty, change)
    except (asyncpg.UniqueViolationError, MallError):
        # A repeat is answered even where a new change would be refused by now; asked only then, it costs nothing else.
        earlier = await _earlier(place, qty, change) if change.request_key is not None else None
        if earlier is None:
            raise
        return earlier


async def _one(mall: Mall, place: Place, qty: int, change: _Change) -> StockLevel:
    now = (await _write(mall, {place: qty}, change))[0]
    audit.record(
        mall,
        change.actor,
        f"stock.{change.kind}",
        subject_kind="sku",
        subject_id=place[0],
        store_id=now["store_id"],
        before={"location_id": place[1], "on_hand": now["on_hand"]},
        after={"location_id": place[1], "on_hand": now["wanted"], "reason": change.reason, "ref": change.ref},
    )
    return StockLevel(sku_id=place[0], location_id=place[1], on_hand=now["wanted"], reserved=now["reserved"])


async def _earlier(place: Place, qty: int, change: _Change) -> StockLevel | None:
    found = await db.row(
        "SELECT m.sku_id, m.location_id, m.kind, m.qty, m.after, s.reserved FROM stock_move m "
        "JOIN stock s ON s.sku_id = m.sku_id AND s.location_id = m.location_id "
        "WHERE m.actor_kind = $1 AND coalesce(m.actor_id, 0) = coalesce($2::bigint, 0) AND m.request_key = $3",
        change.actor.kind,
        change.actor.id,
        change.request_key,
    )
    if found is None:
        return None
    wish = (*place, change.kind, qty)
    if wish != (found["sku_id"], found["location_id"], found["kind"], found["after" if change.absolute else "qty"]):
        raise RequestKeyReused
    return StockLevel(sku_id=place[0], location_id=place[1], on_hand=found["after"], reserved=found["reserved"])


async def _write(mall: Mall, wanted: Mapping[Place, int], change: _Change) -> list[db.Row]:
    for qty in wanted.values():
        if abs(qty) > _MOST or (change.absolute and qty < 0):
            raise QuantityInvalid(qty=qty)
    places = list(wanted)
    await make_rows(places)
    found = await db.rows(
        _CHANGE,
        [sku_id for sku_id, _ in places],
        [location_id for _, location_id in places],
        list(wanted.values()),
        change.absolute,
        change.kind,
        change.ref[:64],
        change.reason.strip()[:200],
        change.actor.kind,
        change.actor.id,
        mall.clock.now(),
        change.request_key,
    )
    if len(found) < len(places):
        sku_id, location_id = min(set(places) - {(r["sku_id"], r["location_id"]) for r in found})
        raise StockUnknown(sku_id=sku_id, location_id=location_id)
    refused = [
        BelowReserved(
            sku=r["code"], sku_id=r["sku_id"], location_id=r["location_id"], reserved=r["reserved"], wanted=r["wanted"]
        )
        for r in found
        if r["refused"]
    ]
    if refused:
        raise BelowReserved(problems=[e.as_problem() for e in refused], **refused[0].details)
    announce(mall, found)
    return found
