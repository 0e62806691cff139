"""One purchase against a running mall, through HTTP alone; and the two that the demo offers to people."""

from __future__ import annotations

import asyncio
import re
import secrets

import pytest

from core.demo import purchase
from tests.e2e.live import ADMIN, HERE, SHOP, Live, a_key, ok, until, wish

pytestmark = pytest.mark.timeout(120)
EVENTS = ["order.placed", "order.paid", "order.fulfilled", "order.completed"]


async def test_a_purchase_from_sign_in_to_hand_over(live: Live) -> None:
    near = live.client()
    async with near, live.shopper() as shopper, live.staff() as staff:
        stores = ok(await near.get(f"{SHOP}/x/nearby_stores/stores?{HERE}&open_now=true&limit=3"))["items"]
        store_id = stores[0]["id"]
        assert [s["distance_m"] for s in stores] == sorted(s["distance_m"] for s in stores)
        cup = await live.goods(store_id, 3)
        drink = ok(await shopper.get(f"{SHOP}/products?store_id={store_id}&limit=5"))["items"][-1]["sku_ids"][0]

        for sku_id, qty in ((cup, 2), (drink, 1)):
            ok(await shopper.post(f"{SHOP}/cart/lines", json={"sku_id": sku_id, "qty": qty}))
        cart = ok(await shopper.get(f"{SHOP}/cart?store_id={store_id}"))
        want = {"from_cart": True, "store_id": store_id, "contact": {"name": "小满", "phone": "13800138000"}}
        quote = ok(await shopper.post(f"{SHOP}/quotes", json=want))
        assert quote["can_be_placed"], quote["problems"]
        body = {**want, "expected_total_fen": quote["payable_fen"]}
        order = ok(await shopper.post(f"{SHOP}/orders", json=body, headers=a_key()), 201)
        number, total = order["number"], order["payable_fen"]
        assert (len(cart["lines"]), len(order["lines"])) == (2, 2)
        assert ok(await shopper.get(f"{SHOP}/cart"))["lines"] == []
        assert await live.stock(cup) == (3, 2)

        methods = ok(await shopper.get(f"{SHOP}/orders/{number}/payment-methods"))
        assert "pay_at_store" in [m["provider"] for m in methods]
        ok(await shopper.post(f"{SHOP}/orders/{number}/payments", json={"provider": "pay_at_store"}), 201)
        too_early = await shopper.get(f"{SHOP}/orders/{number}/pickup-code")
        assert too_early.status_code == 404
        confirm = f"{ADMIN}/x/pay_at_store/orders/{number}/confirm"
        ok(await staff.post(confirm, json={"amount_fen": total, "method": "card", "reference": secrets.token_hex(6)}))
        code = ok(await shopper.get(f"{SHOP}/orders/{number}/pickup-code"))["code"]
        looked = ok(await staff.post(f"{ADMIN}/pickups/look-up", json={"code": code}))
        assert looked["order"]["number"] == number
        ok(await staff.post(f"{ADMIN}/pickups/verify", json={"code": code}))
        again = await staff.post(f"{ADMIN}/pickups/verify", json={"code": code})
        assert (again.status_code, again.json()["code"]) == (409, "fulfilment.code_used")

        done = ok(await shopper.get(f"{SHOP}/orders/{number}"))
        assert (done["status"], done["fulfilment_state"], done["paid_fen"]) == ("completed", "done", total)
        assert {step["by"] for step in done["timeline"]} >= {"member", "staff"}
        file = ok(await staff.get(f"{ADMIN}/orders/{number}"))
        assert {step["actor_name"] for step in file["timeline"] if step["actor_kind"] == "staff"} == {"Owner"}
        assert [p["state"] for p in file["payments"]] == ["captured"]

        assert await live.stock(cup) == (1, 0)
        moves = ok(await staff.get(f"{ADMIN}/inventory/moves?sku_id={cup}"))["items"]
        assert [(m["kind"], m["qty"]) for m in moves] == [("commit", -2), ("receive", 3)]
        audit = ok(await staff.get(f"{ADMIN}/audit?limit=50"))["items"]
        about = {row["action"]: row for row in audit if row["subject_id"] == number}
        assert {"order.pay", "order.complete"} <= set(about), about
        assert {(row["actor_name"], row["store_id"]) for row in about.values()} == {("Owner", store_id)}

    async def told() -> bool:
        deliveries = await live.deliveries(number)
        return len(deliveries) == len(EVENTS) and set(deliveries.values()) == {"done"}

    await until(told)
    assert sorted(live.witnessed(number)) == sorted((event, moment) for event in EVENTS for moment in ("begin", "end"))


async def test_one_key_from_eight_connections_makes_one_order(live: Live) -> None:
    store_id = await live.nearest_store()
    sku_id = await live.goods(store_id, 50)
    token, key = await live.sign_in(), a_key()

    async def submit(qty: int) -> tuple[int, dict[str, object]]:
        async with live.client(token) as client:
            answer = await client.post(f"{SHOP}/orders", json=wish(sku_id, store_id, qty=qty), headers=key)
            return answer.status_code, answer.json()

    answers = await asyncio.gather(*(submit(2) for _ in range(8)))
    assert [status for status, _ in answers] == [201] * 8
    assert len({str(order["number"]) for _, order in answers}) == 1
    assert await live.stock(sku_id) == (50, 2)

    status, refusal = await submit(3)
    assert (status, refusal["code"]) == (409, "orders.key_reused")
    assert await live.stock(sku_id) == (50, 2)
    async with live.client(token) as client:
        assert len(ok(await client.get(f"{SHOP}/orders"))["items"]) == 1


async def test_the_tour_ends_with_a_completed_order(live: Live) -> None:
    said = await live.command("demo", "--tour")

    assert "Done:" in said.splitlines()[-1]
    assert '"status": "completed"' in said.rpartition("The order is completed")[2]
    assert re.search(r'"token": "[^•]', said) is None


async def test_the_copy_paste_purchase_ends_with_a_completed_order(live: Live) -> None:
    script = purchase.script(live.base, live.home, login=live.login["login"], password=live.login["password"])

    said = await live.run("bash", "-c", script)

    assert re.fullmatch(r"order \S+: completed\n", said), said
