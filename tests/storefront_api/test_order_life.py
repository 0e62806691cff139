"""An order over HTTP after it was placed: cancel, hide, pay, and the pick-up code."""

from __future__ import annotations

from datetime import timedelta

import httpx

from core import db
from core.kernel.i18n import Text
from core.kernel.mall import Mall
from core.orders import lifecycle
from core.orders import service as orders
from core.orders.types import Order
from core.testing import builders
from core.testing.clock import FrozenClock
from core.testing.plugin_all_hooks import plugin as all_hooks
from core.testing.pytest_plugin import MakeMall
from core.testing.shop import a_shop
from tests.storefront_api.ordering import (
    EN,
    ORDERS,
    ZH,
    OutsideChannel,
    Storefront,
    check_problem,
    order_count,
    refusal,
)


async def test_a_paid_order_is_not_cancelled(mall: Mall, storefront: Storefront) -> None:
    shop = await a_shop(mall, price_fen=0)
    order = await shop.order()

    answer = await storefront(shop.member).post(f"{ORDERS}/{order.number}/cancel", json={}, headers=EN)

    details = check_problem(answer, 409, "orders.wrong_status", "en")["details"]
    assert (details["status"], details["event"]) == ("paid", "cancel")
    assert await shop.stock_now() == (5, 1)


async def test_a_plugin_may_keep_an_order_and_says_why(make_mall: MakeMall, storefront: Storefront) -> None:
    mall = await make_mall(extra={"all_hooks": all_hooks}, environ={"MALL_ALL_HOOKS__KEEP_ORDERS": "true"})
    shop = await a_shop(mall)
    order = await shop.order()

    answer = await storefront(shop.member).post(f"{ORDERS}/{order.number}/cancel", json={})

    body = check_problem(answer, 409, "orders.transition_refused", "zh-CN")
    assert body["problems"] == [{"code": "all_hooks.kept", "message": "订单不可取消。", "details": {}}]
    assert await db.value("SELECT status FROM orders") == "pending_payment"


async def test_cancelling_gives_the_stock_back_once(mall: Mall, storefront: Storefront) -> None:
    shop = await a_shop(mall)
    order = await shop.order(qty=2)
    shopper = storefront(shop.member)

    answers = [await shopper.post(f"{ORDERS}/{order.number}/cancel", json={"reason": "太慢"}) for _ in range(2)]

    assert [(a.status_code, a.json()["status"], a.json()["cancel_reason"]) for a in answers] == [
        (200, "cancelled", "太慢")
    ] * 2
    assert await shop.stock_now() == (5, 0)


async def test_an_order_whose_channel_is_away_is_being_cancelled(make_mall: MakeMall, storefront: Storefront) -> None:
    channel = OutsideChannel()
    mall = await make_mall(extra={"till": channel})
    shop = await a_shop(mall)
    order = await shop.order()
    shopper = storefront(shop.member)
    await shopper.post(f"{ORDERS}/{order.number}/payments", json={"provider": "till"})
    channel.down = True

    answer = await shopper.post(f"{ORDERS}/{order.number}/cancel", json={})

    assert (answer.status_code, answer.json()["status"]) == (200, "cancelling")
    assert await shop.stock_now() == (5, 1)


async def test_only_an_ended_order_leaves_my_list(mall: Mall, storefront: Storefront) -> None:
    shop = await a_shop(mall)
    ended, running = await shop.order(), await shop.order(key="key-00002")
    shopper = storefront(shop.member)
    await shopper.post(f"{ORDERS}/{ended.number}/cancel", json={})

    answers = [await shopper.delete(f"{ORDERS}/{order.number}") for order in (ended, running)]

    assert [a.status_code for a in answers] == [204, 204]
    assert [o["number"] for o in (await shopper.get(ORDERS)).json()["items"]] == [running.number]
    assert await order_count() == 2  # the shop keeps it


# paying ---------------------------------------------------------------------------------------------------------------


async def test_payment_methods_are_those_that_fit_the_order(make_mall: MakeMall, storefront: Storefront) -> None:
    shut = OutsideChannel(everywhere=False)
    shut.code = "nowhere"
    mall = await make_mall(extra={"till": OutsideChannel(), "shut": shut})
    shop = await a_shop(mall)
    order = await shop.order()

    answer = await storefront(shop.member).get(f"{ORDERS}/{order.number}/payment-methods", headers=EN)

    assert (answer.status_code, answer.json()) == (200, [{"provider": "till", "title": "Till"}])


async def test_a_provider_that_is_not_there_or_not_for_this_order_is_refused(
    make_mall: MakeMall, storefront: Storefront
) -> None:
    mall = await make_mall(extra={"till": OutsideChannel(everywhere=False)})
    shop = await a_shop(mall)
    order = await shop.order()
    shopper = storefront(shop.member)

    unknown = await shopper.post(f"{ORDERS}/{order.number}/payments", json={"provider": "gold"}, headers=EN)
    not_here = await shopper.post(f"{ORDERS}/{order.number}/payments", json={"provider": "till"}, headers=EN)

    assert (
        check_problem(unknown, 400, "payments.provider_unknown", "en")["detail"]
        == "There is no way to pay called gold."
    )
    assert refusal(not_here) == (409, "payments.provider_not_offered")
    assert await db.value("SELECT count(*) FROM payment") == 0


