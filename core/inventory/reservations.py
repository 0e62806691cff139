"""Reservations: what orders hold of the stock (behaviour.md 5.1 rules 1-3).

Rows of ``stock`` are locked by a ``SELECT … ORDER BY sku_id, location_id FOR NO KEY UPDATE`` in a CTE, whatever order
the lines come in, so that two orders cannot wait for each other. Guards and new values are made from what the lock
returned (the newest row), never from the row itself: after a wait the statement's snapshot still shows the old one,
and PostgreSQL checks constraints on it before it looks again. The CHECK on the table is the last word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from core import db
from core.inventory.changes import announce, make_rows
from core.inventory.errors import NotCommitted, OutOfStock, QuantityInvalid
from core.inventory.types import Want
from core.kernel.mall import Mall
from core.kernel.origin import SYSTEM, Actor

# A SKU on backorder is never sold out; the row's own flag lets the CHECK pass while more is reserved than is there.
_RESERVE = """
WITH want AS (
    SELECT * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::int[])
        AS t(order_line_id, sku_id, location_id, qty)
), demand AS (
    SELECT w.sku_id, w.location_id, k.code, p.title, k.product_id, k.backorder, sum(w.qty)::int AS qty
    FROM want w JOIN sku k ON k.id = w.sku_id JOIN product p ON p.id = k.product_id WHERE k.tracked
    GROUP BY w.sku_id, w.location_id, k.code, p.title, k.product_id, k.backorder
), locked AS (
    SELECT s.id, s.sku_id, s.location_id, s.on_hand, s.reserved, s.version
    FROM stock s JOIN demand d ON d.sku_id = s.sku_id AND d.location_id = s.location_id
    ORDER BY s.sku_id, s.location_id FOR NO KEY UPDATE OF s
), judged AS (
    SELECT d.*, l.id, l.on_hand, l.reserved, l.version, coalesce(l.on_hand - l.reserved, 0) AS free,
           CASE WHEN l.id IS NULL AND d.backorder THEN 'new'
                WHEN d.backorder OR l.on_hand - l.reserved >= d.qty THEN 'ok' ELSE 'short' END AS fate
    FROM demand d LEFT JOIN locked l ON l.sku_id = d.sku_id AND l.location_id = d.location_id
), taken AS (
    UPDATE stock s
    SET on_hand = j.on_hand, reserved = j.reserved + j.qty, backorder = j.backorder, version = j.version + 1
    FROM judged j WHERE s.id = j.id AND NOT EXISTS (SELECT FROM judged b WHERE b.fate <> 'ok')
    RETURNING s.sku_id, s.location_id
), held AS (
    INSERT INTO reservation (order_id, order_line_id, sku_id, location_id, qty, state, expires_at, created_at)
    SELECT $1::bigint, w.order_line_id, w.sku_id, w.location_id, w.qty, 'active', $6::timestamptz, $7::timestamptz
    FROM want w JOIN taken t ON t.sku_id = w.sku_id AND t.location_id = w.location_id
)
SELECT j.fate, j.sku_id, j.location_id, j.code, j.title, j.qty, j.free, j.product_id, l.store_id,
       true AS sold_out, j.fate = 'ok' AS crossed
