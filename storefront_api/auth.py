"""Signing in and out, as shoppers do."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from litestar import Request, delete, get, post
from litestar.handlers import HTTPRouteHandler
from msgspec import Meta, Struct

from core.cache import RateLimited
from core.kernel import request as request_info
from core.kernel.contracts import ObjectMissing
from core.kernel.i18n import Lang
from core.kernel.mall import Mall
from core.members import phone_login, service, sessions
from core.members.errors import CredentialsMissing, LoginCodeNotSent, LoginCodeWrong, MemberBlocked, PhoneInvalid
from core.members.types import IdentityProvider, JoinSource, MemberSessionView
from core.web import Paged, problems

TAGS = ["auth"]


class AskCode(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to send a one-time code."""

    phone: Annotated[
        str,
        Meta(
            min_length=5,
            max_length=32,
            description="Mobile number; without a country code it is read as Chinese.",
            examples=["13800138000"],
        ),
    ]


class CodeSent(Struct, frozen=True, kw_only=True):
    """The same for every phone, known or not."""

    valid_for_s: int
    next_after_s: int


class SignIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What proves who you are, and where you come from."""

    provider: Annotated[
        str, Meta(max_length=32, description="A code of `GET /auth/providers`.", examples=["phone"])
    ] = "phone"
    credentials: Annotated[
        dict[str, Annotated[str, Meta(max_length=4000)]],
        Meta(
            max_length=20,
            description="What the provider asks for; `phone` wants `phone` and `code`.",
            examples=[{"phone": "13800138000", "code": "123456"}],
        ),
    ]
    source: JoinSource = JoinSource()


class SignedIn(Struct, frozen=True, kw_only=True):
    """``token`` is shown this once: send it as ``Authorization: Bearer <token>``."""

    token: str
    expires_at: datetime
    member_number: str
    joined: bool


class ProviderView(Struct, frozen=True, kw_only=True):
    code: str
    title: str


@get(
    "/auth/providers", operation_id="list_identity_providers", tags=TAGS, summary="Ways to sign in",
    description="The core's own and those of plugins that are on.", opt={"public": True},
)  # fmt: skip
async def list_identity_providers(mall: Mall, lang: Lang) -> Paged[ProviderView]:
    found = mall.objects.all(IdentityProvider)
    return Paged(items=[ProviderView(code=code, title=provider.title.pick(lang)) for code, _owner, provider in found])


@post(
    "/auth/codes", operation_id="send_login_code", tags=TAGS, summary="Send a one-time code to a phone",
    status_code=202,
    description="Six digits, valid for five minutes; a new code ends the one before. At most one a minute, five an "
    "hour and ten a day for a phone. The answer does not tell whether the phone is known.",
    opt={"public": True}, responses=problems(PhoneInvalid, RateLimited, LoginCodeNotSent),
)  # fmt: skip
async def send_login_code(mall: Mall, data: AskCode) -> CodeSent:
    await service.send_login_code(mall, data.phone, ip=request_info.current.get().ip)
    wait = phone_login.PER_PHONE[0][1]
    return CodeSent(valid_for_s=int(phone_login.LIFETIME.total_seconds()), next_after_s=int(wait.total_seconds()))


@post(
    "/auth/sessions", operation_id="sign_in", tags=TAGS, summary="Sign in",
    description="The first sign-in makes the member, and `source` is kept with them for ever; later ones ignore it, "
    "except for its channel. Five wrong codes end a code.",
    opt={"public": True},
    responses=problems(LoginCodeWrong, CredentialsMissing, PhoneInvalid, MemberBlocked, ObjectMissing, RateLimited),
)  # fmt: skip
async def sign_in(request: Request[Any, Any, Any], mall: Mall, data: SignIn) -> SignedIn:
    token, session, joined = await service.sign_in(
        mall,
        data.provider,
        credentials=data.credentials,
        source=data.source,
        client=request.headers.get("user-agent", ""),
    )
    expires_at = mall.clock.now() + sessions.LIFETIME
    return SignedIn(token=token, expires_at=expires_at, member_number=session.member_number, joined=joined)


@delete(
    "/auth/session",
    operation_id="sign_out",
    tags=TAGS,
    summary="Sign out",
    description="Ends the session of this token.",
)
async def sign_out(mall: Mall, member: MemberSessionView) -> None:
    await service.sign_out(mall, member)


handlers: list[HTTPRouteHandler] = [list_identity_providers, send_login_code, sign_in, sign_out]
