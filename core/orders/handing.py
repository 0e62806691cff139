"""Goods leaving for the buyer: what every fulfilment method does to an order when it hands over."""

from __future__ import annotations

from core import db
from core.events import emit
from core.inventory import service as inventory
from core.kernel.mall import Mall
from core.kernel.origin import Actor, Origin
from core.orders import lifecycle, queries
from core.orders.errors import WrongStatus, named_status
from core.orders.events import OrderFulfilled
from core.orders.types import Order


async def hand_over_all(mall: Mall, order: Order, *, actor: Actor, event: str) -> Order:
    """Commit the stock of a locked, paid order that nothing holds, and mark every line as handed over.

    Refuses with ``WrongStatus`` or ``OrderHeld``. Must run in a transaction; the caller completes the order.
    """
    db.assert_transaction()
    if order.status != "paid" or order.fulfilment_state == "done":
        raise WrongStatus(**named_status(order.status), event=event)
    await lifecycle.refuse_if_held(order)
    await inventory.commit(mall, order.id, quantities=None, actor=actor)
    await db.execute("UPDATE order_line SET fulfilled_qty = qty - refunded_qty WHERE order_id = $1", order.id)
    await db.execute("UPDATE orders SET fulfilment_state = 'done', version = version + 1 WHERE id = $1", order.id)
    await queries.note(
        order.id,
        event,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name,
        now=mall.clock.now(),
        details={},
    )
    staff_id = actor.id if actor.kind == "staff" else order.staff_id
    emit(
        mall,
        OrderFulfilled(
            origin=Origin(channel=order.channel, store_id=order.store_id, staff_id=staff_id),
            order_id=order.id, number=order.number, member_id=order.member_id,
        ),
    )  # fmt: skip
    after = await queries.by_id(order.id)
    assert after is not None
    return after
