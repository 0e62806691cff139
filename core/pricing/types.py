"""What pricing talks about: a quote, and the adjustments that plugins propose to it. All amounts are integer fen."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

from core.kernel.errors import Problem
from core.kernel.i18n import Text
from core.kernel.origin import Origin


class Stage(StrEnum):
    """The fixed stages, in this order. Inside one, every plugin sees the same quote."""

    MEMBER_PRICE = "member_price"
    PROMOTION = "promotion"
    COUPON = "coupon"
    SHIPPING = "shipping"
    POINTS = "points"
    STORED_VALUE = "stored_value"


Target = Literal["line", "order", "freight"]


class QuoteLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a quote. ``amount_fen`` = qty × unit; ``left_fen`` is what it costs after the stages so far."""

    key: str
    sku_id: int
    product_id: int
    category_id: int | None
    sku_code: str
    title: str
    options: tuple[str, ...] = ()
    image_url: str = ""
    qty: int
    unit_fen: int
    amount_fen: int
    left_fen: int
    max_per_member: int = 0


class Adjustment(msgspec.Struct, frozen=True, kw_only=True):
    """What a plugin proposes. ``amount_fen`` is negative to take off, positive to put on (SHIPPING and freight only).

    ``target`` "line" needs ``line_key``; "order" spreads over ``line_keys`` (all lines when empty) by what is left of
    them. Of proposals with one ``exclusive_key`` the best for the buyer stays (tie: plugin id, then code).
    """

    code: str
    amount_fen: int
    label: Text
    source: str = ""
    target: Target = "order"
    line_key: str | None = None
    line_keys: tuple[str, ...] = ()
    exclusive_key: str | None = None


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """An adjustment as the core let it through. ``parts`` (by line key) add up to ``amount_fen``, except on freight."""

    stage: Stage
    plugin_id: str
    code: str
    source: str
    target: Target
    label: Text
    amount_fen: int
    parts: dict[str, int]


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """A proposal that does not count, and why: wrong_sign, exclusive, nothing_left, unknown_line, plugin_failed."""

    stage: Stage
    plugin_id: str
    code: str
    reason: str
    label: Text | None = None


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """The price of a basket at one moment, with its explanation.

    ``goods_fen`` Σ amounts; ``discount_fen`` ≤ 0 Σ adjustments of lines and order; ``freight_fen`` after adjustments;
    ``payable_fen`` = goods + discount + freight ≥ 0.
    """

    member_id: int | None
    store_id: int | None
    origin: Origin
    fulfilment_method: str
    lines: tuple[QuoteLine, ...]
    goods_fen: int
    discount_fen: int = 0
    freight_fen: int = 0
    payable_fen: int
    applied: tuple[Applied, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    extensions: dict[str, dict[str, object]] = {}


class Priced(msgspec.Struct, frozen=True, kw_only=True):
    """A quote with what stands in the way of ordering it. Lines that are not on sale are no part of the quote."""

    quote: Quote
    problems: tuple[Problem, ...] = ()


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step from the goods' price to what is payable. ``lines`` (by key) and ``freight_fen`` are what it left.

    ``skipped`` says why a proposal changed nothing; the first step, the base price, has stage ``None``.
    """

    stage: Stage | None
    plugin_id: str
    code: str
    label: Text | None
    amount_fen: int
    skipped: str | None
    lines_before: dict[str, int]
    lines: dict[str, int]
    freight_before_fen: int
    freight_fen: int
    payable_fen: int
