"""The counter over HTTP: codes that are wrong, foreign or used, the stop to guessing, then the hand-over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from core import db
from core.kernel.i18n import Text
from core.kernel.mall import Mall
from core.orders import lifecycle
from core.orders import service as orders
from core.testing import builders, races
from core.testing.clock import FrozenClock
from core.testing.shop import Shop, a_shop

Admin = Callable[[object], httpx.AsyncClient]
PICKUPS = "/admin/v1/pickups"
BOTH = pytest.mark.parametrize("path", ["/look-up", "/verify"])
WRONG = {"code": "000000000001"}


async def a_code(shop: Shop) -> str:
    """Make a paid (free) order and return its code."""
    order = await shop.order()
    return await db.value("SELECT code FROM pickup_code WHERE order_id = $1", order.id)


async def a_clerk(shop: Shop):
    return await builders.a_staff(shop.mall, ["orders.fulfil"], [shop.store_id])


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def state() -> tuple[str, str]:
    found = await db.row("SELECT o.status, c.state FROM orders o JOIN pickup_code c ON c.order_id = o.id")
    assert found is not None
    return found["status"], found["state"]


# refused --------------------------------------------------------------------------------------------------------------


@BOTH
async def test_codes_need_the_permission(mall: Mall, client: httpx.AsyncClient, admin: Admin, path: str) -> None:
    body = {"code": await a_code(await a_shop(mall, price_fen=0))}
    clerk = admin(await builders.a_staff(mall, ["orders.read", "orders.write"], None))

    assert refusal(await client.post(PICKUPS + path, json=body)) == (401, "auth.required")
    assert refusal(await clerk.post(PICKUPS + path, json=body)) == (403, "auth.forbidden")
    assert await state() == ("paid", "issued")
    assert await db.value("SELECT count(*) FROM pickup_attempt") == 0


@BOTH
@pytest.mark.parametrize("body", [{}, {"code": "1" * 11}, {"code": "1" * 21}, {"code": None}, {**WRONG, "order": "M1"}])
async def test_what_cannot_be_a_code_is_400(mall: Mall, admin: Admin, path: str, body: dict[str, Any]) -> None:
    clerk = admin(await builders.a_staff(mall, ["orders.fulfil"], None))

    assert refusal(await clerk.post(PICKUPS + path, json=body)) == (400, "request.invalid")


@BOTH
async def test_a_wrong_code_is_404(mall: Mall, admin: Admin, path: str) -> None:
    clerk = admin(await builders.a_staff(mall, ["orders.fulfil"], None))

    assert refusal(await clerk.post(PICKUPS + path, json=WRONG)) == (404, "fulfilment.code_unknown")


@BOTH
async def test_the_code_of_another_store_is_403(mall: Mall, admin: Admin, path: str) -> None:
    code = await a_code(await a_shop(mall, price_fen=0))
    elsewhere = await builders.a_store(mall)
    clerk = admin(await builders.a_staff(mall, ["orders.fulfil"], [elsewhere.id]))

    answer = await clerk.post(PICKUPS + path, json={"code": code}, headers={"Accept-Language": "en"})

    assert refusal(answer) == (403, "fulfilment.wrong_store")
    assert answer.json()["detail"] == "This order is to be picked up at another store; you cannot verify it."
    assert "order" not in answer.json()
    assert await state() == ("paid", "issued")


@BOTH
async def test_a_used_code_is_409_and_says_when(mall: Mall, admin: Admin, clock: FrozenClock, path: str) -> None:
    shop = await a_shop(mall, price_fen=0)
    code = await a_code(shop)
    clerk = admin(await a_clerk(shop))
    used_at = clock.now().isoformat()
    assert (await clerk.post(PICKUPS + "/verify", json={"code": code})).status_code == 200
    clock.advance(timedelta(hours=1))

    answer = await clerk.post(PICKUPS + path, json={"code": code})

    assert refusal(answer) == (409, "fulfilment.code_used")
    assert answer.json()["details"]["used_at"] == used_at
    assert await shop.stock_now() == (4, 0)


@BOTH
async def test_the_code_of_a_held_order_is_409_with_the_reason(mall: Mall, admin: Admin, path: str) -> None:
    shop = await a_shop(mall, price_fen=0)
    code = await a_code(shop)
    async with db.transaction():
        order = await lifecycle.locked(await db.value("SELECT id FROM orders"))
        await orders.put_hold(mall, order, plugin_id="group", code="forming", reason=Text("未成团", "group not full"))

    answer = await admin(await a_clerk(shop)).post(PICKUPS + path, json={"code": code})

    assert refusal(answer) == (409, "orders.held")
    assert [(p["code"], p["message"]) for p in answer.json()["problems"]] == [("group.forming", "未成团")]


# guessing -------------------------------------------------------------------------------------------------------------


async def use_up_the_tries(clerk: httpx.AsyncClient) -> None:
    for n in range(10):
        answer = await clerk.post(PICKUPS + ("/verify", "/look-up")[n % 2], json=WRONG)
        assert refusal(answer) == (404, "fulfilment.code_unknown"), n


def check_stopped(answer: httpx.Response) -> None:
    assert refusal(answer) == (429, "fulfilment.too_many_tries")
    assert answer.headers["retry-after"] == "60"
    assert answer.headers["content-type"] == "application/problem+json"


@BOTH
async def test_the_eleventh_try_in_a_minute_is_429_even_with_the_right_code(
    mall: Mall, admin: Admin, path: str
) -> None:
    shop = await a_shop(mall, price_fen=0)
    body = {"code": await a_code(shop)}
    clerk = admin(await a_clerk(shop))
    await use_up_the_tries(clerk)

    check_stopped(await clerk.post(PICKUPS + path, json=body))
    assert await state() == ("paid", "issued")

    colleague = admin(await a_clerk(shop))  # tries count by person
    assert (await colleague.post(PICKUPS + path, json=body)).status_code == 200


async def test_the_count_in_redis_stops_by_itself(mall: Mall, admin: Admin, clock: FrozenClock) -> None:
    clerk = admin(await builders.a_staff(mall, ["orders.fulfil"], None))
    await use_up_the_tries(clerk)
    clock.advance(timedelta(minutes=2))  # the count in the database follows the mall's clock, Redis its own

    check_stopped(await clerk.post(PICKUPS + "/verify", json=WRONG))
    assert await db.value("SELECT count(*) FROM pickup_attempt") == 10


async def test_the_count_in_the_database_stops_by_itself(mall: Mall, admin: Admin) -> None:
    clerk = admin(await builders.a_staff(mall, ["orders.fulfil"], None))
    await use_up_the_tries(clerk)
    assert mall.redis is not None
    await mall.redis.flushdb()

    check_stopped(await clerk.post(PICKUPS + "/verify", json=WRONG))


async def test_after_the_minute_the_counter_is_open_again(mall: Mall, admin: Admin, clock: FrozenClock) -> None:
    shop = await a_shop(mall, price_fen=0)
    body = {"code": await a_code(shop)}
    clerk = admin(await a_clerk(shop))
    await use_up_the_tries(clerk)
    assert mall.redis is not None
    await mall.redis.flushdb()
    clock.advance(timedelta(minutes=1))

    assert (await clerk.post(PICKUPS + "/verify", json=body)).status_code == 200


# the hand-over --------------------------------------------------------------------------------------------------------


async def test_a_code_is_looked_up_and_then_redeemed(mall: Mall, admin: Admin) -> None:
    shop = await a_shop(mall, price_fen=0)
    code = await a_code(shop)
    staff = await a_clerk(shop)
    clerk = admin(staff)

    seen = await clerk.post(PICKUPS + "/look-up", json={"code": f"{code[:4]} {code[4:8]} {code[8:]}"})
    assert await state() == ("paid", "issued")
    done = await clerk.post(PICKUPS + "/verify", json={"code": code})

    assert (seen.status_code, done.status_code) == (200, 200)
    assert (seen.json()["pickup"]["state"], seen.json()["order"]["status"]) == ("issued", "paid")
    assert (done.json()["pickup"]["state"], done.json()["pickup"]["used_by"]) == ("used", staff.staff_id)
    assert (done.json()["order"]["status"], done.json()["order"]["fulfilment_state"]) == ("completed", "done")
    assert await state() == ("completed", "used")
    assert await shop.stock_now() == (4, 0)
    tries = await db.rows("SELECT result, store_id FROM pickup_attempt ORDER BY id")
    assert [tuple(t) for t in tries] == [("shown", shop.store_id), ("verified", shop.store_id)]


async def test_two_clerks_at_once_hand_over_once(mall: Mall, admin: Admin) -> None:
    shop = await a_shop(mall, price_fen=0)
    body = {"code": await a_code(shop)}
    clerks = [admin(await a_clerk(shop)) for _ in range(2)]
    for clerk in clerks:
        await clerk.get("/admin/v1/me")  # signs in and builds the app before the race

    outcomes = await races.run_together(2, lambda n: clerks[n].post(PICKUPS + "/verify", json=body))

    assert sorted(o.value.status_code for o in outcomes) == [200, 409]
    assert await shop.stock_now() == (4, 0)
