"""Starting to pay."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from core import db
from core.kernel.mall import Mall
from core.orders import service as orders
from core.orders.errors import OrderNotFound
from core.payments.errors import PayTimeOver, ProviderMissing
from core.payments.types import Payer, PaymentProvider
from core.testing import builders, races
from core.testing.clock import FrozenClock
from core.testing.shop import a_shop
from core.testing.till import Till, a_till, pay

RunJob = Callable[..., Awaitable[None]]


@pytest.fixture
def till(mall: Mall) -> Till:
    return a_till(mall)


async def test_paying_again_answers_the_open_attempt(mall: Mall, till: Till) -> None:
    shop = await a_shop(mall)
    order = await shop.order()

    outcomes = await races.run_together(4, lambda: pay(mall, shop, order))

    assert [o.error for o in outcomes if not o.ok] == []
    assert len({o.value.number for o in outcomes}) == 1
    assert await db.value("SELECT count(*) FROM payment") == 1


async def test_somebody_elses_order_looks_like_none(mall: Mall, till: Till) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    stranger = await builders.a_member(mall)

    with pytest.raises(OrderNotFound):
        await orders.pay_with(mall, order.number, provider="till", payer=Payer(member_id=stranger.id))
    with pytest.raises(OrderNotFound):
        await orders.cancel_own(mall, order.number, member_id=stranger.id, reason="x")


async def test_an_unknown_way_to_pay_is_named(mall: Mall) -> None:
    shop = await a_shop(mall)

    with pytest.raises(ProviderMissing):
        await pay(mall, shop, await shop.order())


async def test_after_the_time_to_pay_no_payment_is_opened(mall: Mall, till: Till, clock: FrozenClock) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    clock.advance(timedelta(minutes=31))

    with pytest.raises(PayTimeOver):
        await pay(mall, shop, order)


async def test_an_expired_answer_of_the_channel_is_not_handed_out_again(
    mall: Mall, till: Till, clock: FrozenClock
) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    till.lives = timedelta(minutes=5)
    first = await pay(mall, shop, order)
    assert (await pay(mall, shop, order)).number == first.number
    assert till.prepared == 1
    clock.advance(timedelta(minutes=10))

    again = await pay(mall, shop, order)

    assert (again.number, till.prepared) == (first.number, 2)
    assert again.expires_at is not None
    assert again.expires_at > clock.now()


async def test_one_broken_provider_does_not_hide_the_others(mall: Mall, till: Till) -> None:
    class Broken(Till):
        async def available(self, mall: Mall, *, store_id: int | None, fulfilment_method: str) -> bool:
            raise RuntimeError

    mall.objects.add(PaymentProvider, "broken", Broken())
    shop = await a_shop(mall)

    assert [code for code, _ in await orders.methods(mall, await shop.order())] == ["till"]
