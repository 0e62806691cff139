"""The payment protocol: provider-neutral, no word of any channel (behaviour.md 5.5)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from core.kernel.i18n import Text

if TYPE_CHECKING:
    from core.kernel.mall import Mall

PaymentState = Literal["created", "pending", "captured", "closed", "failed", "mismatch"]


class PaymentView(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to pay an order. Amounts in fen; ``number`` is what the channel knows it by (≤ 32 characters)."""

    id: int
    number: str
    order_id: int
    provider: str
    amount_fen: int
    currency: str
    state: PaymentState
    channel_txn_id: str | None
    captured_fen: int
    refunded_fen: int
    refunding_fen: int
    method: str
    client_action: dict[str, object] | None
    channel: str
    store_id: int | None
    staff_id: int | None
    created_at: datetime
    expires_at: datetime | None
    captured_at: datetime | None


class Payer(msgspec.Struct, frozen=True, kw_only=True):
    """Who pays, as the provider may need to know: identities by provider (an openid), and the caller's address."""

    member_id: int
    identities: dict[str, str] = {}
    ip: str = ""


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider wants the shopper to do; ``action`` goes to the client as it is."""

    action: dict[str, object]
    expires_at: datetime | None = None


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """Verified news that money arrived for a payment number. Only a provider that verified it may say this."""

    payment_number: str
    amount_fen: int
    currency: str
    channel_txn_id: str
    captured_at: datetime
    method: str = ""
    staff_id: int | None = None
    store_id: int | None = None


class ChannelState(msgspec.Struct, frozen=True, kw_only=True):
    """What the channel says of a payment: ``captured`` (with ``capture``), ``open``, ``closed`` or ``unknown``."""

    state: Literal["captured", "open", "closed", "unknown"]
    capture: Capture | None = None


class PaymentProvider(Protocol):
    """Talk to one channel. Every method is called outside transactions; a raise means "unknown, ask again"."""

    code: str
    title: Text

    async def available(self, mall: Mall, *, store_id: int | None, fulfilment_method: str) -> bool:
        """Say whether this way to pay can be offered for such an order. No network."""
        ...

    async def prepare(self, mall: Mall, payment: PaymentView, payer: Payer) -> Prepared:
        """Open the payment at the channel and say what the shopper does next. Repeats with the same number are safe."""
        ...

    async def query(self, mall: Mall, payment: PaymentView) -> ChannelState:
        """Ask the channel for the truth about a payment."""
        ...

    async def close(self, mall: Mall, payment: PaymentView) -> ChannelState:
        """Close the payment at the channel; answers ``captured`` when the money was faster."""
        ...
