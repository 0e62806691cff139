"""The typed objects of the test plugin: a provider, a sign-in, a fulfilment method, a channel, handlers and jobs."""

from __future__ import annotations

from typing import Any

from core.sdk import (
    ChannelState,
    EventHandler,
    FulfilmentPlan,
    Job,
    Mall,
    MemberJoined,
    Order,
    OrderDraft,
    OrderPlaced,
    Payer,
    PaymentView,
    Prepared,
    Proof,
    Text,
    inventory,
)
from core.testing.plugin_all_hooks import service
from core.testing.plugin_all_hooks.errors import CredentialsUnknown


class Pay:
    """A way to pay that is always offered and never finds money by itself: tests report captures."""

    code = "all_hooks_pay"
    title = Text("测试支付", "Test payment")

    async def available(self, mall: Mall, *, store_id: int | None, fulfilment_method: str) -> bool:
        return True

    async def prepare(self, mall: Mall, payment: PaymentView, payer: Payer) -> Prepared:
        return Prepared(action={"kind": self.code, "number": payment.number})

    async def query(self, mall: Mall, payment: PaymentView) -> ChannelState:
        return ChannelState(state="open")

    async def close(self, mall: Mall, payment: PaymentView) -> ChannelState:
        return ChannelState(state="closed")


class SignIn:
    """Whoever says ``open sesame`` is whom they say they are."""

    code = "all_hooks_word"
    title = Text("口令", "Pass word")

    async def prove(self, mall: Mall, *, credentials: dict[str, str]) -> Proof:
        if credentials.get("word") != "open sesame" or not credentials.get("name"):
            raise CredentialsUnknown
        return Proof(subject=credentials["name"], nickname=credentials["name"])


class Courier:
    """Deliver from the store's own stock for three yuan; what starts and stops is noted."""

    code = "all_hooks_courier"
    title = Text("信鸽", "Carrier pigeon")

    async def plan(self, mall: Mall, draft: OrderDraft) -> FulfilmentPlan:
        return FulfilmentPlan(location_id=await inventory.location_of_store(mall, draft.store_id or 0), freight_fen=300)

    async def ready(self, mall: Mall, order: Order) -> None:
        await service.note_once(mall, "courier_ready", order.id)

    async def stopped(self, mall: Mall, order: Order) -> None:
        await service.note_once(mall, "courier_stopped", order.id)


class Letterbox:
    """Keep messages where a test can read them."""

    code = "all_hooks_letterbox"

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, dict[str, str]]] = []

    async def send(self, mall: Mall, *, to: str, template: str, values: dict[str, str]) -> None:
        self.sent.append((to, template, values))


async def note_order(mall: Mall, event: OrderPlaced) -> None:
    await service.note_once(mall, "event_order", event.order_id, event.number)


async def note_member(mall: Mall, event: MemberJoined) -> None:
    await service.note_once(mall, "event_member", event.member_id)


async def sweep(mall: Mall, _payload: dict[str, Any]) -> None:
    await service.note_once(mall, "sweep", 0)


async def remind(mall: Mall, payload: dict[str, Any]) -> None:
    await service.note_once(mall, "remind", int(payload["order_id"]))


def handlers() -> list[EventHandler]:
    return [
        EventHandler(name="all_hooks.note_order", event=OrderPlaced, run=note_order),
        EventHandler(name="all_hooks.note_member", event=MemberJoined, run=note_member, in_transaction=False),
    ]


def jobs() -> list[Job]:
    return [Job(name="all_hooks.sweep", run=sweep, cron="0 4 * * *"), Job(name="all_hooks.remind", run=remind)]
