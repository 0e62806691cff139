"""What pay at the store talks about."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

Method = Literal["cash", "card", "wechat", "alipay", "other"]


class PayAtStoreConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings. ``methods`` are the ways to pay that a counter takes."""

    methods: tuple[Method, ...] = ("cash", "card", "wechat", "alipay", "other")


class Confirm(Struct, frozen=True, forbid_unknown_fields=True):
    """What staff took. Everything but cash needs the reference on the receipt of the terminal."""

    amount_fen: Annotated[
        int, Meta(ge=1, description="What was taken, in fen; must be what the order costs.", examples=[3200])
    ]
    method: Annotated[Method, Meta(description="How it was paid.", examples=["cash"])]
    reference: Annotated[str, Meta(max_length=32, pattern=r"^[\x21-\x7e]*$", description="Number on the receipt.")] = ""


class Confirmed(Struct, frozen=True, kw_only=True):
    """``result``: paid; repeat when exactly this was confirmed before; recorded when the money is booked and the order
    follows as soon as a failing plugin lets it; late or duplicate when staff must pay it back (there is a task then).
    """

    order_number: str
    payment_number: str
    result: str
    order_status: str


class Receipt(Struct, frozen=True, kw_only=True):
    """How an order was paid at the counter."""

    order_id: int
    method: str
    reference: str
    amount_fen: int
    staff_id: int | None
    captured_at: datetime
