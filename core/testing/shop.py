"""A shop with one product on the shelf and a member who wants it: the start of most tests about orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core import db
from core.kernel.mall import Mall
from core.kernel.origin import Origin
from core.members.types import MemberView
from core.orders import service as orders
from core.orders.types import DraftLine, Order, OrderDraft
from core.testing import builders


@dataclass
class Shop:
    mall: Mall
    store_id: int
    location_id: int
    sku_id: int
    member: MemberView
    price_fen: int

    def draft(self, *, qty: int = 1, member_id: int | None = None) -> OrderDraft:
        return OrderDraft(
            member_id=member_id or self.member.id,
            lines=(DraftLine(sku_id=self.sku_id, qty=qty),),
            origin=Origin(channel="miniprogram", store_id=self.store_id),
            store_id=self.store_id,
            fulfilment_method="pickup",
        )

    async def order(self, *, key: str = "key-00001", qty: int = 1) -> Order:
        return await orders.place_order(
            self.mall, self.draft(qty=qty), expected_total_fen=self.price_fen * qty, request_key=key
        )

    async def stock_now(self) -> tuple[int, int]:
        """(on hand, reserved)."""
        found = await db.row("SELECT on_hand, reserved FROM stock WHERE sku_id = $1", self.sku_id)
        assert found is not None
        return (found["on_hand"], found["reserved"])


async def a_shop(mall: Mall, *, on_hand: int = 5, price_fen: int = 1000, **product: Any) -> Shop:
    store = await builders.a_store(mall)
    location_id = await builders.location_of(store)
    made = await builders.a_product(mall, price_fen=price_fen, **product)
    await builders.stock(mall, made.sku.id, location_id, on_hand)
    return Shop(mall, store.id, location_id, made.sku.id, await builders.a_member(mall), price_fen)
