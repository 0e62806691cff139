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


class CartView(msgspec.Struct, frozen=True, kw_only=True):
    """A member's cart, the newest line first. The two sums count selected lines without a problem, at base prices.

    ``store_id`` is the store that prices and availability are told for; ``None``: base prices, no availability.
    """

    store_id: int | None
    lines: tuple[CartLineView, ...]
    selected_units: int
    selected_fen: int
