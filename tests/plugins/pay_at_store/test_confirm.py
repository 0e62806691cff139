"""Money taken at the counter: what staff may not book, what is booked once, and what the order says afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from core import plugin_host
from core.sdk import SYSTEM, Actor, Capture, Mall, Order, Payer, PaymentView, db, orders
from core.testing import builders, races
from core.testing.plugin_all_hooks import plugin as all_hooks
from core.testing.pytest_plugin import MakeMall
from core.testing.shop import Shop, a_shop
from plugins.pay_at_store import service
from plugins.pay_at_store.errors import AmountDiffers, MethodNotTaken, ReferenceNeeded
from plugins.pay_at_store.types import Confirm

Clients = Callable[[object], httpx.AsyncClient]
PERMISSION = "pay_at_store.confirm"
CASH: dict[str, Any] = {"amount_fen": 1000, "method": "cash"}
CARD: dict[str, Any] = {"amount_fen": 1000, "method": "card", "reference": "A-17"}


@pytest.fixture
async def mall(make_mall: MakeMall) -> Mall:
    return await make_mall(plugins=["pay_at_store"])


async def start(shop: Shop, order: Order, provider: str = "pay_at_store") -> PaymentView:
    payer = Payer(member_id=order.member_id)
    return await orders.start_payment(shop.mall, order, provider=provider, payer=payer)


async def an_open_payment(shop: Shop, key: str = "key-00001") -> Order:
    """Make an order whose buyer chose to pay at the store."""
    order = await shop.order(key=key)
    await start(shop, order)
    return order


async def a_clerk(shop: Shop):
    return await builders.a_staff(shop.mall, [PERMISSION], [shop.store_id])


def path(order: Order | str) -> str:
    return f"/admin/v1/x/pay_at_store/orders/{order if isinstance(order, str) else order.number}/confirm"


async def confirm(clerk: httpx.AsyncClient, order: Order, taken: dict[str, Any], **headers: str) -> httpx.Response:
    return await clerk.post(path(order), json=taken, headers=headers)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def booked() -> list[tuple[str, int]]:
    found = await db.rows("SELECT channel_txn_id, captured_fen FROM payment WHERE state = 'captured' ORDER BY id")
    return [tuple(r) for r in found]


async def status_of(order: Order) -> tuple[str, int]:
    found = await db.row("SELECT status, paid_fen FROM orders WHERE id = $1", order.id)
    assert found is not None
    return found["status"], found["paid_fen"]


# who may not ----------------------------------------------------------------------------------------------------------


async def test_without_a_session_nothing_is_confirmed(mall: Mall, client: httpx.AsyncClient) -> None:
    order = await an_open_payment(await a_shop(mall))

    assert refusal(await confirm(client, order, CASH)) == (401, "auth.required")
    assert await booked() == []


async def test_without_the_permission_nothing_is_confirmed(mall: Mall, admin: Clients) -> None:
    shop = await a_shop(mall)
    order = await an_open_payment(shop)
    clerk = admin(await builders.a_staff(mall, ["payments.confirm", "orders.write"], None))

    assert refusal(await confirm(clerk, order, CASH)) == (403, "auth.forbidden")
    assert await booked() == []


async def test_an_order_of_another_store_looks_like_none(mall: Mall, admin: Clients) -> None:
    order = await an_open_payment(await a_shop(mall))
    clerk = admin(await a_clerk(await a_shop(mall)))

    foreign = await confirm(clerk, order, CASH)
    unknown = await clerk.post(path("M000"), json=CASH)

    assert refusal(foreign) == refusal(unknown) == (404, "orders.not_found")
    assert await booked() == []


# what cannot be confirmed ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"amount_fen": 0},
        {"amount_fen": -1000},
        {"amount_fen": 10.5},
        {"method": "barter"},
        {"reference": "a b"},
        {"reference": "凭证"},
        {"reference": "x" * 33},
        {"change_fen": 0},
    ],
)
async def test_what_cannot_be_an_entry_is_400(mall: Mall, admin: Clients, change: dict[str, Any]) -> None:
    shop = await a_shop(mall)
    order = await an_open_payment(shop)

    answer = await confirm(admin(await a_clerk(shop)), order, {**CASH, **change})

    assert refusal(answer) == (400, "request.invalid")
    assert await booked() == []


@pytest.mark.parametrize("amount_fen", [999, 1001, 1])
async def test_another_amount_than_what_is_due_is_refused(mall: Mall, admin: Clients, amount_fen: int) -> None:
    shop = await a_shop(mall)
    order = await an_open_payment(shop)

    answer = await confirm(admin(await a_clerk(shop)), order, {**CASH, "amount_fen": amount_fen})

    assert refusal(answer) == (409, "pay_at_store.amount_differs")
    details = answer.json()["details"]
    assert (details["due_fen"], details["given_fen"]) == (1000, amount_fen)
    assert await booked() == []
    assert await status_of(order) == ("pending_payment", 0)


async def test_a_slip_of_the_clerk_leaves_the_payment_open(mall: Mall) -> None:
    shop = await a_shop(mall)
    order = await an_open_payment(shop)
    clerk = await a_clerk(shop)

    with pytest.raises(AmountDiffers):
        await service.confirm(mall, clerk, order.number, Confirm(amount_fen=1, method="cash"))
    with pytest.raises(ReferenceNeeded):
        await service.confirm(mall, clerk, order.number, Confirm(amount_fen=1000, method="card"))

    done = await service.confirm(mall, clerk, order.number, Confirm(amount_fen=1000, method="cash"))
    assert (done.result, done.order_status) == ("paid", "paid")
    assert await db.value("SELECT count(*) FROM staff_task") == 0


async def test_a_method_that_the_deployment_left_out_is_refused(make_mall: MakeMall, admin: Clients) -> None:
    mall = await make_mall(plugins=["pay_at_store"], environ={"MALL_PAY_AT_STORE__METHODS": '["cash", "card"]'})
    shop = await a_shop(mall)
    order = await an_open_payment(shop)
    clerk = admin(await a_clerk(shop))
    alipay = {"amount_fen": 1000, "method": "alipay", "reference": "A-17"}

    answer = await confirm(clerk, order, alipay, **{"Accept-Language": "en"})

    assert refusal(answer) == (400, "pay_at_store.method_not_taken")
    assert answer.json()["detail"] == "alipay is not taken at the counter."
    assert (await confirm(clerk, order, CARD)).json()["result"] == "paid"


async def test_a_method_that_staff_left_out_in_the_settings_is_refused(mall: Mall) -> None:
    shop = await a_shop(mall)
    order = await an_open_payment(shop)
    clerk = await a_clerk(shop)
    await plugin_host.save_settings(
        mall, "pay_at_store", values={"methods": ["card"]}, expected_version=0, actor=clerk.actor
    )

    with pytest.raises(MethodNotTaken):
        await service.confirm(mall, clerk, order.number, Confirm(amount_fen=1000, method="cash"))

    assert await booked() == []


@pytest.mark.parametrize("method", ["card", "wechat", "alipay", "other"])
async def test_everything_but_cash_needs_a_reference(mall: Mall, admin: Clients, method: str) -> None:
    shop = await a_shop(mall)
    order = await an_open_payment(shop)

    answer = await confirm(admin(await a_clerk(shop)), order, {"amount_fen": 1000, "method": method})

    assert refusal(answer) == (400, "pay_at_store.reference_needed")
    assert await booked() == []


async def test_nothing_is_confirmed_before_the_shopper_chose_the_counter(mall: Mall, admin: Clients) -> None:
    shop = await a_shop(mall)
    order = await shop.order()

    answer = await confirm(admin(await a_clerk(shop)), order, CASH)

    assert refusal(answer) == (404, "pay_at_store.nothing_to_confirm")
    assert await status_of(order) == ("pending_payment", 0)


async def test_a_cancelled_order_takes_no_money(mall: Mall, admin: Clients) -> None:
    shop = await a_shop(mall)
    order = await an_open_payment(shop)
    await orders.cancel(mall, order.id, actor=Actor(kind="member", id=order.member_id), reason="buyer")

    answer = await confirm(admin(await a_clerk(shop)), order, CASH)

    assert refusal(answer) == (409, "pay_at_store.order_not_payable")
    assert answer.json()["details"]["status"] == "cancelled"
    assert await booked() == []
    assert await status_of(order) == ("cancelled", 0)


async def test_an_order_that_was_free_takes_no_money(mall: Mall, admin: Clients) -> None:
    shop = await a_shop(mall, price_fen=0)
    order = await shop.order()

    answer = await confirm(admin(await a_clerk(shop)), order, CASH)

    assert refusal(answer) == (409, "pay_at_store.order_not_payable")
    assert await status_of(order) == ("paid", 0)


async def test_an_order_paid_elsewhere_meanwhile_takes_no_money(make_mall: MakeMall, admin: Clients) -> None:
    mall = await make_mall(plugins=["pay_at_store"], extra={"all_hooks": all_hooks})
    shop = await a_shop(mall)
    order = await an_open_payment(shop)
    online = await start(shop, order, "all_hooks_pay")
    money = Capture(
        payment_number=online.number, amount_fen=1000, currency="CNY", channel_txn_id="T1",
        captured_at=mall.clock.now(),
    )  # fmt: skip
    assert await orders.apply_capture(mall, money, provider="all_hooks_pay", actor=SYSTEM) == "paid"

    answer = await confirm(admin(await a_clerk(shop)), order, CASH)

    assert refusal(answer) == (409, "pay_at_store.order_not_payable")
    assert answer.json()["details"]["status"] == "paid"
    assert await booked() == [("T1", 1000)]
    assert await status_of(order) == ("paid", 1000)


# one receipt, one payment ---------------------------------------------------------------------------------------------


async def test_a_receipt_counts_for_one_order_of_the_store(mall: Mall, admin: Clients) -> None:
    shop = await a_shop(mall)
    first, second = await an_open_payment(shop), await an_open_payment(shop, "key-00002")
    clerk = admin(await a_clerk(shop))
    assert (await confirm(clerk, first, CARD)).status_code == 200

    answer = await confirm(clerk, second, CARD, **{"Accept-Language": "en"})

    assert refusal(answer) == (409, "payments.reference_used")
    assert answer.json()["detail"] == "The reference A-17 is already used by another payment."
    assert len(await booked()) == 1
    assert await status_of(second) == ("pending_payment", 0)
    assert (await confirm(clerk, second, {**CARD, "reference": "A-18"})).json()["result"] == "paid"


async def test_the_same_reference_of_another_terminal_or_store_is_another_receipt(mall: Mall, admin: Clients) -> None:
    here, there = await a_shop(mall), await a_shop(mall)
    clerk = admin(await builders.a_staff(mall, [PERMISSION], [here.store_id, there.store_id]))
    first, elsewhere = await an_open_payment(here), await an_open_payment(there)
    by_phone = await an_open_payment(here, "key-00002")

    answers = [
        await confirm(clerk, first, CARD),
        await confirm(clerk, elsewhere, CARD),
        await confirm(clerk, by_phone, {**CARD, "method": "wechat"}),
    ]

    assert [a.json()["result"] for a in answers] == ["paid", "paid", "paid"]
    assert await booked() == [
        (f"{here.store_id}:card:A-17", 1000),
        (f"{there.store_id}:card:A-17", 1000),
        (f"{here.store_id}:wechat:A-17", 1000),
    ]


@pytest.mark.parametrize("otherwise", [CASH, {**CARD, "reference": "A-18"}, {**CARD, "method": "wechat"}])
async def test_a_confirmed_payment_is_not_confirmed_otherwise(
    mall: Mall, admin: Clients, otherwise: dict[str, Any]
) -> None:
    shop = await a_shop(mall)
    order = await an_open_payment(shop)
    clerk = admin(await a_clerk(shop))
    await confirm(clerk, order, CARD)

    answer = await confirm(clerk, order, otherwise)

    assert refusal(answer) == (409, "pay_at_store.confirmed_otherwise")
    assert await booked() == [(f"{shop.store_id}:card:A-17", 1000)]
    assert await db.value("SELECT count(*) FROM staff_task") == 0


# what is booked -------------------------------------------------------------------------------------------------------


async def test_confirming_pays_the_order_and_makes_the_code(mall: Mall, admin: Clients, storefront: Clients) -> None:
    shop = await a_shop(mall)
    order = await an_open_payment(shop)
    staff = await a_clerk(shop)

    answer = await confirm(admin(staff), order, CASH)

    payment = await db.row("SELECT number, state, method, staff_id, store_id FROM payment")
    assert payment is not None
    assert tuple(payment)[1:] == ("captured", "cash", staff.staff_id, shop.store_id)
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "order_number": order.number,
            "payment_number": payment["number"],
            "result": "paid",
            "order_status": "paid",
        },
    )
    assert await status_of(order) == ("paid", 1000)
    shopper = storefront(shop.member)
    assert (await shopper.get(f"/storefront/v1/orders/{order.number}/pickup-code")).status_code == 200
    pay = await db.row("SELECT actor_kind, actor_id FROM order_timeline WHERE event = 'pay'")
    assert pay is not None
    assert tuple(pay) == ("staff", staff.staff_id)
    assert await db.value("SELECT action FROM audit_entry") == "order.pay"


async def test_five_clicks_at_once_book_once(mall: Mall, admin: Clients) -> None:
    shop = await a_shop(mall)
    order = await an_open_payment(shop)
    clerk = admin(await a_clerk(shop))
    await clerk.get("/admin/v1/me")  # signs in and builds the app before the race

    outcomes = await races.run_together(5, lambda: confirm(clerk, order, CARD))

    assert [o.value.status_code for o in outcomes] == [200] * 5
    assert sorted(o.value.json()["result"] for o in outcomes) == ["paid", "repeat", "repeat", "repeat", "repeat"]
    assert await booked() == [(f"{shop.store_id}:card:A-17", 1000)]
    assert await status_of(order) == ("paid", 1000)
    assert await db.value("SELECT count(*) FROM event WHERE name = 'payment.captured'") == 1
    assert await db.value("SELECT count(*) FROM staff_task") == 0


async def test_a_receipt_used_twice_at_once_pays_one_order(mall: Mall, admin: Clients) -> None:
    shop = await a_shop(mall)
    both = [await an_open_payment(shop), await an_open_payment(shop, "key-00002")]
    clerk = admin(await a_clerk(shop))
    await clerk.get("/admin/v1/me")

    outcomes = await races.run_together(2, lambda n: confirm(clerk, both[n], CARD))

    assert sorted(o.value.status_code for o in outcomes) == [200, 409]
    assert len(await booked()) == 1
    assert sorted([await status_of(one) for one in both]) == [("paid", 1000), ("pending_payment", 0)]


@pytest.mark.parametrize("reference", ["A:17", ":", "1:card:9", "::x::"])
async def test_orders_show_the_receipt_whole(mall: Mall, admin: Clients, storefront: Clients, reference: str) -> None:
    shop = await a_shop(mall)
    order = await an_open_payment(shop)
    staff = await builders.a_staff(mall, [PERMISSION, "orders.read"], [shop.store_id])
    clerk = admin(staff)
    await confirm(clerk, order, {**CARD, "reference": reference})

    seen = (await storefront(shop.member).get(f"/storefront/v1/orders/{order.number}")).json()["extra"]["pay_at_store"]
    listed = (await clerk.get("/admin/v1/orders")).json()["items"][0]["extra"]["pay_at_store"]

    assert seen == listed
    assert (seen["order_id"], seen["method"], seen["reference"], seen["amount_fen"], seen["staff_id"]) == (
        order.id, "card", reference, 1000, staff.staff_id,
    )  # fmt: skip


async def test_an_order_that_was_not_paid_at_the_counter_shows_no_receipt(mall: Mall, storefront: Clients) -> None:
    shop = await a_shop(mall)
    order = await an_open_payment(shop)

    assert (await storefront(shop.member).get(f"/storefront/v1/orders/{order.number}")).json()["extra"] == {}


# switched off ---------------------------------------------------------------------------------------------------------


async def test_while_it_drains_open_payments_end_and_no_new_ones_begin(
    mall: Mall, admin: Clients, storefront: Clients
) -> None:
    shop = await a_shop(mall)
    chosen, later = await an_open_payment(shop), await shop.order(key="key-00002")
    shopper, clerk = storefront(shop.member), admin(await a_clerk(shop))
    methods = f"/storefront/v1/orders/{later.number}/payment-methods"
    offered = (await shopper.get(methods)).json()

    await plugin_host.disable(mall, "pay_at_store")

    assert offered == [{"provider": "pay_at_store", "title": "到店付款"}]
    assert (await shopper.get(methods)).json() == []
    again = await shopper.post(f"/storefront/v1/orders/{later.number}/payments", json={"provider": "pay_at_store"})
    assert refusal(again) == (400, "payments.provider_unknown")
    assert (await confirm(clerk, chosen, CASH)).json()["result"] == "paid"
    assert await status_of(chosen) == ("paid", 1000)


async def test_off_by_force_it_confirms_nothing(mall: Mall, admin: Clients) -> None:
    shop = await a_shop(mall)
    order = await an_open_payment(shop)
    clerk = admin(await a_clerk(shop))

    await plugin_host.disable(mall, "pay_at_store", force=True)

    assert refusal(await confirm(clerk, order, CASH)) == (404, "plugin.disabled")
    assert await booked() == []


async def test_it_is_offered_where_there_is_a_counter_only(mall: Mall) -> None:
    provider = service.PayAtStore()

    assert await provider.available(mall, store_id=1, fulfilment_method="pickup")
    assert not await provider.available(mall, store_id=None, fulfilment_method="pickup")
    assert not await provider.available(mall, store_id=1, fulfilment_method="courier")
