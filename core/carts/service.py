"""The cart of a member: at most 100 lines, one a SKU, 1 to 999 units each. It reserves nothing.

Every change is one transaction that locks the member's row first, so that two clicks at once (or two devices) add up
instead of losing one, and the limit of lines holds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime

import msgspec

from core import db
from core.carts.errors import CartFull, CartLineUnknown, CartRefused, QuantityTooLarge
from core.carts.types import CartLineView, CartView
from core.catalog.errors import NotOnSale, SkuNotFound
from core.catalog.selling import limit_problems, sellable
from core.catalog.types import SellableSku
from core.inventory.errors import OutOfStock
from core.kernel.mall import Mall

MAX_LINES = 100
MAX_QTY = 999

_ADD = f"""
INSERT INTO cart_line (member_id, sku_id, qty, selected, added_at)
SELECT $1::bigint, $2::bigint, $3::int, true, $4::timestamptz
WHERE (SELECT count(*) FROM cart_line WHERE member_id = $1 AND sku_id <> $2) < {MAX_LINES}
ON CONFLICT (member_id, sku_id) DO UPDATE SET qty = cart_line.qty + excluded.qty, selected = true
    WHERE cart_line.qty + excluded.qty <= {MAX_QTY}
RETURNING qty
"""  # noqa: S608 - two numbers of this module
_ROWS = """
SELECT c.id, c.sku_id, c.qty, c.selected, c.added_at,
       CASE WHEN $2::bigint IS NOT NULL AND k.tracked AND NOT k.backorder
            THEN greatest(coalesce(s.on_hand - s.reserved, 0), 0) END AS available
