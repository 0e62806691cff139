"""Orders over HTTP: what shoppers are refused and how it is said, then quote, place and list."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from core import db
from core.carts import service as carts
from core.kernel.errors import Problem
from core.kernel.i18n import Text
from core.kernel.mall import Mall
from core.orders import lifecycle
from core.orders import service as orders
from core.sdk import hookimpl
from core.testing import builders, races
from core.testing.clock import FrozenClock
from core.testing.plugin_all_hooks import plugin as all_hooks
from core.testing.pytest_plugin import MakeMall
from core.testing.shop import a_shop
from tests.storefront_api.ordering import (
    EN,
    ORDERS,
    QUOTES,
    ZH,
    OutsideChannel,
    Storefront,
    check_problem,
    key,
    order_count,
    refusal,
    submit,
    wish,
)

ON_ONE_ORDER = [
    ("GET", ""), ("POST", "/cancel"), ("DELETE", ""), ("GET", "/payment-methods"), ("POST", "/payments"),
    ("GET", "/pickup-code"),
]  # fmt: skip
BODIES: dict[str, dict[str, Any]] = {"/cancel": {}, "/payments": {"provider": "till"}}


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", QUOTES), ("POST", ORDERS), ("GET", ORDERS)] + [(m, f"{ORDERS}/M1{p}") for m, p in ON_ONE_ORDER],
)
async def test_orders_need_a_session(mall: Mall, client: httpx.AsyncClient, method: str, path: str) -> None:
    assert refusal(await client.request(method, path)) == (401, "auth.required")


@pytest.mark.parametrize(("method", "path"), ON_ONE_ORDER)
async def test_another_members_order_looks_like_none(
    make_mall: MakeMall, storefront: Storefront, method: str, path: str
) -> None:
    mall = await make_mall(extra={"till": OutsideChannel()})
    shop = await a_shop(mall)
    order = await shop.order()
    stranger = storefront(await builders.a_member(mall))
    body = BODIES.get(path)

    foreign = await stranger.request(method, f"{ORDERS}/{order.number}{path}", json=body)
    unknown = await stranger.request(method, f"{ORDERS}/M000{path}", json=body)

    assert refusal(foreign) == refusal(unknown) == (404, "orders.not_found")
    after = await db.row("SELECT status, hidden FROM orders")
    assert after is not None
    assert tuple(after) == ("pending_payment", False)
    assert await db.value("SELECT count(*) FROM payment") == 0
    assert (await stranger.get(ORDERS)).json()["items"] == []


# quotes ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"lines": [{"sku_id": 1, "qty": 0}]},
        {"lines": [{"sku_id": 1, "qty": 1000}]},
        {"lines": [{"sku_id": 0, "qty": 1}]},
        {"lines": [{"sku_id": 1, "qty": 1}] * 101},
        {"lines": [{"sku_id": 1, "qty": 1, "unit_fen": 1}]},
        {"store_id": 0},
        {"note": "x" * 201},
        {"contact": {"phone": "call me"}},
        {"payable_fen": 1},
    ],
)
@pytest.mark.parametrize("path", [QUOTES, ORDERS])
async def test_a_wish_that_makes_no_sense_is_400(
    mall: Mall, storefront: Storefront, path: str, change: dict[str, Any]
) -> None:
    shop = await a_shop(mall)
    body = submit(shop) if path == ORDERS else wish(shop)

    answer = await storefront(shop.member).post(path, json={**body, **change}, headers=key())

    assert refusal(answer) == (400, "request.invalid")
    assert await order_count() == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"lines": []}, "orders.empty"),
        ({"lines": [], "from_cart": True}, "orders.empty"),
        ({"extensions": {"nobody": {}}}, "orders.extension_unknown"),
    ],
)
async def test_a_wish_that_cannot_be_priced_is_refused(
    mall: Mall, storefront: Storefront, change: dict[str, Any], code: str
) -> None:
    shop = await a_shop(mall)
    shopper = storefront(shop.member)

    assert refusal(await shopper.post(QUOTES, json=wish(shop, **change))) == (400, code)
    assert refusal(await shopper.post(ORDERS, json=submit(shop, **change), headers=key())) == (400, code)


async def test_the_same_sku_in_two_lines_counts_together(mall: Mall, storefront: Storefront) -> None:
    shop = await a_shop(mall)
    lines = [{"sku_id": shop.sku_id, "qty": 500}] * 2

    answer = await storefront(shop.member).post(QUOTES, json=wish(shop, lines=lines))

    assert refusal(answer) == (400, "orders.quantity_too_large")


async def test_a_quote_names_everything_that_stands_in_the_way(mall: Mall, storefront: Storefront) -> None:
    shop = await a_shop(mall, max_per_order=2)
    draft = await builders.a_product(mall, state="draft", title="Cold brew")
    lines = [{"sku_id": s, "qty": 3} for s in (shop.sku_id, draft.sku.id, 999_999)]
    await db.execute("UPDATE store SET services = '{}' WHERE id = $1", shop.store_id)

    answer = await storefront(shop.member).post(QUOTES, json=wish(shop, lines=lines), headers=EN)

    body = answer.json()
    assert answer.status_code == 200
    assert body["can_be_placed"] is False
    assert {p["code"] for p in body["problems"]} == {
        "fulfilment.store_not_serving",
        "catalog.not_on_sale",
        "catalog.sku_not_found",
        "catalog.limit_exceeded",
    }
    assert [line["sku_id"] for line in body["lines"]] == [shop.sku_id]
    (pickup,) = body["fulfilment_options"]
    assert (pickup["method"], pickup["available"]) == ("pickup", False)
    assert pickup["reason"].endswith("does not offer pick-up at the moment.")


async def test_a_quote_explains_its_price_and_writes_nothing(make_mall: MakeMall, storefront: Storefront) -> None:
    mall = await make_mall(extra={"all_hooks": all_hooks}, environ={"MALL_ALL_HOOKS__DISCOUNT_FEN": "150"})
    shop = await a_shop(mall)
    shopper = storefront(shop.member)

    zh = (await shopper.post(QUOTES, json=wish(shop, 2), headers=ZH)).json()
    en = (await shopper.post(QUOTES, json=wish(shop, 2), headers=EN)).json()

    totals = ("goods_fen", "discount_fen", "freight_fen", "payable_fen", "can_be_placed", "problems")
    assert [en[name] for name in totals] == [2000, -150, 0, 1850, True, []]
    assert [line["payable_fen"] for line in en["lines"]] == [1850]
    step = en["explanation"][-1]
    assert (step["plugin_id"], step["stage"], step["code"], step["amount_fen"], step["payable_fen"]) == (
        "all_hooks", "coupon", "all_hooks.off", -150, 1850,
    )  # fmt: skip
    assert (zh["explanation"][-1]["label"], step["label"]) == ("测试优惠", "Test discount")
    options = {o["method"]: (o["title"], o["available"], o["freight_fen"]) for o in en["fulfilment_options"]}
    assert options["pickup"] == ("Pick up in store", True, 0)
    assert options["all_hooks_courier"] == ("Carrier pigeon", True, 300)
    assert {o["title"] for o in zh["fulfilment_options"]} == {"到店自提", "信鸽"}
    assert await order_count() == 0
    assert await shop.stock_now() == (5, 0)


# placing: refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [None, "short", "x" * 65, "with a blank"])
async def test_placing_needs_a_usable_key(mall: Mall, storefront: Storefront, given: str | None) -> None:
    shop = await a_shop(mall)
    headers = {} if given is None else {"Idempotency-Key": given}

    answer = await storefront(shop.member).post(ORDERS, json=submit(shop), headers=headers)

    check_problem(answer, 400, "request.key_required", "zh-CN")
    assert await order_count() == 0


@pytest.mark.parametrize(
    ("lang", "sentence"),
    [
        ("zh-CN", "价格已变动:现在是 12.00 元,您看到的是 10.00 元。请确认新的价格后再提交。"),
        ("en", "The price has changed: it is ¥12.00 now, you saw ¥10.00. Confirm the new quote and submit again."),
    ],
)
async def test_another_price_than_the_one_seen_is_409_with_the_new_quote(
    mall: Mall, storefront: Storefront, lang: str, sentence: str
) -> None:
    shop = await a_shop(mall)
    await db.execute("UPDATE sku SET price_fen = 1200 WHERE id = $1", shop.sku_id)

    answer = await storefront(shop.member).post(ORDERS, json=submit(shop), headers={**key(), "Accept-Language": lang})

    body = check_problem(answer, 409, "orders.price_changed", lang)
    assert body["detail"] == sentence
    assert (body["details"]["now_fen"], body["details"]["seen_fen"]) == (1200, 1000)
    assert body["details"]["quote"]["payable_fen"] == 1200
    assert await order_count() == 0


@pytest.mark.parametrize("lang", ["zh-CN", "en"])
async def test_too_little_stock_is_409_and_names_the_sku(mall: Mall, storefront: Storefront, lang: str) -> None:
    shop = await a_shop(mall, on_hand=2)

    answer = await storefront(shop.member).post(
        ORDERS, json=submit(shop, 3), headers={**key(), "Accept-Language": lang}
    )

    body = check_problem(answer, 409, "inventory.out_of_stock", lang)
    assert str(shop.sku_id) in str(body["details"]) + str(body["problems"])
    assert await order_count() == 0
    assert await shop.stock_now() == (2, 0)


@pytest.mark.parametrize(
    ("lang", "sentence", "reason"),
    [
        ("zh-CN", "订单无法提交,请查看原因。", "备注不可用。"),
        ("en", "The order cannot be placed; see the reasons.", "This note cannot be used."),
    ],
)
async def test_reasons_of_plugins_come_with_the_refusal(
    make_mall: MakeMall, storefront: Storefront, lang: str, sentence: str, reason: str
) -> None:
    mall = await make_mall(extra={"all_hooks": all_hooks}, environ={"MALL_ALL_HOOKS__FORBIDDEN_NOTE": "bomb"})
    shop = await a_shop(mall)

    answer = await storefront(shop.member).post(
        ORDERS, json=submit(shop, note="bomb"), headers={**key(), "Accept-Language": lang}
    )

    body = check_problem(answer, 409, "orders.refused", lang)
    assert body["detail"] == sentence
    assert body["problems"] == [{"code": "all_hooks.note_forbidden", "message": reason, "details": {}}]
    assert await order_count() == 0


@pytest.mark.parametrize("lang", ["zh-CN", "en"])
async def test_a_key_of_another_wish_is_409(mall: Mall, storefront: Storefront, lang: str) -> None:
    shop = await a_shop(mall)
    shopper = storefront(shop.member)
    same = key()
    await shopper.post(ORDERS, json=submit(shop, 1), headers=same)

    answer = await shopper.post(ORDERS, json=submit(shop, 2), headers={**same, "Accept-Language": lang})

    check_problem(answer, 409, "orders.key_reused", lang)
    assert await order_count() == 1
    assert await shop.stock_now() == (5, 1)


async def test_a_cart_that_was_changed_meanwhile_is_409(make_mall: MakeMall, storefront: Storefront) -> None:
    class Meanwhile:
        """Another device changes the cart between the pricing and the writing of the order."""

        @hookimpl
        async def order_guard(self) -> list[Problem]:
            await db.execute("UPDATE cart_line SET qty = qty + 1")
            return []

    mall = await make_mall(extra={"meanwhile": Meanwhile()})
    shop = await a_shop(mall)
    await carts.add(mall, shop.member.id, sku_id=shop.sku_id, qty=2)
    body = submit(shop, lines=[], from_cart=True, expected_total_fen=2000)

    answer = await storefront(shop.member).post(ORDERS, json=body, headers={**key(), **EN})

    assert check_problem(answer, 409, "orders.cart_changed", "en")["detail"] == (
        "The cart was changed or ordered elsewhere; reload it and submit again."
    )
    assert await order_count() == 0
    assert await shop.stock_now() == (5, 0)


# placing --------------------------------------------------------------------------------------------------------------


async def test_an_order_is_placed_once_and_reserves_its_stock(
    mall: Mall, storefront: Storefront, clock: FrozenClock
) -> None:
    shop = await a_shop(mall)
    shopper = storefront(shop.member)
    same, body = key(), submit(shop, 2, note="少冰", contact={"name": "Lin", "phone": "138 0013 8000"})

    first = await shopper.post(ORDERS, json=body, headers=same)
    again = await shopper.post(ORDERS, json=body, headers=same)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    made = first.json()
    facts = ("status", "fulfilment_state", "refund_state", "held", "store_id", "fulfilment_method", "note")
    assert [made[f] for f in facts] == [
        "pending_payment", "none", "none", False, shop.store_id, "pickup", "少冰",
    ]  # fmt: skip
    assert (made["contact_name"], made["contact_phone"]) == ("Lin", "138 0013 8000")
    assert (made["goods_fen"], made["payable_fen"], made["paid_fen"]) == (2000, 2000, 0)
    assert made["pay_deadline"] == (clock.now() + timedelta(minutes=30)).isoformat().replace("+00:00", "Z")
    assert [(line["sku_id"], line["qty"], line["amount_fen"]) for line in made["lines"]] == [(shop.sku_id, 2, 2000)]
    assert await order_count() == 1
    assert await shop.stock_now() == (5, 2)


async def test_an_order_from_the_cart_takes_the_selected_lines_and_empties_them(
    mall: Mall, storefront: Storefront
) -> None:
    shop = await a_shop(mall)
    other = (await builders.a_product(mall, price_fen=700)).sku
    await carts.add(mall, shop.member.id, sku_id=shop.sku_id, qty=2)
    await carts.add(mall, shop.member.id, sku_id=other.id)
    await carts.select(mall, shop.member.id, sku_ids=[other.id], selected=False)
    shopper = storefront(shop.member)
    cart = {"from_cart": True, "store_id": shop.store_id}

    quoted = (await shopper.post(QUOTES, json=cart)).json()
    body, same = {**cart, "expected_total_fen": quoted["payable_fen"]}, key()
    made = await shopper.post(ORDERS, json=body, headers=same)
    again = await shopper.post(ORDERS, json=body, headers=key())

    assert quoted["payable_fen"] == 2000
    assert [(line["sku_id"], line["qty"]) for line in made.json()["lines"]] == [(shop.sku_id, 2)]
    left = (await shopper.get("/storefront/v1/cart")).json()["lines"]
    assert [(line["sku_id"], line["selected"]) for line in left] == [(other.id, False)]
    assert refusal(again) == (400, "orders.empty")


async def test_a_cart_ordered_on_two_devices_at_once_is_one_order(mall: Mall, storefront: Storefront) -> None:
    shop = await a_shop(mall)
    await carts.add(mall, shop.member.id, sku_id=shop.sku_id)
    shopper = storefront(shop.member)
    await shopper.get(ORDERS)  # signs in and builds the app before the race
    body = submit(shop, lines=[], from_cart=True)

    outcomes = await races.run_together(2, lambda: shopper.post(ORDERS, json=body, headers=key()))

    won, lost = sorted((o.value for o in outcomes), key=lambda answer: answer.status_code)
    assert won.status_code == 201
    assert lost.json()["code"] in ("orders.cart_changed", "orders.empty")
    assert await order_count() == 1
    assert await shop.stock_now() == (5, 1)


# lists and details ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("params", [{"cursor": "nonsense"}, {"cursor": "WyJ4Il0"}, {"limit": 0}, {"limit": 101}])
async def test_a_list_that_cannot_be_made_is_400(mall: Mall, storefront: Storefront, params: dict[str, Any]) -> None:
    answer = await storefront(await builders.a_member(mall)).get(ORDERS, params=params)

    code = "request.bad_cursor" if "cursor" in params else "request.invalid"
    assert refusal(answer) == (400, code)


async def test_my_orders_come_newest_first_in_pages(mall: Mall, storefront: Storefront) -> None:
    shop = await a_shop(mall, on_hand=9)
    made = [(await shop.order(key=f"key-0000{n}")).number for n in range(5)]
    theirs = shop.draft(member_id=(await builders.a_member(mall)).id)
    await orders.place_order(mall, theirs, expected_total_fen=1000, request_key="key-00001")
    shopper = storefront(shop.member)

    pages: list[list[str]] = []
    params: dict[str, Any] = {"limit": 2}
    while True:
        page = (await shopper.get(ORDERS, params=params)).json()
        pages.append([o["number"] for o in page["items"]])
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]

    assert pages == [made[4:2:-1], made[2:0:-1], made[:1]]


async def test_my_orders_are_narrowed_by_status(mall: Mall, storefront: Storefront) -> None:
    shop = await a_shop(mall)
    first, second = await shop.order(), await shop.order(key="key-00002")
    shopper = storefront(shop.member)
    await shopper.post(f"{ORDERS}/{first.number}/cancel", json={})

    async def listed(status: str) -> list[str]:
        return [o["number"] for o in (await shopper.get(ORDERS, params={"status": status})).json()["items"]]

    assert await listed("cancelled") == [first.number]
    assert await listed("pending_payment") == [second.number]
    assert await listed("paid") == []


async def test_one_order_shows_its_effects_and_timeline_in_the_callers_language(
    make_mall: MakeMall, storefront: Storefront
) -> None:
    mall = await make_mall(extra={"all_hooks": all_hooks}, environ={"MALL_ALL_HOOKS__DISCOUNT_FEN": "1000"})
    shop = await a_shop(mall)
    order = await orders.place_order(mall, shop.draft(), expected_total_fen=0, request_key="key-00001")
    async with db.transaction():
        held = await lifecycle.locked(order.id)
        await orders.put_hold(mall, held, plugin_id="group", code="forming", reason=Text("未成团", "group not full"))
    shopper = storefront(shop.member)

    zh = (await shopper.get(f"{ORDERS}/{order.number}", headers=ZH)).json()
    en = (await shopper.get(f"{ORDERS}/{order.number}", headers=EN)).json()

    assert (en["status"], en["held"], en["discount_fen"], en["payable_fen"]) == ("paid", True, -1000, 0)
    assert zh["adjustments"][0]["label"] == "测试优惠"
    assert en["adjustments"] == [
        {"plugin_id": "all_hooks", "stage": "coupon", "label": "Test discount", "amount_fen": -1000}
    ]
    assert zh["holds"][0]["message"] == "未成团"
    assert en["holds"] == [{"code": "group.forming", "message": "group not full", "details": {}}]
    assert [(s["event"], s["status_from"], s["status_to"], s["by"]) for s in en["timeline"]] == [
        ("place", None, "pending_payment", "member"),
        ("pay", "pending_payment", "paid", "member"),
        ("hold", None, None, "plugin"),
    ]
    assert en["extra"] == {"all_hooks": {"seen": True}}


# cancelling and hiding ------------------------------------------------------------------------------------------------
