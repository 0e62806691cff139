"""Starting to pay for an order (behaviour.md 5.5). What comes of it stands in ``capturing``."""

from __future__ import annotations

import asyncio

import structlog

from core import db
from core.kernel.contracts import ObjectMissing
from core.kernel.errors import MallError
from core.kernel.mall import Mall
from core.orders import lifecycle, queries
from core.orders.capturing import CHANNEL_S
from core.orders.errors import OrderNotFound, named_status
from core.orders.types import Order
from core.payments import service as payments
from core.payments.errors import ChannelUnreachable, NothingToPay, PayTimeOver, ProviderMissing, ProviderNotOffered
from core.payments.types import Payer, PaymentProvider, PaymentView

log = structlog.get_logger("mall.paying")


async def methods(mall: Mall, order: Order) -> list[tuple[str, PaymentProvider]]:
    """Return the ways this order can be paid now, by code; a provider that fails to say is left out."""
    return [
        (code, provider)
        for code, _, provider in mall.objects.all(PaymentProvider)
        if await _offered(mall, code, provider, order)
    ]


async def _offered(mall: Mall, code: str, provider: PaymentProvider, order: Order) -> bool:
    try:
        async with asyncio.timeout(mall.hooks.timeout_s):
            return await provider.available(mall, store_id=order.store_id, fulfilment_method=order.fulfilment_method)
    except Exception:
        log.exception("payment provider failed", provider=code, owner=mall.objects.owner(PaymentProvider, code))
        return False


async def start_payment(mall: Mall, order: Order, *, provider: str, payer: Payer) -> PaymentView:
    """Open a payment with a provider, or return the open one; the answer says what the shopper does next.

    Refuses with ``ProviderMissing``, ``ProviderNotOffered``, ``NothingToPay``, ``PayTimeOver`` or
    ``ChannelUnreachable`` (the order stays as it is). The attempt is committed before the channel is called. What the
    channel answered is handed out again until it expires, then the channel is asked again with the same number.
    """
    db.assert_no_transaction()
    try:
        how = mall.objects.get(PaymentProvider, provider)
    except ObjectMissing as exc:
        raise ProviderMissing(provider=provider) from exc
    if not await _offered(mall, provider, how, order):
        raise ProviderNotOffered(provider=provider)
    now = mall.clock.now()
    async with db.transaction():
        current = await lifecycle.locked(order.id)
        if current.status != "pending_payment":
            raise NothingToPay(**named_status(current.status))
        if current.pay_deadline is not None and current.pay_deadline <= now:
            raise PayTimeOver
        if any(p.state == "captured" for p in await payments.of_order(current.id)):
            raise NothingToPay(**named_status("paid"))
        attempt = await payments.open_attempt(
            mall, current.id, provider=provider, amount_fen=current.payable_fen - current.paid_fen,
            origin=current.origin, expires_at=current.pay_deadline,
        )  # fmt: skip
    fresh = attempt.expires_at is None or attempt.expires_at > now
    if attempt.state == "pending" and attempt.client_action is not None and fresh:
        return attempt
    return await _prepare(mall, how, attempt, payer)


async def _prepare(mall: Mall, how: PaymentProvider, attempt: PaymentView, payer: Payer) -> PaymentView:
    """Ask the channel what the shopper does next, and keep its answer."""
    try:
        async with asyncio.timeout(CHANNEL_S):
            prepared = await how.prepare(mall, attempt, payer)
    except MallError:
        raise
    except Exception as exc:
        log.exception("prepare failed", provider=attempt.provider, payment=attempt.number)
        raise ChannelUnreachable from exc
    after = await payments.set_prepared(attempt.id, prepared)
    if after is not None:
        return after
    settled = await payments.by_number(attempt.number)
    if settled is None or settled.state != "captured":
        raise NothingToPay(**named_status("cancelled"))
    return settled


async def pay_with(mall: Mall, number: str, *, provider: str, payer: Payer) -> PaymentView:
    """Find the caller's order by number and start a payment for it; a foreign order is ``OrderNotFound``."""
    order = await queries.by_number(number, member_id=payer.member_id)
    if order is None:
        raise OrderNotFound(number=number)
    return await start_payment(mall, order, provider=provider, payer=payer)
