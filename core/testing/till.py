"""A payment channel in memory that says what a test tells it to: an outside system, not code of the mall."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from core import db
from core.kernel.i18n import Text
from core.kernel.origin import SYSTEM
from core.orders import service as orders
from core.orders.types import Order
from core.payments.types import Capture, ChannelState, Payer, PaymentProvider, PaymentView, Prepared

if TYPE_CHECKING:
    from core.kernel.mall import Mall
    from core.testing.shop import Shop


class Till:
    """``says`` is the answer to the next questions; an exception is a channel that cannot be reached."""

    code = "till"
    title = Text("测试", "Till")

    def __init__(self) -> None:
        self.says: ChannelState | Exception = ChannelState(state="closed")
        self.prepared = 0
        self.lives: timedelta | None = None

    async def available(self, mall: Mall, *, store_id: int | None, fulfilment_method: str) -> bool:
        return True

    async def prepare(self, mall: Mall, payment: PaymentView, payer: Payer) -> Prepared:
        db.assert_no_transaction()
        self.prepared += 1
        expires_at = None if self.lives is None else mall.clock.now() + self.lives
        return Prepared(action={"pay": payment.number}, expires_at=expires_at)

    async def query(self, mall: Mall, payment: PaymentView) -> ChannelState:
        db.assert_no_transaction()
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    close = query


def a_till(mall: Mall, code: str = "till") -> Till:
    """Register a channel with the mall."""
    made = Till()
    made.code = code
    mall.objects.add(PaymentProvider, code, made)
    return made


def capture_of(mall: Mall, payment: PaymentView, **over: object) -> Capture:
    """Return the news of a payment's money, as a channel would bring it; ``over`` sets fields."""
    facts: dict[str, Any] = {
        "payment_number": payment.number, "amount_fen": payment.amount_fen, "currency": "CNY",
        "channel_txn_id": f"T{payment.number}", "captured_at": mall.clock.now(), **over,
    }  # fmt: skip
    return Capture(**facts)


async def pay(mall: Mall, shop: Shop, order: Order) -> PaymentView:
    return await orders.start_payment(mall, order, provider="till", payer=Payer(member_id=shop.member.id))


async def apply(mall: Mall, capture: Capture) -> str:
    return await orders.apply_capture(mall, capture, provider="till", actor=SYSTEM)


async def status_of(order: Order) -> str:
    return await db.value("SELECT status FROM orders WHERE id = $1", order.id)
