"""What has happened to money."""

from __future__ import annotations

from typing import ClassVar

from core.events.types import Event


class PaymentCaptured(Event, frozen=True, kw_only=True):
    """Money arrived and is recorded, whatever the order's state was."""

    name: ClassVar[str] = "payment.captured"
    payment_id: int
    number: str
    order_id: int
    provider: str
    amount_fen: int
