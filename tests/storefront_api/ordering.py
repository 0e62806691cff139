"""What the tests of orders over HTTP share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

import httpx

from core import db
from core.kernel.i18n import Text
from core.kernel.mall import Mall
from core.payments.types import ChannelState, Payer, PaymentView, Prepared
from core.sdk import hookimpl
from core.testing.shop import Shop

Storefront = Callable[[object], httpx.AsyncClient]
ORDERS = "/storefront/v1/orders"
QUOTES = "/storefront/v1/quotes"
ZH, EN = {"Accept-Language": "zh-CN"}, {"Accept-Language": "en"}
_keys = count(1)


def key() -> dict[str, str]:
    return {"Idempotency-Key": f"order-key-{next(_keys)}"}


def wish(shop: Shop, qty: int = 1, **over: Any) -> dict[str, Any]:
    return {"lines": [{"sku_id": shop.sku_id, "qty": qty}], "store_id": shop.store_id, **over}


def submit(shop: Shop, qty: int = 1, **over: Any) -> dict[str, Any]:
    return wish(shop, qty, **{"expected_total_fen": shop.price_fen * qty, **over})


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def order_count() -> int:
    return await db.value("SELECT count(*) FROM orders")


def check_problem(answer: httpx.Response, status: int, code: str, lang: str) -> dict[str, Any]:
    """Check that an answer is a whole problem document (RFC 9457) in ``lang``; return it."""
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["content-language"] == lang
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert body["type"] == f"urn:mall:{code}"
    assert body["request_id"]
    return body


class OutsideChannel:
    """A payment channel, which is outside the mall: it answers, or it is down."""

    code = "till"
    title = Text("测试收银", "Till")

    def __init__(self, *, down: bool = False, everywhere: bool = True) -> None:
        self.down = down
        self.everywhere = everywhere

    @hookimpl
    def register_payment_providers(self, mall: Mall) -> Iterable[Any]:
        return (self,)

    async def available(self, mall: Mall, *, store_id: int | None, fulfilment_method: str) -> bool:
        return self.everywhere

    async def prepare(self, mall: Mall, payment: PaymentView, payer: Payer) -> Prepared:
        if self.down:
            raise ConnectionError("the channel does not answer")
        return Prepared(action={"kind": "till", "payer": payer.member_id})

    async def query(self, mall: Mall, payment: PaymentView) -> ChannelState:
        if self.down:
            raise ConnectionError("the channel does not answer")
        return ChannelState(state="closed")

    close = query


# who may not ----------------------------------------------------------------------------------------------------------