async def test_an_order_that_wants_no_money_takes_none(
    make_mall: MakeMall, storefront: Storefront, clock: FrozenClock
) -> None:
    mall = await make_mall(extra={"till": OutsideChannel()})
    shop = await a_shop(mall)
    cancelled, late = await shop.order(), await shop.order(key="key-00002")
    shopper = storefront(shop.member)
    await shopper.post(f"{ORDERS}/{cancelled.number}/cancel", json={})

    ended = await shopper.post(f"{ORDERS}/{cancelled.number}/payments", json={"provider": "till"})
    clock.advance(timedelta(minutes=30))
    over = await shopper.post(f"{ORDERS}/{late.number}/payments", json={"provider": "till"})

    assert check_problem(ended, 409, "payments.nothing_to_pay", "zh-CN")["details"]["status"] == "cancelled"
    assert check_problem(over, 409, "payments.time_over", "zh-CN")["detail"] == "订单的支付时间已过。"
    assert await db.value("SELECT count(*) FROM payment") == 0


async def test_a_channel_that_is_away_is_503_and_the_order_is_kept(make_mall: MakeMall, storefront: Storefront) -> None:
    channel = OutsideChannel(down=True)
    mall = await make_mall(extra={"till": channel})
    shop = await a_shop(mall)
    order = await shop.order()
    shopper = storefront(shop.member)

    away = await shopper.post(f"{ORDERS}/{order.number}/payments", json={"provider": "till"})
    channel.down = False
    back = await shopper.post(f"{ORDERS}/{order.number}/payments", json={"provider": "till"})

    check_problem(away, 503, "payments.channel_unreachable", "zh-CN")
    assert away.headers["retry-after"] == "5"
    assert back.status_code == 201
    assert await db.value("SELECT count(*) FROM payment") == 1


async def test_starting_to_pay_again_answers_the_open_payment(make_mall: MakeMall, storefront: Storefront) -> None:
    mall = await make_mall(extra={"till": OutsideChannel()})
    shop = await a_shop(mall)
    order = await shop.order(qty=2)
    shopper = storefront(shop.member)

    answers = [await shopper.post(f"{ORDERS}/{order.number}/payments", json={"provider": "till"}) for _ in range(2)]

    first, again = (a.json() for a in answers)
    assert answers[0].status_code == 201
    assert first == again
    assert (first["provider"], first["state"], first["amount_fen"], first["action"]) == (
        "till", "pending", 2000, {"kind": "till", "payer": shop.member.id},
    )  # fmt: skip


# the code -------------------------------------------------------------------------------------------------------------


async def code_of(shopper: httpx.AsyncClient, order: Order, lang: dict[str, str] = EN) -> httpx.Response:
    return await shopper.get(f"{ORDERS}/{order.number}/pickup-code", headers=lang)


async def test_there_is_no_code_before_the_order_is_paid(mall: Mall, storefront: Storefront) -> None:
    shop = await a_shop(mall)
    order = await shop.order()

    answer = await code_of(storefront(shop.member), order)

    body = check_problem(answer, 404, "fulfilment.no_code", "en")
    assert body["detail"].startswith("This order has no pick-up code now")
    assert body["details"]["status"] == "pending_payment"


async def test_there_is_no_code_while_the_order_is_held(mall: Mall, storefront: Storefront) -> None:
    shop = await a_shop(mall, price_fen=0)
    order = await shop.order()
    async with db.transaction():
        held = await lifecycle.locked(order.id)
        await orders.put_hold(mall, held, plugin_id="group", code="forming", reason=Text("未成团", "group not full"))

    body = check_problem(await code_of(storefront(shop.member), order, ZH), 409, "orders.held", "zh-CN")

    assert body["problems"] == [{"code": "group.forming", "message": "未成团", "details": {}}]


async def test_the_code_of_a_paid_order_is_shown_and_then_used(
    mall: Mall, storefront: Storefront, admin: Storefront, clock: FrozenClock
) -> None:
    shop = await a_shop(mall, price_fen=0)
    order = await shop.order()
    shopper = storefront(shop.member)

    issued = (await code_of(shopper, order)).json()
    clock.advance(timedelta(minutes=5))
    clerk = admin(await builders.a_staff(mall, ["orders.fulfil"], [shop.store_id]))
    await clerk.post("/admin/v1/pickups/verify", json={"code": issued["code"]})
    used = (await code_of(shopper, order)).json()

    assert len(issued["code"]) == 12
    assert (issued["state"], issued["store_id"], issued["used_at"]) == ("issued", shop.store_id, None)
    assert (used["state"], used["code"]) == ("used", issued["code"])
    assert used["used_at"] == clock.now().isoformat().replace("+00:00", "Z")
    assert (await shopper.get(f"{ORDERS}/{order.number}")).json()["status"] == "completed"
