"""A plugin that uses every hook of the mall, each in the smallest way that can be seen from outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.sdk import (
    Adjustment,
    CartLineView,
    EventHandler,
    FulfilmentMethod,
    FulfilmentOption,
    IdentityProvider,
    Job,
    Mall,
    MemberView,
    NotificationChannel,
    Order,
    OrderDraft,
    PaymentProvider,
    Permission,
    Plugin,
    Problem,
    Quote,
    Stage,
    Text,
    Transition,
    hookimpl,
)
from core.testing.plugin_all_hooks import objects, routes, service
from core.testing.plugin_all_hooks.errors import NoRoom
from core.testing.plugin_all_hooks.types import AllHooksConfig, Gift

PLUGIN = Plugin(
    id=service.ID,
    version="1.0.0",
    core_api=">=1.0,<2",
    title=Text("全部钩子", "All hooks"),
    summary=Text("测试用插件,使用每一个钩子。", "A test plugin that uses every hook."),
    config=AllHooksConfig,
    piccolo_app="core.testing.plugin_all_hooks",
    permissions=(Permission("all_hooks.read", Text("查看记录", "See the notes")),),
)


@hookimpl
def register_storefront_routes() -> Sequence[Any]:
    return [routes.hello, routes.hello_me]


@hookimpl
def register_admin_routes() -> Sequence[Any]:
    return [routes.list_notes]


@hookimpl
def register_callback_routes() -> Sequence[Any]:
    return [routes.ping]


@hookimpl
def register_payment_providers() -> Iterable[PaymentProvider]:
    return [objects.Pay()]


@hookimpl
def register_identity_providers() -> Iterable[IdentityProvider]:
    return [objects.SignIn()]


@hookimpl
def register_fulfilment_methods() -> Iterable[FulfilmentMethod]:
    return [objects.Courier()]


@hookimpl
def register_notification_channels() -> Iterable[NotificationChannel]:
    return [objects.Letterbox()]


@hookimpl
def register_event_handlers() -> Iterable[EventHandler]:
    return objects.handlers()


@hookimpl
def register_jobs() -> Iterable[Job]:
    return objects.jobs()


@hookimpl
def register_order_extensions() -> type[Any]:
    return Gift


@hookimpl
def register_commands(group: Any) -> None:
    @group.command("hello")
    def hello() -> None:  # pyright: ignore[reportUnusedFunction]
        """Greet the operator."""
        print("hello")  # noqa: T201 - a command's output


@hookimpl
def register_demo_data() -> Any:
    async def load(mall: Mall) -> None:
        await service.note_once(mall, "demo", 0)

    return load


@hookimpl
async def price_adjustments(mall: Mall, stage: Stage) -> Sequence[Adjustment]:
    off = service.config(mall).discount_fen
    if stage is not Stage.COUPON or not off:
        return ()
    return [Adjustment(code="all_hooks.off", amount_fen=-off, label=Text("测试优惠", "Test discount"))]


@hookimpl
async def fulfilment_options(draft: OrderDraft) -> Sequence[FulfilmentOption]:
    courier = objects.Courier
    return [
        FulfilmentOption(
            method=courier.code, title=courier.title, available=draft.store_id is not None, freight_fen=300,
            store_id=draft.store_id,
        )
    ]  # fmt: skip


@hookimpl
async def extend_products(ids: Sequence[int]) -> Mapping[int, Any]:
    return {i: {"seen": True} for i in ids}


@hookimpl
async def extend_stores(ids: Sequence[int]) -> Mapping[int, Any]:
    return {i: {"seen": True} for i in ids}


@hookimpl
async def extend_orders(ids: Sequence[int]) -> Mapping[int, Any]:
    return {i: {"seen": True} for i in ids}


@hookimpl
async def extend_members(ids: Sequence[int]) -> Mapping[int, Any]:
    return {i: {"seen": True} for i in ids}


@hookimpl
async def cart_guard(mall: Mall, lines: Sequence[CartLineView]) -> Sequence[Problem]:
    limit = service.config(mall).max_units
    if not limit or sum(line.qty for line in lines) <= limit:
        return ()
    return [Problem(code="all_hooks.too_many", message=Text("太多了。", "Too many."), details={"limit": limit})]


@hookimpl
async def order_guard(mall: Mall, draft: OrderDraft, quote: Quote) -> Sequence[Problem]:
    forbidden = service.config(mall).forbidden_note
    if not forbidden or draft.note != forbidden:
        return ()
    return [Problem(code="all_hooks.note_forbidden", message=Text("备注不可用。", "This note cannot be used."))]


@hookimpl
async def order_transition_guard(mall: Mall, transition: Transition) -> Sequence[Problem]:
    if not service.config(mall).keep_orders or transition.to not in ("cancelling", "cancelled"):
        return ()
    return [Problem(code="all_hooks.kept", message=Text("订单不可取消。", "The order cannot be cancelled."))]


@hookimpl
async def order_placing(mall: Mall, order: Order, draft: OrderDraft) -> None:
    card = draft.extensions.get(service.ID, {}).get("card", "")
    if card == "full":
        raise NoRoom
    await service.note_once(mall, "placing", order.id, str(card))


@hookimpl
async def order_transitioning(mall: Mall, order: Order, transition: Transition) -> None:
    if transition.event == service.config(mall).full_event:
        raise NoRoom
    await service.note_once(mall, f"to_{transition.to}", order.id)


@hookimpl
async def member_joining(mall: Mall, member: MemberView) -> None:
    if member.nickname == "nobody":
        raise NoRoom
    await service.note_once(mall, "joining", member.id, member.nickname)
