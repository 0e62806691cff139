"""The cart as the rest of the mall sees it."""

from __future__ import annotations

from datetime import datetime

import msgspec


class CartLineView(msgspec.Struct, frozen=True, kw_only=True):
    """One line. ``problem`` is the code of why it cannot be ordered now (``catalog.not_on_sale``), else ``None``."""

    id: int
    sku_id: int
    product_id: int
    sku_code: str
    title: str
    options: tuple[str, ...]
    image_url: str
    qty: int
    unit_fen: int
    amount_fen: int
    selected: bool
    available: int | None
    problem: str | None
    added_at: datetime