FROM cart_line c JOIN sku k ON k.id = c.sku_id
LEFT JOIN location l ON l.store_id = $2::bigint
LEFT JOIN stock s ON s.sku_id = c.sku_id AND s.location_id = l.id
WHERE c.member_id = $1 ORDER BY c.added_at DESC, c.id DESC
"""


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    sku_id: int
    qty: int
    selected: bool
    added_at: datetime
    available: int | None


async def view(mall: Mall, member_id: int, store_id: int | None = None) -> CartView:
    """Return the cart with prices, availability and problems as they are in ``store_id`` now. Two statements."""
    rows = await db.fetch(_Row, _ROWS, member_id, store_id)
    skus = await sellable(mall, [row.sku_id for row in rows], store_id) if rows else {}
    limits = _broken_limits(skus, rows)
    lines = tuple(_line(row, skus[row.sku_id], limits) for row in rows)
    counted = [line for line in lines if line.selected and line.problem is None]
    return CartView(
        store_id=store_id,
        lines=lines,
        selected_units=sum(line.qty for line in counted),
        selected_fen=sum(line.amount_fen for line in counted),
    )


async def selected(mall: Mall, member_id: int) -> list[tuple[int, int]]:
    """Return ``(sku_id, qty)`` of the selected lines, the oldest first: what an order from the cart asks for."""
    found = await db.rows(
        "SELECT sku_id, qty FROM cart_line WHERE member_id = $1 AND selected ORDER BY added_at, id", member_id
    )
    return [(r["sku_id"], r["qty"]) for r in found]


async def add(mall: Mall, member_id: int, *, sku_id: int, qty: int = 1, store_id: int | None = None) -> CartView:
    """Put ``qty`` more of a SKU into the cart and select its line.

    Raises ``SkuNotFound``, ``NotOnSale``, ``QuantityTooLarge``, ``CartFull`` or ``CartRefused``.
    """
    _check_quantity(qty)
    sku = (await sellable(mall, [sku_id], store_id)).get(sku_id)
    if sku is None:
        raise SkuNotFound(sku=sku_id)
    if not sku.on_sale:
        raise NotOnSale(title=sku.title, sku_id=sku_id)

    async def write() -> None:
        if await db.value(_ADD, member_id, sku_id, qty, mall.clock.now()) is None:
            there = await db.value("SELECT 1 FROM cart_line WHERE member_id = $1 AND sku_id = $2", member_id, sku_id)
            raise QuantityTooLarge(limit=MAX_QTY) if there else CartFull(limit=MAX_LINES)

    return await _change(mall, member_id, store_id, write)


async def change_line(
    mall: Mall,
    member_id: int,
    *,
    sku_id: int,
    qty: int | None = None,
    selected: bool | None = None,
    store_id: int | None = None,
) -> CartView:
    """Set the quantity of a line, or whether it is selected; ``None`` leaves it.

    Raises ``CartLineUnknown``, ``QuantityTooLarge`` or ``CartRefused``.
    """
    if qty is not None:
        _check_quantity(qty)

    async def write() -> None:
        touched = await db.execute(
            "UPDATE cart_line SET qty = coalesce($3::int, qty), selected = coalesce($4::bool, selected) "
            "WHERE member_id = $1 AND sku_id = $2",
            member_id,
            sku_id,
            qty,
            selected,
        )
        if not touched:
            raise CartLineUnknown

    return await _change(mall, member_id, store_id, write)


async def select(
    mall: Mall, member_id: int, *, selected: bool, sku_ids: Collection[int] | None = None, store_id: int | None = None
) -> CartView:
    """Select or deselect lines by SKU, all of them for ``None``; SKUs that are not in the cart do nothing."""

    async def write() -> None:
        await db.execute(
            "UPDATE cart_line SET selected = $3 WHERE member_id = $1 AND ($2::bigint[] IS NULL OR sku_id = ANY($2))",
            member_id,
            list(sku_ids) if sku_ids is not None else None,
            selected,
        )

    return await _change(mall, member_id, store_id, write)


async def remove(
    mall: Mall, member_id: int, *, sku_ids: Collection[int] | None = None, store_id: int | None = None
) -> CartView:
    """Take lines out of the cart by SKU, all of them for ``None``; SKUs that are not in it do nothing."""

    async def write() -> None:
        await _delete(member_id, sku_ids)

    return await _change(mall, member_id, store_id, write)


async def take_ordered(mall: Mall, member_id: int, ordered: Mapping[int, int]) -> bool:
    """Take out what was ordered, by SKU and quantity; ``False`` when the cart holds something else by now.

    Must run inside a transaction, which a ``False`` must end: of two orders from one cart one finds nothing left.
    Asks no guard. Locks the member's row like every change of the cart.
    """
    db.assert_transaction()
    gone = await db.value(
        "WITH m AS (SELECT id FROM member WHERE id = $1 FOR NO KEY UPDATE), "
        "d AS (DELETE FROM cart_line c USING m, unnest($2::bigint[], $3::int[]) AS w(sku_id, qty) "
        "WHERE c.member_id = m.id AND c.sku_id = w.sku_id AND c.qty = w.qty AND c.selected RETURNING c.id) "
        "SELECT count(*) FROM d",
        member_id,
        list(ordered),
        list(ordered.values()),
    )
    return gone == len(ordered)


async def _delete(member_id: int, sku_ids: Collection[int] | None) -> None:
    await db.execute(
        "DELETE FROM cart_line WHERE member_id = $1 AND ($2::bigint[] IS NULL OR sku_id = ANY($2))",
        member_id,
        list(sku_ids) if sku_ids is not None else None,
    )


async def _change(mall: Mall, member_id: int, store_id: int | None, write: Callable[[], Awaitable[None]]) -> CartView:
    """Lock, write, and ask the guards about the cart as it is now; their refusal undoes the change."""
    async with db.transaction():
        await db.execute("SELECT FROM member WHERE id = $1 FOR NO KEY UPDATE", member_id)
        await write()
        cart = await view(mall, member_id, store_id)
        if mall.hooks.has("cart_guard"):
            answers = await mall.hooks.strict("cart_guard", mall=mall, member_id=member_id, lines=cart.lines)
            problems = [problem for _, said in answers for problem in said]
            if problems:
                raise CartRefused(problems=problems)
    return cart


def _check_quantity(qty: int) -> None:
    if not 1 <= qty <= MAX_QTY:
        raise QuantityTooLarge(limit=MAX_QTY)


def _broken_limits(skus: dict[int, SellableSku], rows: list[_Row]) -> dict[object, str]:
    """Return the code of the limit that the selected lines break, by product id."""
    wanted = {row.sku_id: row.qty for row in rows if row.selected and skus[row.sku_id].on_sale}
    return {problem.details["product_id"]: problem.code for problem in limit_problems(skus, wanted)}


def _line(row: _Row, sku: SellableSku, limits: dict[object, str]) -> CartLineView:
    problem: str | None = None
    if not sku.on_sale:
        problem = NotOnSale.code
    elif row.available is not None and row.available < row.qty:
        problem = OutOfStock.code
    elif row.selected:
        problem = limits.get(sku.product_id)
    return CartLineView(
        id=row.id,
        sku_id=row.sku_id,
        product_id=sku.product_id,
        sku_code=sku.sku_code,
        title=sku.title,
        options=sku.options,
        image_url=sku.image_url,
        qty=row.qty,
        unit_fen=sku.price_fen,
        amount_fen=row.qty * sku.price_fen,
        selected=row.selected,
        available=row.available,
        problem=problem,
        added_at=row.added_at,
    )
