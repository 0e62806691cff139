"""Who is calling. Closed by default: a handler is open only where it says so.

Storefront handlers need a member unless they carry ``opt={"public": True}``. Admin handlers carry
``opt={"permission": "orders.read"}``, or ``{"signed_in": True}`` for what concerns only the caller (me, sign out), or
``{"public": True}`` for sign-in; one that carries nothing fails the start. ``{"all_stores": True}`` beside a permission
is for what concerns the whole mall: staff of single stores cannot do it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

from core.web.errors import AllStoresNeeded, AuthRequired, Forbidden, OutOfScope, PluginDisabled

if TYPE_CHECKING:
    from litestar import Request
    from litestar.connection import ASGIConnection
    from litestar.datastructures import State

    from core.kernel.mall import Mall
    from core.members.types import MemberSessionView
    from core.plugin_host.states import Face, PluginStates
    from core.staff.types import StaffSessionView

Guard = Callable[[Any, BaseRouteHandler], Awaitable[None]]
_MEMBER = "mall_member"
_STAFF = "mall_staff"
_TOKEN = "mall_token"  # noqa: S105 - the name of a place in the scope
MAX_TOKEN = 200


class PermissionMissing(Exception):
    """An admin handler does not say who may call it: the mall does not start."""


def bearer_token(connection: ASGIConnection[Any, Any, Any, State]) -> str:
    """Return the bearer token of a call (RFC 6750, 2.1). Raises ``AuthRequired``."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN:
        raise AuthRequired
    return token


async def need_member(connection: ASGIConnection[Any, Any, Any, State], handler: BaseRouteHandler) -> None:
    """Guard of the storefront: one SQL statement finds the session. Raises ``AuthRequired`` or its error."""
    if handler.opt.get("public"):
        return
    from core.members import service  # noqa: PLC0415 - imported with the first call that needs it

    token = bearer_token(connection)
    scope: Any = connection.scope
    scope[_TOKEN] = token
    scope[_MEMBER] = await service.session(connection.app.state.mall, token)


async def need_staff(connection: ASGIConnection[Any, Any, Any, State], handler: BaseRouteHandler) -> None:
    """Guard of the admin face. Raises ``AuthRequired``, the session's error, or ``Forbidden``."""
    if handler.opt.get("public"):
        return
    from core.staff import service  # noqa: PLC0415 - imported with the first call that needs it

    token = bearer_token(connection)
    staff = await service.session(connection.app.state.mall, token)
    permission = handler.opt.get("permission")
    if not (handler.opt.get("signed_in") or (permission and staff.may(permission))):
        raise Forbidden(permission=permission or "-")
    if handler.opt.get("all_stores") and not staff.all_stores:
        raise AllStoresNeeded
    scope: Any = connection.scope
    scope[_TOKEN] = token
    scope[_STAFF] = staff


def plugin_on(plugin_id: str, face: Face) -> Guard:
    """Make the guard of a plugin's routes: 404 ``plugin.disabled`` while they are closed.

    The admin and callback routes of a draining plugin stay open: they finish old work.
    """

    async def guard(connection: ASGIConnection[Any, Any, Any, State], _handler: BaseRouteHandler) -> None:
        states: PluginStates = connection.app.state.mall.plugins
        if not (states.is_enabled(plugin_id) if face == "storefront" else states.works(plugin_id)):
            raise PluginDisabled(plugin=plugin_id)

    return guard


def provide_mall(request: Request[Any, Any, State]) -> Mall:
    return request.app.state.mall


def provide_member(request: Request[Any, Any, State]) -> MemberSessionView:
    return _scope(request).get(_MEMBER) or _refuse()


def provide_staff(request: Request[Any, Any, State]) -> StaffSessionView:
    return _scope(request).get(_STAFF) or _refuse()


def provide_token(request: Request[Any, Any, State]) -> str:
    """The bearer token as it came, for signing out."""
    return _scope(request).get(_TOKEN) or bearer_token(request)


def _scope(request: Request[Any, Any, State]) -> dict[str, Any]:
    """What the guards left there; Litestar's type of a scope knows only ASGI's own keys."""
    scope: Any = request.scope
    return scope


def _refuse() -> Any:
    """A public handler that asks for a caller it did not check."""
    raise AuthRequired


def need_scope(staff: StaffSessionView, store_id: int) -> None:
    """Refuse with ``OutOfScope`` unless ``staff`` may act in this store."""
    if not staff.in_scope(store_id):
        raise OutOfScope(store_id=store_id)


def check_admin_handlers(handlers: Iterable[HTTPRouteHandler]) -> None:
    """Raise ``PermissionMissing`` if one of them does not say who may call it."""
    for handler in handlers:
        if not any(handler.opt.get(key) for key in ("permission", "signed_in", "public")):
            raise PermissionMissing(f"{handler} names no permission: opt={{'permission': '<domain>.<verb>'}}")
