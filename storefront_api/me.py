"""The signed-in shopper: profile, addresses, consents, sessions."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from litestar import delete, get, patch, post, put
from litestar.handlers import HTTPRouteHandler
from msgspec import Meta, Struct

from core.kernel.mall import Mall
from core.members import service
from core.members.errors import AddressNotFound, BirthdayInvalid, MemberSessionNotFound, PhoneInvalid, TooManyAddresses
from core.members.types import (
    AddressInput,
    AddressView,
    ConsentView,
    MemberSessionInfo,
    MemberSessionView,
    MemberView,
    ProfileChange,
)
from core.web import Paged, problems

TAGS = ["me"]


class Me(Struct, frozen=True, kw_only=True):
    """The member as they see themselves."""

    number: str
    nickname: str
    avatar_url: str
    phone: str | None
    gender: str
    born_on: date | None
    joined_at: datetime


class Consent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer to one question in one version of its text."""

    kind: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}$", examples=["privacy"])]
    version: Annotated[str, Meta(min_length=1, max_length=32, examples=["2026-11"])]
    granted: bool


class MySession(Struct, frozen=True, kw_only=True):
    id: int
    channel: str
    client: str
    created_at: datetime
    expires_at: datetime
    current: bool


def _me(member: MemberView) -> Me:
    return Me(
        number=member.number, nickname=member.nickname, avatar_url=member.avatar_url, phone=member.phone,
        gender=member.gender, born_on=member.born_on, joined_at=member.created_at,
    )  # fmt: skip


def _session(found: MemberSessionInfo, current_id: int) -> MySession:
    return MySession(
        id=found.id, channel=found.channel, client=found.client, created_at=found.created_at,
        expires_at=found.expires_at, current=found.id == current_id,
    )  # fmt: skip


@get("/me", operation_id="get_me", tags=TAGS, summary="My profile")
async def get_me(mall: Mall, member: MemberSessionView) -> Me:
    return _me(await service.get_member(mall, member.member_id))


@patch(
    "/me", operation_id="update_me", tags=TAGS, summary="Change my profile",
    description="Fields that are absent stay as they are.", responses=problems(BirthdayInvalid),
)  # fmt: skip
async def update_me(mall: Mall, member: MemberSessionView, data: ProfileChange) -> Me:
    return _me(await service.update_profile(mall, member.member_id, change=data))


@get("/me/addresses", operation_id="list_addresses", tags=TAGS, summary="My addresses, the default one first")
async def list_addresses(mall: Mall, member: MemberSessionView) -> Paged[AddressView]:
    return Paged(items=await service.list_addresses(mall, member.member_id))


@post(
    "/me/addresses", operation_id="add_address", tags=TAGS, summary="Add an address",
    description="At most 20 are kept. One marked as default takes that over from the one before.",
    responses=problems(TooManyAddresses, PhoneInvalid),
)  # fmt: skip
async def add_address(mall: Mall, member: MemberSessionView, data: AddressInput) -> AddressView:
    return await service.add_address(mall, member.member_id, address=data)


@get(
    "/me/addresses/{address_id:int}", operation_id="get_address", tags=TAGS, summary="One of my addresses",
    responses=problems(AddressNotFound),
)  # fmt: skip
async def get_address(mall: Mall, member: MemberSessionView, address_id: int) -> AddressView:
    return await service.get_address(mall, member.member_id, address_id=address_id)


@put(
    "/me/addresses/{address_id:int}", operation_id="change_address", tags=TAGS, summary="Write an address anew",
    responses=problems(AddressNotFound, PhoneInvalid),
)  # fmt: skip
async def change_address(mall: Mall, member: MemberSessionView, address_id: int, data: AddressInput) -> AddressView:
    return await service.change_address(mall, member.member_id, address_id=address_id, address=data)


@delete(
    "/me/addresses/{address_id:int}", operation_id="remove_address", tags=TAGS, summary="Forget an address",
    description="Orders keep their own copy.", responses=problems(AddressNotFound),
)  # fmt: skip
async def remove_address(mall: Mall, member: MemberSessionView, address_id: int) -> None:
    await service.remove_address(mall, member.member_id, address_id=address_id)


@get("/me/consents", operation_id="list_consents", tags=TAGS, summary="My present answers, one of each kind")
async def list_consents(mall: Mall, member: MemberSessionView) -> Paged[ConsentView]:
    return Paged(items=await service.list_consents(mall, member.member_id))


@post(
    "/me/consents", operation_id="give_consent", tags=TAGS, summary="Agree or disagree",
    description="Adds an answer; earlier ones are kept as they were.",
)  # fmt: skip
async def give_consent(mall: Mall, member: MemberSessionView, data: Consent) -> ConsentView:
    return await service.give_consent(
        mall, member.member_id, kind=data.kind, version=data.version, granted=data.granted
    )


@get("/me/sessions", operation_id="list_sessions", tags=TAGS, summary="Where I am signed in, newest first")
async def list_sessions(mall: Mall, member: MemberSessionView) -> Paged[MySession]:
    found = await service.list_sessions(mall, member.member_id)
    return Paged(items=[_session(one, member.session_id) for one in found])


@delete("/me/sessions", operation_id="revoke_other_sessions", tags=TAGS, summary="Sign out everywhere else")
async def revoke_other_sessions(mall: Mall, member: MemberSessionView) -> None:
    await service.revoke_other_sessions(mall, member)


@delete(
    "/me/sessions/{session_id:int}", operation_id="revoke_session", tags=TAGS, summary="End one of my sessions",
    responses=problems(MemberSessionNotFound),
)  # fmt: skip
async def revoke_session(mall: Mall, member: MemberSessionView, session_id: int) -> None:
    await service.revoke_session(mall, member, session_id=session_id)


handlers: list[HTTPRouteHandler] = [
    get_me, update_me, list_addresses, add_address, get_address, change_address, remove_address, list_consents,
    give_consent, list_sessions, revoke_other_sessions, revoke_session,
]  # fmt: skip
