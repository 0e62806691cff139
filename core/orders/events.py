"""What has happened to an order. Every event carries channel, store and staff in ``origin``."""

from __future__ import annotations

from typing import ClassVar

from core.events.types import Event


class OrderPlaced(Event, frozen=True, kw_only=True):
    name: ClassVar[str] = "order.placed"
    order_id: int
    number: str
    member_id: int
    payable_fen: int


class OrderPaid(Event, frozen=True, kw_only=True):
    name: ClassVar[str] = "order.paid"
    order_id: int
    number: str
    member_id: int
    paid_fen: int


class OrderCancelled(Event, frozen=True, kw_only=True):
    name: ClassVar[str] = "order.cancelled"
    order_id: int
    number: str
    member_id: int
    reason: str


class OrderFulfilled(Event, frozen=True, kw_only=True):
    """All goods of the order are with the buyer."""

    name: ClassVar[str] = "order.fulfilled"
    order_id: int
    number: str
    member_id: int


class OrderCompleted(Event, frozen=True, kw_only=True):
    name: ClassVar[str] = "order.completed"
    order_id: int
    number: str
    member_id: int
    paid_fen: int
