"""Members as staff see them: whoever works for some stores sees the members who joined there."""

from __future__ import annotations

from typing import Annotated, Literal

from litestar import get, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter
from msgspec import Meta, Struct

from core.kernel.mall import Mall
from core.members import service
from core.members.errors import MemberNotFound
from core.members.types import MemberView
from core.staff.types import StaffSessionView
from core.web import Page, Paged, paged, problems

TAGS = ["members"]


class MemberRow(Struct, frozen=True, kw_only=True):
    """A member, what plugins add (by plugin), and the plugins that gave no answer this time."""

    member: MemberView
    extra: dict[str, object]
    extra_missing: tuple[str, ...] = ()


class NewState(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let someone in or not, and why; the reason goes into the audit trail."""

    to: Literal["active", "blocked"]
    reason: Annotated[str, Meta(min_length=2, max_length=200, examples=["恶意下单"])]


async def _rows(mall: Mall, members: list[MemberView]) -> list[MemberRow]:
    extras = await service.extras(mall, [m.id for m in members])
    return [MemberRow(member=m, extra=extras.by_member.get(m.id, {}), extra_missing=extras.failed) for m in members]


@get(
    "/members",
    operation_id="list_members",
    tags=TAGS,
    summary="Members, newest first",
    opt={"permission": "members.read"},
)
async def list_members(
    mall: Mall,
    staff: StaffSessionView,
    page: Page,
    q: Annotated[
        str, Parameter(max_length=64, description="A whole member or phone number, or how a nickname begins.")
    ] = "",
    member_state: Annotated[Literal["active", "blocked"] | None, Parameter(query="state")] = None,
    store_id: Annotated[int | None, Parameter(ge=1, le=2**63 - 1, description="Where they joined.")] = None,
) -> Paged[MemberRow]:
    after = page.after(tuple[int])
    found = await service.list_members(
        mall, scope=staff.scope(), q=q, state=member_state, store_id=store_id, before_id=after[0] if after else None,
        limit=page.limit + 1,
    )  # fmt: skip
    cut = paged(found, page.limit, lambda member: (member.id,))
    return Paged(items=await _rows(mall, list(cut.items)), next_cursor=cut.next_cursor)


@get(
    "/members/{member_id:int}", operation_id="get_member", tags=TAGS, summary="One member",
    opt={"permission": "members.read"}, responses=problems(MemberNotFound),
)  # fmt: skip
async def get_member(mall: Mall, staff: StaffSessionView, member_id: int) -> MemberRow:
    found = await service.get_in_scope(mall, member_id, scope=staff.scope())
    return (await _rows(mall, [found]))[0]


@put(
    "/members/{member_id:int}/state", operation_id="set_member_state", tags=TAGS, summary="Block or unblock a member",
    description="Blocking ends all their sessions at once.", opt={"permission": "members.write"},
    responses=problems(MemberNotFound),
)  # fmt: skip
async def set_member_state(mall: Mall, staff: StaffSessionView, member_id: int, data: NewState) -> MemberRow:
    found = await service.set_state(
        mall, member_id, state=data.to, reason=data.reason, actor=staff.actor, scope=staff.scope()
    )
    return (await _rows(mall, [found]))[0]


handlers: list[HTTPRouteHandler] = [list_members, get_member, set_member_state]
