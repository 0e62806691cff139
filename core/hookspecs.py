"""Every hook of the mall. The docstring is the contract; ``docs/hooks.md`` is made from it.

Kinds, and what a failing plugin means for each (architecture.md, "the plugin contract"):

register     sync, once at start, no I/O. A raise marks the plugin faulty; the mall starts without it.
propose      async, read-only. Shown: a failing plugin's proposal is dropped, the answer says so. Deciding money: 503.
guard        async, read-only. Returns problems; all of all plugins are shown together. A failing plugin: refused (503).
participate  async, inside the transaction. A raise rolls everything back.

Implementations may take fewer arguments. ``firstresult``, wrappers, ``tryfirst`` and ``trylast`` are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from core.carts.types import CartLineView
    from core.kernel.contracts import EventHandler, Job, NotificationChannel
    from core.kernel.errors import Problem
    from core.kernel.mall import Mall
    from core.members.types import IdentityProvider, MemberView
    from core.orders.types import FulfilmentMethod, FulfilmentOption, Order, OrderDraft, Transition
    from core.payments.types import PaymentProvider
    from core.pricing.types import Adjustment, Quote, Stage

PROJECT = "minimall"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class MallSpec:
    """The hooks, in the order of an order's life."""

    # register ------------------------------------------------------------------------------------------------------

    @hookspec
    def register_storefront_routes(self, mall: Mall) -> Sequence[Any]:
        """Return Litestar handlers or controllers for ``/storefront/v1/x/<id>``.

        Kind: register. A member session is required unless the handler says ``opt={"public": True}``; while the plugin
        is off they answer 404 ``plugin.disabled``. Since: 1.0. Used by: nearby_stores.
        """
        raise NotImplementedError

    @hookspec
    def register_admin_routes(self, mall: Mall) -> Sequence[Any]:
        """Return Litestar handlers or controllers for ``/admin/v1/x/<id>``.

        Kind: register. Every handler carries ``opt={"permission": "<id>.<verb>"}`` of the manifest, or the plugin is
        faulty. Since: 1.0. Used by: nearby_stores, pay_at_store.
        """
        raise NotImplementedError

    @hookspec
    def register_callback_routes(self, mall: Mall) -> Sequence[Any]:
        """Return Litestar handlers for ``/callbacks/<id>``: no session, raw body, at most 1 MiB; verify the signature.

        Kind: register. Stay on while the plugin drains. Since: 1.0. Used by: the test plugin of ``core.testing``.
        """
        raise NotImplementedError

    @hookspec
    def register_payment_providers(self, mall: Mall) -> Iterable[PaymentProvider]:
        """Return payment providers, found by ``code``; a duplicate fails the start.

        Kind: register. Since: 1.0. Used by: pay_at_store.
        """
        raise NotImplementedError

    @hookspec
    def register_identity_providers(self, mall: Mall) -> Iterable[IdentityProvider]:
        """Return ways to sign in, found by ``code``. Kind: register. Since: 1.0. Used by: the test plugin."""
        raise NotImplementedError

    @hookspec
    def register_fulfilment_methods(self, mall: Mall) -> Iterable[FulfilmentMethod]:
        """Return fulfilment methods, found by ``code``. Kind: register. Since: 1.0. Used by: the test plugin."""
        raise NotImplementedError

    @hookspec
    def register_notification_channels(self, mall: Mall) -> Iterable[NotificationChannel]:
        """Return notification channels, found by ``code``. Kind: register. Since: 1.0. Used by: the test plugin."""
        raise NotImplementedError

    @hookspec
    def register_event_handlers(self, mall: Mall) -> Iterable[EventHandler]:
        """Return event handlers; their names start with the plugin's id and never change.

        Kind: register (what they do is "react": after commit, at least once, retried alone, then parked).
        Since: 1.0. Used by: nearby_stores.
        """
        raise NotImplementedError

    @hookspec
    def register_jobs(self, mall: Mall) -> Iterable[Job]:
        """Return jobs, periodic (``cron``) or deferred; names start with the plugin's id.

        Kind: register. Since: 1.0. Used by: nearby_stores.
        """
        raise NotImplementedError

    @hookspec
    def register_order_extensions(self, mall: Mall) -> type[Any] | None:
        """Return the struct (``forbid_unknown_fields``) that validates ``extensions[<id>]`` of an order request.

        Kind: register. Since: 1.0. Used by: the test plugin.
        """
        raise NotImplementedError

    @hookspec
    def register_commands(self, group: Any) -> None:
        """Add commands to the click group ``mall x <id>``. Kind: register. Since: 1.0. Used by: nearby_stores."""
        raise NotImplementedError

    @hookspec
    def register_demo_data(self, mall: Mall) -> Any:
        """Return an async function ``(mall) -> None`` that adds this plugin's part of the demo; twice is harmless.

        Kind: register. Since: 1.0. Used by: nearby_stores.
        """
        raise NotImplementedError

    # propose -------------------------------------------------------------------------------------------------------

    @hookspec
    async def price_adjustments(self, mall: Mall, stage: Stage, quote: Quote) -> Sequence[Adjustment] | None:
        """Propose what ``stage`` takes off (or puts on) ``quote``; every plugin of a stage sees the same quote.

        Kind: propose. Lenient in previews, strict when an order is placed. Since: 1.0. Used by: the test plugin.
        """
        raise NotImplementedError

    @hookspec
    async def fulfilment_options(self, mall: Mall, draft: OrderDraft) -> Sequence[FulfilmentOption] | None:
        """Propose ways to get the goods of ``draft`` to the buyer, each with its reason if it is not available.

        Kind: propose, lenient. Since: 1.0. Used by: nearby_stores.
        """
        raise NotImplementedError

    @hookspec
    async def extend_products(self, mall: Mall, ids: Sequence[int]) -> Mapping[int, Any] | None:
        """Return what this plugin adds to products by id (``{id: extra}``), as ``extra.<plugin>``; one call a page.

        Kind: propose, lenient. Since: 1.0. Used by: the test plugin.
        """
        raise NotImplementedError

    @hookspec
    async def extend_stores(self, mall: Mall, ids: Sequence[int]) -> Mapping[int, Any] | None:
        """Return what this plugin adds to stores, by id; one call a page.

        Kind: propose, lenient. Since: 1.0. Used by: nearby_stores.
        """
        raise NotImplementedError

    @hookspec
    async def extend_orders(self, mall: Mall, ids: Sequence[int]) -> Mapping[int, Any] | None:
        """Return what this plugin adds to orders, by id; one call a page.

        Kind: propose, lenient. Since: 1.0. Used by: pay_at_store.
        """
        raise NotImplementedError

    @hookspec
    async def extend_members(self, mall: Mall, ids: Sequence[int]) -> Mapping[int, Any] | None:
        """Return what this plugin adds to members, by id; one call a page.

        Kind: propose, lenient. Since: 1.0. Used by: the test plugin.
        """
        raise NotImplementedError

    # guard ---------------------------------------------------------------------------------------------------------

    @hookspec
    async def cart_guard(self, mall: Mall, member_id: int, lines: Sequence[CartLineView]) -> Sequence[Problem] | None:
        """Say what is wrong with a cart as it would be after a change.

        Kind: guard, inside the cart's transaction, after the change: a refusal undoes it. Since: 1.0. Used by: the test
        plugin.
        """
        raise NotImplementedError

    @hookspec
    async def order_guard(self, mall: Mall, draft: OrderDraft, quote: Quote) -> Sequence[Problem] | None:
        """Say every reason why ``draft`` may not become an order.

        Kind: guard. Called outside a transaction, before anything is written, maybe more than once for one order.
        What may run out is not checked here but claimed in ``order_placing``. Since: 1.0. Used by: the test plugin.
        """
        raise NotImplementedError

    @hookspec
    async def order_transition_guard(
        self, mall: Mall, order: Order, transition: Transition
    ) -> Sequence[Problem] | None:
        """Say every reason why staff or the buyer may not do ``transition``. In the transaction, order row locked.

        Kind: guard. Never asked when money arrives: captured money is recorded whatever happens (behaviour.md 5.5
        rule 8). A draining plugin still answers. Since: 1.0. Used by: the test plugin.
        """
        raise NotImplementedError

    # participate ---------------------------------------------------------------------------------------------------

    @hookspec
    async def order_placing(self, mall: Mall, order: Order, draft: OrderDraft) -> None:
        """Claim what the order needs from this plugin (a coupon, a seat), by a guarded write, or raise a ``MallError``.

        Kind: participate; stock rows are already locked. Since: 1.0. Used by: the test plugin.
        """
        raise NotImplementedError

    @hookspec
    async def order_transitioning(self, mall: Mall, order: Order, transition: Transition) -> None:
        """Take part in a change of status (release on cancel, consume on paid); must be safe to call twice.

        Kind: participate, with one exception: money that has arrived stays recorded. A raise on ``pay`` undoes the
        change of the order only; staff are told, and the change is tried again. A draining plugin still takes part.
        Since: 1.0. Used by: the test plugin.
        """
        raise NotImplementedError

    @hookspec
    async def member_joining(self, mall: Mall, member: MemberView) -> None:
        """Take part in a member's first sign-in. Kind: participate. Since: 1.0. Used by: the test plugin."""
        raise NotImplementedError
