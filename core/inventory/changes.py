"""Changes of what is on hand: goods received, counts corrected. Each is written together with its move.

Moves are append-only (a trigger refuses anything else), and what is on hand is their sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from core import db
from core.catalog.changes import invalidate_products
from core.events import audit, emit
from core.inventory.errors import BelowReserved, QuantityInvalid, ReasonMissing, StockUnknown
from core.inventory.events import StockChanged
from core.inventory.types import MoveKind, StockLevel
from core.kernel.mall import Mall
from core.kernel.origin import Actor, Origin

Place = tuple[int, int]  # (sku_id, location_id)
_MOST = 1_000_000_000  # units of one SKU at one place; the column is a 32-bit integer

_MAKE = """
INSERT INTO stock (sku_id, location_id, on_hand, reserved, backorder, version)
SELECT k.id, l.id, 0, 0, false, 1 FROM unnest($1::bigint[], $2::bigint[]) AS w(sku_id, location_id)
JOIN sku k ON k.id = w.sku_id JOIN location l ON l.id = w.location_id
ORDER BY k.id, l.id ON CONFLICT DO NOTHING
"""
# $4: the quantities are new totals, not differences. A fall below what is reserved (below 0 on backorder) is refused.
_CHANGE = """
WITH locked AS (
    SELECT s.id, s.sku_id, s.location_id, s.on_hand, s.reserved, k.code, k.product_id, k.backorder, k.tracked,
           (CASE WHEN $4::bool THEN 0 ELSE s.on_hand END + w.qty) AS wanted
    FROM unnest($1::bigint[], $2::bigint[], $3::int[]) AS w(sku_id, location_id, qty)
    JOIN stock s ON s.sku_id = w.sku_id AND s.location_id = w.location_id
    JOIN sku k ON k.id = s.sku_id
    ORDER BY s.sku_id, s.location_id FOR NO KEY UPDATE OF s
), judged AS (
    SELECT *, wanted < on_hand AND wanted < CASE WHEN backorder THEN 0 ELSE reserved END AS refused FROM locked
), changed AS (
    UPDATE stock s SET on_hand = j.wanted, backorder = j.backorder OR j.wanted < j.reserved, version = s.version + 1
    FROM judged j WHERE s.id = j.id AND j.wanted <> j.on_hand AND NOT EXISTS (SELECT FROM judged b WHERE b.refused)
    RETURNING s.id
), moved AS (
    INSERT INTO stock_move (sku_id, location_id, kind, qty, before, after, ref, reason, actor_kind, actor_id, at)
    SELECT j.sku_id, j.location_id, $5, j.wanted - j.on_hand, j.on_hand, j.wanted, $6, $7, $8, $9::bigint,
           $10::timestamptz
    FROM judged j JOIN changed c ON c.id = j.id
)
SELECT j.*, o.store_id, j.wanted <= j.reserved AS sold_out,
       j.tracked AND NOT j.backorder AND (j.on_hand <= j.reserved) <> (j.wanted <= j.reserved) AS crossed
FROM judged j JOIN location o ON o.id = j.location_id ORDER BY j.sku_id, j.location_id
"""


async def receive(
    mall: Mall, sku_id: int, location_id: int, *, qty: int, actor: Actor, ref: str = "", reason: str = ""
) -> StockLevel:
    """Add goods that have arrived. Opens its transaction. Raises ``StockUnknown`` or ``QuantityInvalid``."""
    if not 0 < qty <= _MOST:
        raise QuantityInvalid(qty=qty)
    async with db.transaction():
        return await _one(
            mall, (sku_id, location_id), qty, absolute=False, kind="receive", reason=reason, actor=actor, ref=ref
        )


async def adjust(  # noqa: PLR0913 - one correction says all of it
    mall: Mall,
    sku_id: int,
    location_id: int,
    *,
    delta: int | None = None,
    to: int | None = None,
    reason: str,
    actor: Actor,
    ref: str = "",
) -> StockLevel:
    """Correct what is on hand, by ``delta`` or ``to`` a count; exactly one of them. Opens its transaction.

    Raises ``ReasonMissing``, ``QuantityInvalid``, ``StockUnknown``, and ``BelowReserved`` when orders hold more than
    would be left. Locks the stock row.
    """
    if not reason.strip():
        raise ReasonMissing
    if (delta is None) == (to is None):
        raise QuantityInvalid(qty=f"delta={delta}, to={to}")
    qty = delta if delta is not None else to
    assert qty is not None  # noqa: S101 - one of the two is there
    async with db.transaction():
        return await _one(
            mall,
            (sku_id, location_id),
            qty,
            absolute=to is not None,
            kind="adjust",
            reason=reason,
            actor=actor,
            ref=ref,
        )


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
    found = await _change(mall, wanted, absolute=True, kind="adjust", reason=reason, actor=actor, ref=ref)
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


async def _one(
    mall: Mall, place: Place, qty: int, *, absolute: bool, kind: MoveKind, reason: str, actor: Actor, ref: str
) -> StockLevel:
    found = await _change(mall, {place: qty}, absolute=absolute, kind=kind, reason=reason, actor=actor, ref=ref)
    now = found[0]
    audit.record(
        mall,
        actor,
        f"stock.{kind}",
        subject_kind="sku",
        subject_id=place[0],
        store_id=now["store_id"],
        before={"location_id": place[1], "on_hand": now["on_hand"]},
        after={"location_id": place[1], "on_hand": now["wanted"], "reason": reason, "ref": ref},
    )
    return StockLevel(sku_id=place[0], location_id=place[1], on_hand=now["wanted"], reserved=now["reserved"])


async def _change(
    mall: Mall, wanted: Mapping[Place, int], *, absolute: bool, kind: MoveKind, reason: str, actor: Actor, ref: str
) -> list[db.Row]:
    for qty in wanted.values():
        if abs(qty) > _MOST or (absolute and qty < 0):
            raise QuantityInvalid(qty=qty)
    places = list(wanted)
    await make_rows(places)
    found = await db.rows(
        _CHANGE,
        [sku_id for sku_id, _ in places],
        [location_id for _, location_id in places],
        list(wanted.values()),
        absolute,
        kind,
        ref[:64],
        reason.strip()[:200],
        actor.kind,
        actor.id,
        mall.clock.now(),
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
