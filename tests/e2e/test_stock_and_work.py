"""Who gets the last unit, what an unpaid order gives back, and that a killed job worker forgets nothing."""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx
import pytest

from tests.e2e.live import SHOP, Live, a_key, ok, until, wish

pytestmark = pytest.mark.timeout(120)


async def _all_at_once(live: Live, buyers: int, sku_id: int, store_id: int) -> Counter[tuple[int, str]]:
    """Let that many shoppers order one unit at one moment, each on a connection of their own."""
    tokens = await asyncio.gather(*(live.sign_in() for _ in range(buyers)))
    barrier = asyncio.Barrier(buyers)

    async def buy(token: str) -> httpx.Response:
        async with live.client(token) as client:
            await client.get(f"{SHOP}/me")  # the connection is open
            await barrier.wait()
            return await client.post(f"{SHOP}/orders", json=wish(sku_id, store_id), headers=a_key())

    answers = await asyncio.gather(*(buy(token) for token in tokens))
    return Counter((a.status_code, a.json().get("code", "")) for a in answers)


@pytest.mark.parametrize(("buyers", "units"), [(2, 1), (20, 5)])
async def test_no_more_is_sold_than_there_is(live: Live, buyers: int, units: int) -> None:
    store_id = await live.nearest_store()
    sku_id = await live.goods(store_id, units)

    outcomes = await _all_at_once(live, buyers, sku_id, store_id)

    assert outcomes == {(201, ""): units, (409, "inventory.out_of_stock"): buyers - units}
    assert await live.stock(sku_id) == (units, units)
    assert await live.value("SELECT count(*) FROM order_line WHERE sku_id = $1", sku_id) == units


async def _unpaid(live: Live, shopper: httpx.AsyncClient) -> tuple[str, int]:
    """Order three of five units; return the order's number and the SKU."""
    store_id = await live.nearest_store()
    sku_id = await live.goods(store_id, 5)
    body = wish(sku_id, store_id, qty=3)
    number = ok(await shopper.post(f"{SHOP}/orders", json=body, headers=a_key()), 201)["number"]
    ok(await shopper.post(f"{SHOP}/orders/{number}/payments", json={"provider": "pay_at_store"}), 201)
    assert await live.stock(sku_id) == (5, 3)
    return number, sku_id


async def _cancelled_in_time(live: Live, shopper: httpx.AsyncClient, number: str, sku_id: int) -> None:
    async def cancelled() -> bool:
        return ok(await shopper.get(f"{SHOP}/orders/{number}"))["status"] == "cancelled"

    await until(cancelled)
    order = ok(await shopper.get(f"{SHOP}/orders/{number}"))
    assert (order["cancel_reason"], order["timeline"][-1]["by"]) == ("pay_timeout", "system")
    assert await live.stock(sku_id) == (5, 0)
    late = await shopper.post(f"{SHOP}/orders/{number}/payments", json={"provider": "pay_at_store"})
    assert late.status_code == 409, late.text


async def test_an_order_that_nobody_pays_is_cancelled_by_its_deferred_job(live: Live) -> None:
    async with live.shopper() as shopper:
        number, sku_id = await _unpaid(live, shopper)

        # The half hour is over: only in this one job, for which the worker looks again when the next order comes.
        await live.rows("UPDATE orders SET pay_deadline = now() WHERE number = $1", number)
        jobs = await live.rows(
            "UPDATE pgqueuer SET execute_after = now() FROM orders o"
            " WHERE o.number = $1 AND entrypoint = 'orders.cancel_unpaid'"
            " AND convert_from(payload, 'UTF8')::jsonb = jsonb_build_object('order_id', o.id) RETURNING pgqueuer.id",
            number,
        )
        assert len(jobs) == 1
        await _unpaid(live, shopper)

        await _cancelled_in_time(live, shopper, number, sku_id)


async def test_an_order_whose_job_is_lost_is_found_when_the_sweep_is_due(live: Live) -> None:
    async with live.shopper() as shopper:
        number, sku_id = await _unpaid(live, shopper)
        live.kill_worker()
        await live.rows("DELETE FROM pgqueuer WHERE entrypoint = 'orders.cancel_unpaid'")
        await live.rows("UPDATE orders SET pay_deadline = now() WHERE number = $1", number)
        await live.rows("UPDATE pgqueuer_schedules SET next_run = now() WHERE entrypoint = 'orders.sweep_unpaid'")

        live.start_worker()

        await _cancelled_in_time(live, shopper, number, sku_id)


async def test_a_worker_killed_in_the_middle_of_a_delivery_loses_nothing(live: Live) -> None:
    slow = live.home / "slow"
    async with live.shopper() as shopper:
        store_id = await live.nearest_store()
        sku_id = await live.goods(store_id, 5)

        async def order() -> str:
            answer = await shopper.post(f"{SHOP}/orders", json=wish(sku_id, store_id), headers=a_key())
            return str(ok(answer, 201)["number"])

        async def begun() -> bool:
            return bool(live.witnessed(first))

        slow.touch()
        try:
            first = await order()
            await until(begun)
            live.kill_worker()
        finally:
            slow.unlink()
        second = await order()
        for number in (first, second):
            ok(await shopper.post(f"{SHOP}/orders/{number}/cancel", json={}))
        assert set((await live.deliveries(first)).values()) | set((await live.deliveries(second)).values()) == {"due"}

        live.start_worker()

        async def told() -> bool:
            owed = [await live.deliveries(number) for number in (first, second)]
            return all(len(one) == 2 and set(one.values()) == {"done"} for one in owed)

        await until(told)
    begin, end = "begin", "end"
    assert live.witnessed(first).count(("order.placed", begin)) == 2  # at least once: the killed one was made again
    assert live.witnessed(first).count(("order.placed", end)) == 1
    assert sorted(live.witnessed(second)) == sorted(
        (e, m) for e in ("order.placed", "order.cancelled") for m in (begin, end)
    )
    assert await live.stock(sku_id) == (5, 0)
