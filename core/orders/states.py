"""The life of an order as data (behaviour.md 5.3). The set is closed: plugins guard and take part, but add no state."""

from __future__ import annotations

from dataclasses import dataclass

from core.orders.types import OrderStatus


@dataclass(frozen=True, slots=True)
class Step:
    """One allowed change of ``status``. ``stamp`` is the column that takes the time of it."""

    event: str
    source: OrderStatus
    to: OrderStatus
    stamp: str | None = None


STEPS = (
    Step("pay", "pending_payment", "paid", "paid_at"),
    # Money that arrives while a channel is being asked to close: the stock is still reserved, so the order is simply
    # paid (docs/adr/0005).
    Step("pay", "cancelling", "paid", "paid_at"),
    Step("cancel", "pending_payment", "cancelled", "cancelled_at"),
    Step("start_cancel", "pending_payment", "cancelling"),
    Step("cancel", "cancelling", "cancelled", "cancelled_at"),
    Step("complete", "paid", "completed", "completed_at"),
    Step("close", "paid", "closed", "closed_at"),
    Step("close", "completed", "closed", "closed_at"),
)

INITIAL: OrderStatus = "pending_payment"
FINAL: frozenset[OrderStatus] = frozenset({"cancelled", "closed"})


def step(event: str, source: OrderStatus) -> Step | None:
    """Return the step that ``event`` makes from ``source``, ``None`` if there is none."""
    return next((s for s in STEPS if s.event == event and s.source == source), None)
