"""Signing in and out, as staff do."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from litestar import Request, delete, get, post
from litestar.handlers import HTTPRouteHandler
from msgspec import Meta, Struct

from core.cache import RateLimited
from core.kernel import request as request_info
from core.kernel.mall import Mall
from core.staff import service, sessions
from core.staff.errors import PasswordTooWeak, PasswordWrong, StaffSignInFailed
from core.staff.types import StaffSessionView
from core.web import problems

TAGS = ["auth"]
Password = Annotated[str, Meta(max_length=200, examples=["a long pass phrase"])]


class StaffSignIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    login: Annotated[str, Meta(max_length=64, examples=["owner"])]
    password: Password


class Self(Struct, frozen=True, kw_only=True):
    """Who is signed in, and what they may do. ``permissions`` with ``*`` means everything."""

    id: int
    login: str
    name: str
    permissions: tuple[str, ...]
    all_stores: bool
    store_ids: tuple[int, ...]


class StaffSignedIn(Struct, frozen=True, kw_only=True):
    """``token`` is shown this once: send it as ``Authorization: Bearer <token>``."""

    token: str
    expires_at: datetime
    staff: Self


class ChangePassword(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    present: Password
    new: Annotated[str, Meta(max_length=200, description="At least 10 characters.", examples=["a longer pass phrase"])]


def _self(session: StaffSessionView) -> Self:
    return Self(
        id=session.staff_id, login=session.login, name=session.name, permissions=tuple(sorted(session.permissions)),
        all_stores=session.all_stores, store_ids=tuple(sorted(session.store_ids)),
    )  # fmt: skip


@post(
    "/auth/sessions", operation_id="sign_in", tags=TAGS, summary="Sign in",
    description="A session lasts twelve hours. A wrong password, an unknown login and a disabled person look the same.",
    opt={"public": True}, responses=problems(StaffSignInFailed, RateLimited),
)  # fmt: skip
async def sign_in(request: Request[Any, Any, Any], mall: Mall, data: StaffSignIn) -> StaffSignedIn:
    token, session = await service.sign_in(
        mall,
        data.login,
        data.password,
        ip=request_info.current.get().ip,
        client=request.headers.get("user-agent", ""),
    )
    return StaffSignedIn(token=token, expires_at=mall.clock.now() + sessions.LIFETIME, staff=_self(session))


@delete("/auth/session", operation_id="sign_out", tags=TAGS, summary="Sign out", opt={"signed_in": True})
async def sign_out(mall: Mall, staff: StaffSessionView) -> None:
    await service.sign_out(mall, staff)


@get("/me", operation_id="get_me", tags=TAGS, summary="Who I am and what I may do", opt={"signed_in": True})
async def get_me(staff: StaffSessionView) -> Self:
    return _self(staff)


@post(
    "/me/password", operation_id="change_password", tags=TAGS, summary="Change my password", status_code=204,
    description="Ends all my other sessions.", opt={"signed_in": True},
    responses=problems(PasswordWrong, PasswordTooWeak, RateLimited),
)  # fmt: skip
async def change_password(mall: Mall, staff: StaffSessionView, data: ChangePassword) -> None:
    await service.change_password(mall, staff, present=data.present, new=data.new)


handlers: list[HTTPRouteHandler] = [sign_in, sign_out, get_me, change_password]
