"""The provider, and the confirmation at the counter.

A member of staff is the channel here: nobody else knows whether money was taken. So what a person enters is checked
before it counts as news of money, where a real channel's news would be recorded whatever it says.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.sdk import (
    Capture,
    ChannelState,
    Mall,
    Order,
    Payer,
    PaymentProvider,
    PaymentView,
    Prepared,
    ReferenceUsed,
    StaffSessionView,
    Text,
    db,
    named_status,
    orders,
    payments,
    plugin_config,
    yuan,
)
from plugins.pay_at_store.errors import (
    AmountDiffers,
    ConfirmedOtherwise,
    MethodNotTaken,
    NothingToConfirm,
    OrderNotPayable,
    ReferenceNeeded,
)
from plugins.pay_at_store.types import Confirm, Confirmed, PayAtStoreConfig, Receipt

CODE = "pay_at_store"
CASH = "cash"


class PayAtStore(PaymentProvider):
    """The payment provider: it offers itself where there is a counter."""

    code = CODE
    title = Text("到店付款", "Pay at the store")

    async def available(self, mall: Mall, *, store_id: int | None, fulfilment_method: str) -> bool:
        return store_id is not None and fulfilment_method == "pickup"

    async def prepare(self, mall: Mall, payment: PaymentView, payer: Payer) -> Prepared:
        return Prepared(action={"kind": CODE, "amount_fen": payment.amount_fen, "store_id": payment.store_id})

    async def query(self, mall: Mall, payment: PaymentView) -> ChannelState:
        return ChannelState(state="open")

    async def close(self, mall: Mall, payment: PaymentView) -> ChannelState:
        return ChannelState(state="closed")


def config(mall: Mall) -> PayAtStoreConfig:
    found: PayAtStoreConfig = plugin_config(mall, CODE)
    return found


async def confirm(mall: Mall, staff: StaffSessionView, number: str, taken: Confirm) -> Confirmed:
    """Book money that was taken at the counter for an order of a store that ``staff`` work for.

    Confirming the same twice books once. Refuses with ``OrderNotFound`` (also for other stores' orders),
    ``NothingToConfirm``, ``AmountDiffers``, ``MethodNotTaken``, ``ReferenceNeeded``, ``OrderNotPayable``,
    ``ReferenceUsed`` (another payment's receipt) or ``ConfirmedOtherwise``.
    """
    order = await orders.get(mall, number, scope=staff.scope())
    payment = await _waiting(order)
    if payment is None and order.status not in ("pending_payment", "cancelling"):
        raise OrderNotPayable(**named_status(order.status))
    if payment is None:
        raise NothingToConfirm(number=order.number)
    if taken.method not in config(mall).methods:
        raise MethodNotTaken(method=taken.method)
    if taken.method != CASH and not taken.reference:
        raise ReferenceNeeded
    if taken.amount_fen != payment.amount_fen:
        raise AmountDiffers(
            due_fen=payment.amount_fen, given_fen=taken.amount_fen, due=yuan(payment.amount_fen),
            given=yuan(taken.amount_fen),
        )  # fmt: skip
    # Numbers of terminals repeat from store to store.
    reference = f"{order.store_id}:{taken.method}:{taken.reference or payment.number}"
    if payment.state == "captured" and payment.channel_txn_id != reference:
        raise ConfirmedOtherwise
    if payment.state != "captured" and order.status not in ("pending_payment", "cancelling"):
        raise OrderNotPayable(**named_status(order.status))
    try:
        result = await orders.apply_capture(
            mall,
            Capture(
                payment_number=payment.number, amount_fen=taken.amount_fen, currency=payment.currency,
                channel_txn_id=reference, captured_at=mall.clock.now(), method=taken.method, staff_id=staff.staff_id,
                store_id=order.store_id,
            ),
            provider=CODE,
            actor=staff.actor,
        )  # fmt: skip
    except ReferenceUsed as exc:
        raise ReferenceUsed(reference=taken.reference) from exc  # as the receipt says it
    after = await orders.get(mall, number)
    return Confirmed(order_number=number, payment_number=payment.number, result=result, order_status=after.status)


async def _waiting(order: Order) -> PaymentView | None:
    """Return the payment to confirm: the open one, else the one already captured (a repeated click)."""
    ours = [p for p in await payments.of_order(order.id) if p.provider == CODE]
    for states in (("created", "pending"), ("captured",)):
        for payment in ours:
            if payment.state in states:
                return payment
    return None


async def receipts(order_ids: Sequence[int]) -> dict[int, Receipt]:
    """Return how orders were paid at the counter, by order id."""
    found = await db.fetch(
        Receipt,
        "SELECT order_id, method, regexp_replace(channel_txn_id, '^[^:]*:[^:]*:', '') AS reference, "
        "captured_fen AS amount_fen, staff_id, captured_at FROM payment "
        "WHERE order_id = ANY($1) AND provider = $2 AND state = 'captured'",
        list(order_ids),
        CODE,
    )
    return {r.order_id: r for r in found}