FROM judged j LEFT JOIN location l ON l.id = j.location_id
WHERE j.fate <> 'ok' OR (NOT j.backorder AND j.free = j.qty)
ORDER BY j.sku_id, j.location_id
"""

_COMMIT = """
WITH held AS (
    SELECT r.*, LEAST(r.qty, coalesce(a.qty, r.qty)) AS take
    FROM reservation r
    LEFT JOIN unnest($2::bigint[], $3::int[]) AS a(order_line_id, qty) ON a.order_line_id = r.order_line_id
    WHERE r.order_id = $1::bigint AND r.state = 'active' AND ($2::bigint[] IS NULL OR a.qty > 0)
    ORDER BY r.id FOR UPDATE OF r
), settled AS (
    UPDATE reservation r
    SET qty = CASE WHEN h.take = h.qty THEN h.qty ELSE h.qty - h.take END,
        state = CASE WHEN h.take = h.qty THEN 'committed' ELSE 'active' END,
        settled_at = CASE WHEN h.take = h.qty THEN $4::timestamptz END
    FROM held h WHERE r.id = h.id
), part AS (
    INSERT INTO reservation
        (order_id, order_line_id, sku_id, location_id, qty, state, expires_at, created_at, settled_at)
    SELECT h.order_id, h.order_line_id, h.sku_id, h.location_id, h.take, 'committed', h.expires_at, h.created_at, $4
    FROM held h WHERE h.take < h.qty
), locked AS (
    SELECT s.id, s.sku_id, s.location_id, s.on_hand, s.reserved, s.version, d.qty
    FROM stock s
    JOIN (SELECT sku_id, location_id, sum(take)::int AS qty FROM held GROUP BY sku_id, location_id) d
        ON d.sku_id = s.sku_id AND d.location_id = s.location_id
    ORDER BY s.sku_id, s.location_id FOR NO KEY UPDATE OF s
), changed AS (
    UPDATE stock s SET on_hand = l.on_hand - l.qty, reserved = l.reserved - l.qty, version = l.version + 1
    FROM locked l WHERE s.id = l.id
), moved AS (
    INSERT INTO stock_move (sku_id, location_id, kind, qty, before, after, ref, actor_kind, actor_id, at)
    SELECT sku_id, location_id, 'commit', -qty, on_hand, on_hand - qty, 'order:' || $1, $5, $6::bigint, $4 FROM locked
)
SELECT order_line_id, sum(take)::int AS qty FROM held GROUP BY order_line_id
"""

_RELEASE = """
WITH held AS (
    SELECT r.id, r.sku_id, r.location_id, r.qty
    FROM reservation r WHERE r.order_id = $1 AND r.state = 'active' ORDER BY r.id FOR UPDATE OF r
), settled AS (
    UPDATE reservation r SET state = 'released', settled_at = $2::timestamptz FROM held h WHERE r.id = h.id
), locked AS (
    SELECT s.id, s.sku_id, s.location_id, s.on_hand, s.reserved, s.version, s.on_hand - s.reserved AS free, d.qty
    FROM stock s
    JOIN (SELECT sku_id, location_id, sum(qty)::int AS qty FROM held GROUP BY sku_id, location_id) d
        ON d.sku_id = s.sku_id AND d.location_id = s.location_id
    ORDER BY s.sku_id, s.location_id FOR NO KEY UPDATE OF s
), changed AS (
    UPDATE stock s SET on_hand = l.on_hand, reserved = l.reserved - l.qty, version = l.version + 1
    FROM locked l WHERE s.id = l.id
)
SELECT l.sku_id, l.location_id, l.qty, k.product_id, o.store_id, false AS sold_out,
       k.tracked AND NOT k.backorder AND l.free <= 0 AND l.free + l.qty > 0 AS crossed
FROM locked l JOIN sku k ON k.id = l.sku_id JOIN location o ON o.id = l.location_id
ORDER BY l.sku_id, l.location_id
"""

_LOCK_COMMITTED = """
SELECT s.id FROM stock s
WHERE (s.sku_id, s.location_id) IN (
    SELECT r.sku_id, r.location_id FROM reservation r WHERE r.order_id = $1 AND r.order_line_id = ANY($2)
) ORDER BY s.sku_id, s.location_id FOR NO KEY UPDATE OF s
"""
# Run after _LOCK_COMMITTED, as a statement of its own: its snapshot sees the returns that the lock waited for.
_GIVE_BACK = """
WITH given AS (
    SELECT order_line_id, min(sku_id) AS sku_id, min(location_id) AS location_id
    FROM reservation WHERE order_id = $1 AND state = 'committed' GROUP BY order_line_id
), back AS (
    SELECT g.sku_id, g.location_id, sum(b.qty)::int AS qty
    FROM unnest($2::bigint[], $3::int[]) AS b(order_line_id, qty) JOIN given g ON g.order_line_id = b.order_line_id
    GROUP BY g.sku_id, g.location_id
), judged AS (
    SELECT b.*, s.id, s.on_hand, s.on_hand - s.reserved AS free,
           (SELECT sum(r.qty) FROM reservation r WHERE r.order_id = $1 AND r.state = 'committed'
                AND r.sku_id = b.sku_id AND r.location_id = b.location_id)
           - (SELECT coalesce(sum(m.qty), 0) FROM stock_move m WHERE m.kind = 'return' AND m.sku_id = b.sku_id
                AND m.location_id = b.location_id AND m.ref LIKE 'order:' || $1 || '/%') AS left_over
    FROM back b JOIN stock s ON s.sku_id = b.sku_id AND s.location_id = b.location_id
    WHERE NOT EXISTS (SELECT FROM stock_move m WHERE m.kind = 'return' AND m.sku_id = b.sku_id
                          AND m.location_id = b.location_id AND m.ref = $4)
), changed AS (
    UPDATE stock s SET on_hand = s.on_hand + j.qty, version = s.version + 1
    FROM judged j WHERE s.id = j.id AND NOT EXISTS (SELECT FROM judged b WHERE b.left_over < b.qty)
    RETURNING s.id
), moved AS (
    INSERT INTO stock_move (sku_id, location_id, kind, qty, before, after, ref, reason, actor_kind, actor_id, at)
    SELECT j.sku_id, j.location_id, 'return', j.qty, j.on_hand, j.on_hand + j.qty, $4, $5, $6, $7, $8::timestamptz
    FROM judged j JOIN changed c ON c.id = j.id
)
SELECT j.sku_id, j.location_id, j.left_over, j.left_over < j.qty AS refused, k.product_id, o.store_id,
       false AS sold_out, k.tracked AND NOT k.backorder AND j.free <= 0 AND j.free + j.qty > 0 AS crossed
