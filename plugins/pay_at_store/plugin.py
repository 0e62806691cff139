"""到店付款: the shopper orders now and pays at the counter; staff take the money and confirm it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.sdk import Mall, PaymentProvider, Permission, Plugin, Text, hookimpl
from plugins.pay_at_store import admin, service
from plugins.pay_at_store.types import PayAtStoreConfig

PLUGIN = Plugin(
    id="pay_at_store",
    version="1.0.0",
    core_api=">=1.0,<2",
    title=Text("到店付款", "Pay at the store"),
    summary=Text("顾客到店付款,店员收款后确认。", "Shoppers pay at the counter; staff confirm what they took."),
    config=PayAtStoreConfig,
    permissions=(Permission("pay_at_store.confirm", Text("确认到店收款", "Confirm money taken at the counter")),),
    drains=True,
)


@hookimpl
def register_payment_providers(mall: Mall) -> Iterable[PaymentProvider]:
    return (service.PayAtStore(),)


@hookimpl
def register_admin_routes(mall: Mall) -> Sequence[Any]:
    return admin.handlers


@hookimpl
async def extend_orders(mall: Mall, ids: Sequence[int]) -> Mapping[int, Any]:
    return await service.receipts(ids)
