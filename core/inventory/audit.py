"""The invariants of behaviour.md 5.1 as queries: each returns the rows that break it, so none is good."""

from __future__ import annotations

from core import db

_BROKEN = {
    "on_hand_is_sum_of_moves": """
        SELECT s.sku_id, s.location_id, s.on_hand AS is, coalesce(sum(m.qty), 0)::bigint AS should_be
        FROM stock s LEFT JOIN stock_move m ON m.sku_id = s.sku_id AND m.location_id = s.location_id
        GROUP BY s.id HAVING s.on_hand <> coalesce(sum(m.qty), 0)
    """,
    "reserved_is_sum_of_active": """
        SELECT s.sku_id, s.location_id, s.reserved AS is, coalesce(sum(r.qty), 0)::bigint AS should_be
        FROM stock s LEFT JOIN reservation r
            ON r.sku_id = s.sku_id AND r.location_id = s.location_id AND r.state = 'active'
        GROUP BY s.id HAVING s.reserved <> coalesce(sum(r.qty), 0)
    """,
    "moves_form_a_chain": """
        SELECT sku_id, location_id, before AS is, expected AS should_be FROM (
            SELECT sku_id, location_id, before, after, qty,
                   lag(after, 1, 0) OVER (PARTITION BY sku_id, location_id ORDER BY id) AS expected FROM stock_move
        ) m WHERE before <> expected OR after <> before + qty
    """,
    "no_active_reservation_on_ended_orders": """
        SELECT r.sku_id, r.location_id, sum(r.qty) AS is, 0 AS should_be
        FROM reservation r JOIN orders o ON o.id = r.order_id
        WHERE r.state = 'active' AND o.status IN ('cancelled', 'closed', 'completed') GROUP BY 1, 2
    """,
    "no_more_returned_than_committed": """
        SELECT m.sku_id, m.location_id, m.qty AS is, c.qty AS should_be
        FROM (SELECT sku_id, location_id, sum(qty) AS qty FROM stock_move WHERE kind = 'return' GROUP BY 1, 2) m
        LEFT JOIN (SELECT sku_id, location_id, sum(qty) AS qty FROM reservation
                   WHERE state = 'committed' GROUP BY 1, 2) c
            ON c.sku_id = m.sku_id AND c.location_id = m.location_id
        WHERE m.qty > coalesce(c.qty, 0)
    """,
}


async def broken() -> list[str]:
    """Return a sentence for every row that breaks an invariant; empty when the stock is sound."""
    found: list[str] = []
    for name, sql in _BROKEN.items():
        found += [
            f"{name}: sku {r['sku_id']} at {r['location_id']} is {r['is']}, should be {r['should_be']}"
            for r in await db.rows(sql)
        ]
    return found
