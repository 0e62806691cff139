"""Pick-up at a store: the method, its codes, and the hand-over (behaviour.md 5.3, "Pickup")."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from core import db
from core.cache import RateLimited, rate_limit
from core.events import emit
from core.fulfilment.errors import (
    CodeUnknown,
    CodeUsed,
    CodeVoid,
    NoCode,
    StoreNeeded,
    StoreNotServing,
    StoreUnknown,
    TooManyTries,
    WrongStore,
)
from core.fulfilment.events import PickupVerified
from core.fulfilment.types import Pickup, PickupView
from core.inventory import service as inventory
from core.kernel.errors import MallError
from core.kernel.i18n import Text
from core.kernel.ids import luhn_digit, luhn_valid, new_digits
from core.kernel.origin import Origin
from core.orders import handing, lifecycle, queries
from core.orders.errors import named_status
from core.orders.types import FulfilmentPlan, Order, OrderDraft

if TYPE_CHECKING:
    from core.kernel.mall import Mall
    from core.staff.types import StaffSessionView

METHOD = "pickup"
CODE_LENGTH = 12
TRIES_A_MINUTE = 10
_DRAWS = 5


class PickupMethod:
    """The core's own ``FulfilmentMethod``."""

    code = METHOD
    title = Text("到店自提", "Pick up in store")

    async def plan(self, mall: Mall, draft: OrderDraft) -> FulfilmentPlan:
        if draft.store_id is None:
            raise StoreNeeded
        store = await db.row(
            "SELECT s.name, s.state, s.services, s.closed_from, s.closed_until, l.id AS location_id FROM store s "
            "LEFT JOIN location l ON l.store_id = s.id WHERE s.id = $1",
            draft.store_id,
        )
        if store is None:
            raise StoreUnknown(store_id=draft.store_id)
        now = mall.clock.now()
        closed = store["closed_from"] is not None and store["closed_from"] <= now and (
            store["closed_until"] is None or now < store["closed_until"]
        )  # fmt: skip
        if store["state"] != "active" or METHOD not in store["services"] or closed:
            raise StoreNotServing(store=store["name"])
        location_id = store["location_id"] or await inventory.location_of_store(mall, draft.store_id)
        return FulfilmentPlan(location_id=location_id)

    async def ready(self, mall: Mall, order: Order) -> None:
        """Issue the code, once: a second call finds the live one and does nothing."""
        db.assert_transaction()
        for _ in range(_DRAWS):
            digits = new_digits(CODE_LENGTH - 1)
            settled = await db.value(
                "INSERT INTO pickup_code (order_id, store_id, code, issued_at) SELECT $1, $2, $3, $4 "
                "WHERE NOT EXISTS (SELECT 1 FROM pickup_code WHERE order_id = $1 AND state <> 'void') "
                "ON CONFLICT DO NOTHING RETURNING id",
                order.id, order.store_id, digits + luhn_digit(digits), mall.clock.now(),
            )  # fmt: skip
            if settled is not None or await of_order(order.id) is not None:
                return
        raise RuntimeError("no free pick-up code in five draws: the code space is nearly full")

    async def stopped(self, mall: Mall, order: Order) -> None:
        db.assert_transaction()
        await db.execute(
            "UPDATE pickup_code SET state = 'void', voided_at = $2 WHERE order_id = $1 AND state = 'issued'",
            order.id,
            mall.clock.now(),
        )


async def of_order(order_id: int) -> PickupView | None:
    """Return the live (or used) code of an order."""
    return await db.fetch_one(
        PickupView,
        "SELECT * FROM pickup_code WHERE order_id = $1 AND state <> 'void' ORDER BY id DESC LIMIT 1",
        order_id,
    )


async def code_of(order: Order) -> PickupView:
    """Return the code of an order for its buyer; raises ``NoCode``, or ``OrderHeld`` with the reasons."""
    found = await of_order(order.id)
    if found is None:
        await lifecycle.refuse_if_held(order)
        raise NoCode(**named_status(order.status))
    return found


async def look_up(mall: Mall, staff: StaffSessionView, code: str) -> Pickup:
    """Show staff what a code stands for, changing nothing but the record of tries.

    Refuses with ``CodeUnknown``, ``CodeUsed``, ``CodeVoid``, ``WrongStore``, ``OrderHeld`` or ``TooManyTries``
    (10 a minute and staff member).
    """
    return await _tried(mall, staff, code, hand_over=False)


