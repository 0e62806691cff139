"""Every hook that proposes, guards or takes part: what it can do, and what a failing plugin means for its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from core import db
from core.carts import service as carts
from core.carts.errors import CartRefused
from core.catalog.extras import extras as product_extras
from core.hookspecs import hookimpl
from core.kernel.errors import PluginUnavailable
from core.kernel.origin import Actor
from core.members import service as members
from core.members.types import JoinSource
from core.orders import service as orders
from core.orders.errors import OrderRefused, TransitionRefused
from core.stores import service as stores
from core.testing import builders
from core.testing.plugin_all_hooks import plugin, service
from core.testing.plugin_all_hooks.errors import NoRoom
from core.testing.shop import a_shop

if TYPE_CHECKING:
    from core.kernel.mall import Mall
    from core.testing.pytest_plugin import MakeMall

BUYER = Actor(kind="member", name="a buyer")


async def _mall(make_mall: MakeMall, **rules: object) -> Mall:
    environ = {f"MALL_ALL_HOOKS__{name.upper()}": str(value) for name, value in rules.items()}
    return await make_mall(extra={"all_hooks": plugin}, environ=environ)


def _broken(name: str) -> dict[str, Any]:
    """A plugin whose one hook raises."""

    async def fails() -> None:
        raise RuntimeError("broken on purpose")

    fails.__name__ = name
    return {"broken": type("Broken", (), {name: staticmethod(hookimpl(fails))})()}


async def _orders() -> int:
    found: int = await db.value("SELECT count(*) FROM orders")
    return found


# propose --------------------------------------------------------------------------------------------------------------


async def test_hook_price_adjustments(make_mall: MakeMall) -> None:
    mall = await _mall(make_mall, discount_fen=150)
    shop = await a_shop(mall, price_fen=1000)

    quoted = await orders.quote(mall, shop.draft())
    order = await orders.place_order(mall, shop.draft(), expected_total_fen=850, request_key="key-00001")

    assert [(a.plugin_id, a.code, a.amount_fen) for a in quoted.quote.applied] == [("all_hooks", "all_hooks.off", -150)]
    assert (order.discount_fen, order.payable_fen) == (-150, 850)


async def test_a_broken_price_is_left_out_of_a_preview_and_stops_an_order(make_mall: MakeMall) -> None:
    mall = await make_mall(extra=_broken("price_adjustments"))
    shop = await a_shop(mall, price_fen=1000)

    quoted = await orders.quote(mall, shop.draft())

    assert {(s.plugin_id, s.reason) for s in quoted.quote.skipped} == {("broken", "plugin_failed")}
    with pytest.raises(PluginUnavailable):
        await shop.order()
    assert await _orders() == 0


async def test_hook_fulfilment_options(make_mall: MakeMall) -> None:
    mall = await _mall(make_mall)
    shop = await a_shop(mall)

    answers = await mall.hooks.lenient("fulfilment_options", mall=mall, draft=shop.draft())

    ((owner, options),) = answers.given
    assert (owner, options[0].method, options[0].available) == ("all_hooks", "all_hooks_courier", True)


async def test_hook_extend_products(make_mall: MakeMall) -> None:
    mall = await _mall(make_mall)

    assert (await product_extras(mall, [1, 2])).by_product == {i: {"all_hooks": {"seen": True}} for i in (1, 2)}


async def test_a_broken_extension_is_left_out_and_named(make_mall: MakeMall) -> None:
    mall = await make_mall(extra=_broken("extend_products"))

    found = await product_extras(mall, [1])

    assert (found.by_product, found.failed) == ({}, ("broken",))


async def test_hook_extend_stores(make_mall: MakeMall) -> None:
    mall = await _mall(make_mall)

    assert (await stores.extras(mall, [4])).by_store == {4: {"all_hooks": {"seen": True}}}


async def test_hook_extend_orders(make_mall: MakeMall) -> None:
    mall = await _mall(make_mall)

    assert (await orders.extras(mall, [4])).by_order == {4: {"all_hooks": {"seen": True}}}


async def test_hook_extend_members(make_mall: MakeMall) -> None:
    mall = await _mall(make_mall)

    assert (await members.extras(mall, [4])).by_member == {4: {"all_hooks": {"seen": True}}}


# guard ----------------------------------------------------------------------------------------------------------------


async def test_hook_cart_guard(make_mall: MakeMall) -> None:
    mall = await _mall(make_mall, max_units=2)
    shop = await a_shop(mall)
    await carts.add(mall, shop.member.id, sku_id=shop.sku_id, qty=2)

    with pytest.raises(CartRefused) as refused:
        await carts.add(mall, shop.member.id, sku_id=shop.sku_id, qty=1)

    assert [(p.code, p.details) for p in refused.value.problems] == [("all_hooks.too_many", {"limit": 2})]
    assert [line.qty for line in (await carts.view(mall, shop.member.id)).lines] == [2], "a refusal undoes the change"


async def test_hook_order_guard(make_mall: MakeMall) -> None:
    mall = await _mall(make_mall, forbidden_note="no")
    shop = await a_shop(mall)
    draft = replace(shop.draft(), note="no")

    quoted = await orders.quote(mall, draft)
    with pytest.raises(OrderRefused) as refused:
        await orders.place_order(mall, draft, expected_total_fen=1000, request_key="key-00001")

    assert [p.code for p in quoted.problems] == ["all_hooks.note_forbidden"]
    assert [p.code for p in refused.value.problems] == ["all_hooks.note_forbidden"]
    assert await _orders() == 0


async def test_a_broken_guard_cannot_let_an_order_through(make_mall: MakeMall) -> None:
    mall = await make_mall(extra=_broken("order_guard"))
    shop = await a_shop(mall)

    with pytest.raises(PluginUnavailable) as failed:
        await shop.order()

    assert failed.value.details == {"plugin": "broken"}
    assert await _orders() == 0


async def test_hook_order_transition_guard(make_mall: MakeMall) -> None:
    mall = await _mall(make_mall, keep_orders=True)
    order = await (await a_shop(mall)).order()

    with pytest.raises(TransitionRefused) as refused:
        await orders.cancel(mall, order.id, actor=BUYER, reason="changed my mind")

    assert [p.code for p in refused.value.problems] == ["all_hooks.kept"]
    assert (await orders.get(mall, order.number)).status == "pending_payment"


# participate ----------------------------------------------------------------------------------------------------------


async def test_hook_order_placing(make_mall: MakeMall) -> None:
    mall = await _mall(make_mall)
    shop = await a_shop(mall, on_hand=1)
    full = replace(shop.draft(), extensions={"all_hooks": {"card": "full"}})

    with pytest.raises(NoRoom):
        await orders.place_order(mall, full, expected_total_fen=1000, request_key="key-00001")
    assert (await _orders(), await shop.stock_now()) == (0, (1, 0)), "a participant's refusal rolls everything back"
    order = await shop.order(key="key-00002")

    assert [(n.kind, n.subject_id) for n in await service.notes() if n.kind == "placing"] == [("placing", order.id)]


async def test_a_broken_participant_rolls_the_order_back(make_mall: MakeMall) -> None:
    mall = await make_mall(extra=_broken("order_placing"))
    shop = await a_shop(mall)

    with pytest.raises(PluginUnavailable):
        await shop.order()

    assert (await _orders(), await shop.stock_now()) == (0, (5, 0))


async def test_hook_order_transitioning(make_mall: MakeMall) -> None:
    mall = await _mall(make_mall)
    order = await (await a_shop(mall)).order()

    await orders.cancel(mall, order.id, actor=BUYER, reason="changed my mind")

    assert ("to_cancelled", order.id) in {(n.kind, n.subject_id) for n in await service.notes()}


async def test_a_participant_can_stop_a_transition(make_mall: MakeMall) -> None:
    mall = await _mall(make_mall, full_event="cancel")
    shop = await a_shop(mall)
    order = await shop.order()

    with pytest.raises(NoRoom):
        await orders.cancel(mall, order.id, actor=BUYER, reason="changed my mind")

    assert (await orders.get(mall, order.number)).status == "pending_payment"
    assert await shop.stock_now() == (5, 1)


@pytest.mark.parametrize(("name", "members_after"), [("ali", 1), ("nobody", 0)])
async def test_hook_member_joining(make_mall: MakeMall, name: str, members_after: int) -> None:
    mall = await _mall(make_mall)
    sign_in = members.sign_in(
        mall, "all_hooks_word", credentials={"word": "open sesame", "name": name}, source=JoinSource()
    )

    if members_after:
        await sign_in
    else:
        with pytest.raises(NoRoom):
            await sign_in

    assert await db.value("SELECT count(*) FROM member") == members_after
    assert [n.text for n in await service.notes()] == ["ali"] * members_after


async def test_a_second_sign_in_is_no_joining(make_mall: MakeMall) -> None:
    mall = await _mall(make_mall)
    credentials = {"word": "open sesame", "name": "ali"}
    for _ in range(2):
        await members.sign_in(mall, "all_hooks_word", credentials=credentials, source=JoinSource())

    assert [n.kind for n in await service.notes()] == ["joining"]
    assert (await builders.a_member(mall)).id > 0
