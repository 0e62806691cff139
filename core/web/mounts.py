"""Where everything is mounted, and what stands before it: auth by default, plugins behind their switch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from typing import Annotated, Any, cast

from litestar import Router
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.params import Dependency
from litestar.routes.base import parsers_map

from core.kernel.i18n import Lang
from core.kernel.mall import Mall
from core.members.types import MemberSessionView
from core.plugin_host.states import PluginStates
from core.staff.types import StaffSessionView
from core.web import auth, idempotency, pagination
from core.web.context import current_lang

STOREFRONT = "/storefront/v1"
ADMIN = "/admin/v1"
CALLBACKS = "/callbacks"
MIB = 1024 * 1024
BODY_LIMIT = MIB
UPLOAD_LIMIT = 20 * MIB


def provide_lang() -> Lang:
    return current_lang()


DEPENDENCIES: dict[str, Provide] = {
    name: Provide(provider, sync_to_thread=False)
    for name, provider in {
        "mall": auth.provide_mall,
        "lang": provide_lang,
        "member": auth.provide_member,
        "staff": auth.provide_staff,
        "token": auth.provide_token,
        "page": pagination.provide_page,
        "request_key": idempotency.provide_request_key,
    }.items()
}


# What our own dependencies hand out is not checked again: that would cost time, and msgspec cannot look into a Mall.
# Litestar reads these names before those of the handler's module, which may import them for type checkers only.
def _plain_int(text: str) -> int:
    """Read an id in an address as what it looks like: ``int`` also takes `` 1``, ``+1``, ``1_0`` and ``１``."""
    if not (text.isascii() and text.isdigit()) or (text.startswith("0") and text != "0"):
        raise ValueError("not a plain number")
    return int(text)


parsers_map[int] = _plain_int  # Litestar has no option for it; a ValueError is "no such address"

NAMESPACE: dict[str, Any] = {
    kind.__name__: Annotated[kind, Dependency(skip_validation=True)]
    for kind in (Mall, MemberSessionView, StaffSessionView, pagination.Page)
}


def storefront_routers(states: PluginStates, handlers: Iterable[HTTPRouteHandler]) -> list[Router]:
    """Mount the storefront; what is not public needs a member."""
    routers = [Router(STOREFRONT, route_handlers=[_closed(handler) for handler in handlers])]
    for plugin_id, mounted in states.routes("storefront"):
        guards: list[Any] = [auth.plugin_on(plugin_id, "storefront"), auth.need_member]
        routers.append(Router(f"{STOREFRONT}/x/{plugin_id}", route_handlers=mounted, guards=guards))
    return routers


def admin_routers(states: PluginStates, handlers: Iterable[HTTPRouteHandler]) -> list[Router]:
    """Mount the admin face. Raises ``PermissionMissing`` for a handler that does not say who may call it."""
    handlers = list(handlers)
    auth.check_admin_handlers(handlers)
    routers = [Router(ADMIN, route_handlers=handlers, guards=[auth.need_staff])]
    for plugin_id, mounted in states.routes("admin"):
        guards: list[Any] = [auth.plugin_on(plugin_id, "admin"), auth.need_staff]
        routers.append(Router(f"{ADMIN}/x/{plugin_id}", route_handlers=mounted, guards=guards))
    return routers


def callback_routers(states: PluginStates) -> list[Router]:
    """Mount what outside servers call: no session, the plugin verifies the signature itself."""
    return [
        Router(
            f"{CALLBACKS}/{plugin_id}",
            route_handlers=mounted,
            guards=[auth.plugin_on(plugin_id, "callback")],  # pyright: ignore[reportArgumentType]
            include_in_schema=False,
        )
        for plugin_id, mounted in states.routes("callback")
    ]


def _closed(handler: HTTPRouteHandler) -> HTTPRouteHandler:
    """Put the member's guard before a handler that is not public.

    Not before the whole router: a guard that lets pass costs a copy of the handler, and public reads are the fast ones.
    """
    if handler.opt.get("public"):
        return handler
    handler = copy(handler)
    guards: list[Any] = [auth.need_member, *cast("Sequence[Any]", handler.guards or ())]
    handler.guards = guards
    return handler