FROM judged j JOIN sku k ON k.id = j.sku_id JOIN location o ON o.id = j.location_id
ORDER BY j.sku_id, j.location_id
"""


async def reserve(mall: Mall, order_id: int, wants: Sequence[Want], *, expires_at: datetime | None) -> None:
    """Hold ``wants`` for an order, all of them or none.

    Lines of one SKU at one location count together. SKUs that are not tracked take no reservation; SKUs on backorder
    may go beyond what is there. Must run inside a transaction. Raises ``OutOfStock``, one problem for each
    short SKU.
    """
    db.assert_transaction()
    if any(w.qty < 1 for w in wants):
        raise QuantityInvalid(qty=min(w.qty for w in wants))
    if not wants:
        return
    args = (
        order_id,
        [w.order_line_id for w in wants],
        [w.sku_id for w in wants],
        [w.location_id for w in wants],
        [w.qty for w in wants],
        expires_at,
        mall.clock.now(),
    )
    found = await db.rows(_RESERVE, *args)
    if any(r["fate"] == "new" for r in found):
        # A SKU on backorder that never had stock here: give it its row, then ask again.
        await make_rows([(r["sku_id"], r["location_id"]) for r in found if r["fate"] == "new"])
        found = await db.rows(_RESERVE, *args)
    short = [r for r in found if r["fate"] == "short"]
    if short:
        raise _out_of_stock(short)
    announce(mall, found)


async def commit(
    mall: Mall, order_id: int, *, quantities: Mapping[int, int] | None = None, actor: Actor = SYSTEM
) -> dict[int, int]:
    """Take what an order holds out of the stock: the goods have left. Returns the units taken, by order line.

    ``quantities`` (by order line) takes a part and leaves the rest held; ``None`` takes all. Never more than is still
    held: lines that hold nothing are not in the answer, and a second call for everything does nothing. Must run inside
    a transaction that has the order's row locked.
    """
    db.assert_transaction()
    lines = list(quantities) if quantities is not None else None
    parts = list(quantities.values()) if quantities is not None else None
    found = await db.rows(_COMMIT, order_id, lines, parts, mall.clock.now(), actor.kind, actor.id)
    return {r["order_line_id"]: r["qty"] for r in found}


async def release(mall: Mall, order_id: int) -> int:
    """Let go of what an order still holds; returns the units freed. A second call does nothing. Must run inside a
    transaction.
    """
    db.assert_transaction()
    found = await db.rows(_RELEASE, order_id, mall.clock.now())
    announce(mall, found)
    return sum(r["qty"] for r in found)


async def give_back(
    mall: Mall, order_id: int, quantities: Mapping[int, int], *, ref: str, reason: str = "", actor: Actor = SYSTEM
) -> None:
    """Put returned goods back on hand where they came from, as return moves.

    ``ref`` names the return (at most 40 characters): a second call with it does nothing. Must run inside a transaction.
    Raises ``NotCommitted``, and changes nothing, when more comes back than was handed over.
    """
    db.assert_transaction()
    if any(qty < 1 for qty in quantities.values()):
        raise QuantityInvalid(qty=min(quantities.values()))
    await db.rows(_LOCK_COMMITTED, order_id, list(quantities))
    found = await db.rows(
        _GIVE_BACK,
        order_id,
        list(quantities),
        list(quantities.values()),
        f"order:{order_id}/{ref}",
        reason,
        actor.kind,
        actor.id,
        mall.clock.now(),
    )
    refused = [NotCommitted(sku_id=r["sku_id"], left=int(r["left_over"])) for r in found if r["refused"]]
    if refused:
        raise NotCommitted(problems=[e.as_problem() for e in refused], **refused[0].details)
    announce(mall, found)


def _out_of_stock(short: Sequence[db.Row]) -> OutOfStock:
    each = [
        OutOfStock(
            sku=r["code"],
            title=r["title"],
            sku_id=r["sku_id"],
            location_id=r["location_id"],
            wanted=r["qty"],
            available=max(r["free"], 0),
        )
        for r in short
    ]
    return OutOfStock(problems=[e.as_problem() for e in each], **each[0].details)