async def verify(mall: Mall, staff: StaffSessionView, code: str) -> Pickup:
    """Redeem a code and hand all goods over: the order is fulfilled and completed, once.

    Refuses like ``look_up``; of two calls at once one wins, the other gets ``CodeUsed``. Locks: order, code, stock.
    """
    return await _tried(mall, staff, code, hand_over=True)


async def _tried(mall: Mall, staff: StaffSessionView, code: str, *, hand_over: bool) -> Pickup:
    """Count the try first and note how it ended: a wrong guess leaves a trace whatever the answer was."""
    now = mall.clock.now()
    try:
        await rate_limit(mall, f"pickup:{staff.staff_id}", limit=TRIES_A_MINUTE, per_s=60)
    except RateLimited as exc:
        raise TooManyTries from exc
    recent = await db.value(
        "SELECT count(*) FROM pickup_attempt WHERE staff_id = $1 AND at > $2",
        staff.staff_id,
        now - timedelta(minutes=1),
    )
    if recent >= TRIES_A_MINUTE:
        raise TooManyTries
    attempt = await db.value(
        "INSERT INTO pickup_attempt (staff_id, result, at) VALUES ($1, 'started', $2) RETURNING id", staff.staff_id, now
    )
    try:
        async with db.transaction():
            done = await _redeem(mall, staff, code) if hand_over else await _open_pickup(staff, code, lock=False)
            await _note(attempt, "verified" if hand_over else "shown", done)
    except MallError as refusal:
        await db.execute("UPDATE pickup_attempt SET result = $2 WHERE id = $1", attempt, refusal.code)
        raise
    return done


async def _note(attempt: int, result: str, done: Pickup) -> None:
    await db.execute(
        "UPDATE pickup_attempt SET result = $2, order_id = $3, store_id = $4 WHERE id = $1",
        attempt, result, done.order.id, done.pickup.store_id,
    )  # fmt: skip


async def _open_pickup(staff: StaffSessionView, code: str, *, lock: bool) -> Pickup:
    digits = "".join(code.split())
    if len(digits) != CODE_LENGTH or not luhn_valid(digits):
        raise CodeUnknown
    found = await db.row("SELECT order_id FROM pickup_code WHERE code = $1 ORDER BY id DESC LIMIT 1", digits)
    if found is None:
        raise CodeUnknown
    order = await (queries.lock if lock else queries.by_id)(found["order_id"])
    pickup = await db.fetch_one(
        PickupView, "SELECT * FROM pickup_code WHERE code = $1 ORDER BY id DESC LIMIT 1", digits
    )
    if order is None or pickup is None:
        raise CodeUnknown
    if not staff.in_scope(pickup.store_id):
        raise WrongStore
    if pickup.state == "used":
        raise CodeUsed(used_at=pickup.used_at.isoformat() if pickup.used_at else "")
    if pickup.state == "void":
        if order.held:
            await lifecycle.refuse_if_held(order)
        raise CodeVoid
    await lifecycle.refuse_if_held(order)
    return Pickup(pickup=pickup, order=order)


async def _redeem(mall: Mall, staff: StaffSessionView, code: str) -> Pickup:
    opened = await _open_pickup(staff, code, lock=True)
    now = mall.clock.now()
    used = await db.fetch_one(
        PickupView,
        "UPDATE pickup_code SET state = 'used', used_at = $2, used_by = $3, used_at_store = store_id "
        "WHERE id = $1 AND state = 'issued' RETURNING *",
        opened.pickup.id,
        now,
        staff.staff_id,
    )
    if used is None:
        raise CodeUsed(used_at=now.isoformat())
    order = await handing.hand_over_all(mall, opened.order, actor=staff.actor, event="pickup_verified")
    emit(
        mall,
        PickupVerified(
            origin=Origin(channel=order.channel, store_id=used.store_id, staff_id=staff.staff_id),
            order_id=order.id, number=order.number, member_id=order.member_id, pickup_id=used.id,
        ),
    )  # fmt: skip
    order = await lifecycle.transition(mall, order, "complete", actor=staff.actor, reason="picked_up")
    return Pickup(pickup=used, order=order)
