"""Orders as staff see them: the edge of their stores, then lists, files, cancellations and holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import httpx
import pytest

from core import db
from core.kernel.i18n import Text
from core.kernel.mall import Mall
from core.kernel.origin import SYSTEM
from core.orders import lifecycle
from core.orders import service as orders
from core.orders.types import Order
from core.payments.types import Capture, ChannelState, Payer, PaymentView, Prepared
from core.sdk import hookimpl
from core.testing import builders
from core.testing.pytest_plugin import MakeMall
from core.testing.shop import Shop, a_shop

Admin = Callable[[object], httpx.AsyncClient]
ORDERS = "/admin/v1/orders"
BOTH = ("orders.read", "orders.write")
RELEASE = {"plugin_id": "group", "code": "forming", "reason": "plugin is gone"}


class Till:
    """A payment channel, which is outside the mall: it answers, or it is down."""

    code = "till"
    title = Text("测试收银", "Till")

    def __init__(self) -> None:
        self.down = False

    @hookimpl
    def register_payment_providers(self, mall: Mall) -> Iterable[Any]:
        return (self,)

    async def available(self, mall: Mall, *, store_id: int | None, fulfilment_method: str) -> bool:
        return True

    async def prepare(self, mall: Mall, payment: PaymentView, payer: Payer) -> Prepared:
        return Prepared(action={"kind": "till"})

    async def query(self, mall: Mall, payment: PaymentView) -> ChannelState:
        if self.down:
            raise ConnectionError("the channel does not answer")
        return ChannelState(state="closed")

    close = query


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def numbers(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["order"]["number"] for row in answer.json()["items"]]


async def hold(mall: Mall, order: Order, code: str = "forming") -> None:
    async with db.transaction():
        locked = await lifecycle.locked(order.id)
        await orders.put_hold(mall, locked, plugin_id="group", code=code, reason=Text("未成团", "group not full"))


async def an_order_that_waits_for_its_channel(mall: Mall, shop: Shop, till: Till) -> tuple[Order, PaymentView]:
    order = await shop.order()
    payment = await orders.start_payment(mall, order, provider="till", payer=Payer(member_id=shop.member.id))
    till.down = True
    await orders.cancel(mall, order.id, actor=SYSTEM, reason="pay_timeout")
    return order, payment


# who may not ----------------------------------------------------------------------------------------------------------

CALLS = [
    ("GET", "", None, "orders.read"),
    ("GET", "/{number}", None, "orders.read"),
    ("POST", "/{number}/cancel", {"reason": "out of milk"}, "orders.write"),
    ("POST", "/{number}/close-payments", {"reason": "channel is gone"}, "payments.confirm"),
    ("POST", "/{number}/holds/release", RELEASE, "orders.write"),
]


@pytest.mark.parametrize(("method", "path", "body", "permission"), CALLS)
async def test_each_operation_needs_its_permission(
    mall: Mall, client: httpx.AsyncClient, admin: Admin, method: str, path: str, body: Any, permission: str
) -> None:
    order = await (await a_shop(mall)).order()
    others = {"orders.read", "orders.write", "orders.fulfil", "payments.read", "payments.confirm"} - {permission}
    clerk = admin(await builders.a_staff(mall, sorted(others), None))
    url = ORDERS + path.format(number=order.number)

    assert refusal(await client.request(method, url, json=body)) == (401, "auth.required")
    answer = await clerk.request(method, url, json=body)

    assert refusal(answer) == (403, "auth.forbidden")
    assert answer.json()["details"]["permission"] == permission
    assert await db.value("SELECT status FROM orders") == "pending_payment"


@pytest.mark.parametrize(("method", "path", "body", "permission"), CALLS[1:])
async def test_an_order_of_another_store_looks_like_none(
    mall: Mall, admin: Admin, method: str, path: str, body: Any, permission: str
) -> None:
    order = await (await a_shop(mall)).order()
    await hold(mall, order)
    elsewhere = await builders.a_store(mall)
    clerk = admin(await builders.a_staff(mall, [permission], [elsewhere.id]))

    foreign = await clerk.request(method, ORDERS + path.format(number=order.number), json=body)
    unknown = await clerk.request(method, ORDERS + path.format(number="M000"), json=body)

    assert refusal(foreign) == refusal(unknown) == (404, "orders.not_found")
    after = await db.row("SELECT status, held FROM orders")
    assert after is not None
    assert tuple(after) == ("pending_payment", True)


# lists ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"cursor": "nonsense"}, "request.bad_cursor"),
        ({"limit": 101}, "request.invalid"),
        ({"store_id": 0}, "request.invalid"),
        ({"held": "maybe"}, "request.invalid"),
        ({"number": "M" * 33}, "request.invalid"),
    ],
)
async def test_a_list_that_cannot_be_made_is_400(mall: Mall, admin: Admin, params: dict[str, Any], code: str) -> None:
    clerk = admin(await builders.a_staff(mall, BOTH, None))

    assert refusal(await clerk.get(ORDERS, params=params)) == (400, code)


async def test_a_list_holds_the_orders_of_ones_own_stores(mall: Mall, admin: Admin) -> None:
    here, there = await a_shop(mall), await a_shop(mall)
    mine, theirs = await here.order(), await there.order()
    clerk = admin(await builders.a_staff(mall, BOTH, [here.store_id]))
    nowhere = admin(await builders.a_staff(mall, BOTH, []))
    boss = admin(await builders.a_staff(mall, BOTH, None))

    assert numbers(await clerk.get(ORDERS)) == [mine.number]
    assert numbers(await clerk.get(ORDERS, params={"store_id": there.store_id})) == []
    assert numbers(await clerk.get(ORDERS, params={"number": theirs.number})) == []
    assert numbers(await nowhere.get(ORDERS)) == []
    assert numbers(await boss.get(ORDERS)) == [theirs.number, mine.number]


async def test_each_filter_finds_its_orders_and_no_others(mall: Mall, admin: Admin) -> None:
    paid_shop, shop = await a_shop(mall, price_fen=0), await a_shop(mall)
    paid = await paid_shop.order()
    done = await paid_shop.order(key="key-00002")
    await db.execute("UPDATE orders SET fulfilment_state = 'done' WHERE id = $1", done.id)
    open_, held = await shop.order(), await shop.order(key="key-00002")
    await hold(mall, held)
    boss = admin(await builders.a_staff(mall, BOTH, None))

    async def listed(**params: Any) -> list[str]:
        return numbers(await boss.get(ORDERS, params=params))

    assert await listed(status="paid") == [done.number, paid.number]
    assert await listed(status="paid", fulfilment_state="none") == [paid.number]
    assert await listed(fulfilment_state="done") == [done.number]
    assert await listed(store_id=shop.store_id) == [held.number, open_.number]
    assert await listed(member_id=paid_shop.member.id) == [done.number, paid.number]
    assert await listed(held=True) == [held.number]
    assert await listed(held=False, store_id=shop.store_id) == [open_.number]
    assert await listed(number=open_.number) == [open_.number]
    assert await listed(status="closed") == []


async def test_a_list_comes_in_pages_with_the_orders_that_buyers_hid(mall: Mall, admin: Admin) -> None:
    shop = await a_shop(mall)
    made = [(await shop.order(key=f"key-0000{n}")).number for n in range(5)]
    await db.execute("UPDATE orders SET hidden = true WHERE number = $1", made[2])
    boss = admin(await builders.a_staff(mall, BOTH, None))

    pages: list[list[str]] = []
    params: dict[str, Any] = {"limit": 2}
    while True:
        answer = await boss.get(ORDERS, params=params)
        pages.append(numbers(answer))
        if answer.json()["next_cursor"] is None:
            break
        params["cursor"] = answer.json()["next_cursor"]

    assert pages == [made[4:2:-1], made[2:0:-1], made[:1]]


async def test_the_file_of_an_order_holds_everything_about_it(make_mall: MakeMall, admin: Admin) -> None:
    mall = await make_mall(extra={"till": Till()})
    shop = await a_shop(mall)
    order = await shop.order()
    payment = await orders.start_payment(mall, order, provider="till", payer=Payer(member_id=shop.member.id))
    clerk = admin(await builders.a_staff(mall, BOTH, [shop.store_id]))

    unpaid = (await clerk.get(f"{ORDERS}/{order.number}")).json()
    money = Capture(
        payment_number=payment.number, amount_fen=1000, currency="CNY", channel_txn_id="T1",
        captured_at=mall.clock.now(),
    )  # fmt: skip
    await orders.apply_capture(mall, money, provider="till", actor=SYSTEM)
    await hold(mall, order)
    held = (await clerk.get(f"{ORDERS}/{order.number}")).json()

    assert unpaid["pickup"] is None
    assert [p["state"] for p in unpaid["payments"]] == ["pending"]
    assert (held["order"]["status"], held["order"]["held"], held["order"]["paid_fen"]) == ("paid", True, 1000)
    assert [(p["number"], p["state"], p["captured_fen"]) for p in held["payments"]] == [
        (payment.number, "captured", 1000)
    ]
    assert [(t["event"], t["actor_kind"]) for t in held["timeline"]] == [
        ("place", "member"), ("pay", "system"), ("hold", "plugin"),
    ]  # fmt: skip
    assert [h["code"] for h in held["holds"]] == ["group.forming"]
    assert held["pickup"] is None  # the hold took the code back


# cancelling -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "x"}, {"reason": "x" * 65}, {"reason": "ok", "a": 1}])
async def test_cancelling_needs_a_reason(mall: Mall, admin: Admin, body: dict[str, Any]) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    clerk = admin(await builders.a_staff(mall, BOTH, [shop.store_id]))

    assert refusal(await clerk.post(f"{ORDERS}/{order.number}/cancel", json=body)) == (400, "request.invalid")
    assert await db.value("SELECT status FROM orders") == "pending_payment"


async def test_a_paid_order_is_not_cancelled(mall: Mall, admin: Admin) -> None:
    shop = await a_shop(mall, price_fen=0)
    order = await shop.order()
    clerk = admin(await builders.a_staff(mall, BOTH, [shop.store_id]))

    answer = await clerk.post(f"{ORDERS}/{order.number}/cancel", json={"reason": "out of milk"})

    assert refusal(answer) == (409, "orders.wrong_status")
    assert await shop.stock_now() == (5, 1)


async def test_cancelling_gives_the_stock_back_and_is_audited_once(mall: Mall, admin: Admin) -> None:
    shop = await a_shop(mall)
    order = await shop.order(qty=2)
    staff = await builders.a_staff(mall, BOTH, [shop.store_id])
    clerk = admin(staff)

    answers = [await clerk.post(f"{ORDERS}/{order.number}/cancel", json={"reason": "缺货"}) for _ in range(2)]

    assert [(a.status_code, a.json()["order"]["status"]) for a in answers] == [(200, "cancelled")] * 2
    assert answers[1].json()["order"]["cancel_reason"] == "缺货"
    assert await shop.stock_now() == (5, 0)
    (entry,) = await db.rows("SELECT action, actor_id, store_id, subject_id FROM audit_entry")
    assert tuple(entry) == ("order.cancel", staff.staff_id, shop.store_id, order.number)


async def test_only_an_order_that_waits_for_its_channel_is_ended_by_hand(mall: Mall, admin: Admin) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    clerk = admin(await builders.a_staff(mall, ["payments.confirm"], [shop.store_id]))

    answer = await clerk.post(f"{ORDERS}/{order.number}/close-payments", json={"reason": "channel is gone"})

    assert refusal(answer) == (409, "orders.wrong_status")
    assert await db.value("SELECT status FROM orders") == "pending_payment"


async def test_an_order_that_waits_for_its_channel_is_ended_by_hand(make_mall: MakeMall, admin: Admin) -> None:
    till = Till()
    mall = await make_mall(extra={"till": till})
    shop = await a_shop(mall)
    order, payment = await an_order_that_waits_for_its_channel(mall, shop, till)
    assert await shop.stock_now() == (5, 1)
    staff = await builders.a_staff(mall, ["payments.confirm"], [shop.store_id])

    answer = await admin(staff).post(f"{ORDERS}/{order.number}/close-payments", json={"reason": "channel is gone"})

    assert (answer.status_code, answer.json()["order"]["status"]) == (200, "cancelled")
    assert [(p["number"], p["state"]) for p in answer.json()["payments"]] == [(payment.number, "closed")]
    assert answer.json()["order"]["cancel_reason"] == "pay_timeout"  # who began it
    assert await shop.stock_now() == (5, 0)
    written = await db.rows("SELECT action, actor_id FROM audit_entry ORDER BY id")
    assert [tuple(w) for w in written] == [
        ("order.close_by_hand", staff.staff_id), ("order.cancel", staff.staff_id),
    ]  # fmt: skip


# holds ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change", [{"plugin_id": "x"}, {"code": ""}, {"reason": ""}, {"reason": "x" * 201}, {"order": 1}]
)
async def test_a_release_that_makes_no_sense_is_400(mall: Mall, admin: Admin, change: dict[str, Any]) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    await hold(mall, order)
    clerk = admin(await builders.a_staff(mall, BOTH, [shop.store_id]))

    answer = await clerk.post(f"{ORDERS}/{order.number}/holds/release", json={**RELEASE, **change})

    assert refusal(answer) == (400, "request.invalid")
    assert await db.value("SELECT held FROM orders") is True


async def test_a_hold_that_is_not_there_is_404(mall: Mall, admin: Admin) -> None:
    shop = await a_shop(mall)
    order = await shop.order()
    await hold(mall, order)
    clerk = admin(await builders.a_staff(mall, BOTH, [shop.store_id]))
    url = f"{ORDERS}/{order.number}/holds/release"

    other = await clerk.post(url, json={**RELEASE, "code": "fraud"})
    first = await clerk.post(url, json=RELEASE)
    again = await clerk.post(url, json=RELEASE)

    assert refusal(other) == refusal(again) == (404, "orders.hold_not_found")
    assert first.status_code == 200


async def test_releasing_the_last_hold_of_a_paid_order_starts_its_pick_up(mall: Mall, admin: Admin) -> None:
    shop = await a_shop(mall, price_fen=0)
    order = await shop.order()
    await hold(mall, order, "forming")
    await hold(mall, order, "fraud")
    staff = await builders.a_staff(mall, BOTH, [shop.store_id])
    clerk = admin(staff)
    url = f"{ORDERS}/{order.number}/holds/release"

    first = (await clerk.post(url, json=RELEASE)).json()
    last = (await clerk.post(url, json={**RELEASE, "code": "fraud"})).json()

    assert (first["order"]["held"], [h["code"] for h in first["holds"]], first["pickup"]) == (
        True, ["group.fraud"], None,
    )  # fmt: skip
    assert (last["order"]["held"], last["holds"], last["pickup"]["state"]) == (False, [], "issued")
    written = await db.rows("SELECT action, actor_id, store_id FROM audit_entry ORDER BY id")
    assert [tuple(w) for w in written] == [("order.release_hold", staff.staff_id, shop.store_id)] * 2
