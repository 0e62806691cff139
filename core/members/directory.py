"""Members as staff see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from core import db
from core.events import audit
from core.members.errors import MemberNotFound, PhoneInvalid
from core.members.phones import normal_phone
from core.members.types import MemberView

if TYPE_CHECKING:
    from core.kernel.mall import Mall
    from core.kernel.origin import Actor

# Staff of some stores see the members who joined there.
_IN_SCOPE = "($1::bigint[] IS NULL OR source_store_id = ANY($1))"
_LIST = f"""
SELECT * FROM member
 WHERE {_IN_SCOPE} AND ($2::bigint IS NULL OR id < $2)
   AND ($3 = '' OR number = $3 OR phone = $4 OR lower(nickname) LIKE lower($5))
   AND ($6::text IS NULL OR state = $6) AND ($7::bigint IS NULL OR source_store_id = $7)
 ORDER BY id DESC LIMIT $8
"""  # noqa: S608 - constants


class Extras(msgspec.Struct, frozen=True):
    """What plugins add to members: ``by_member[id][plugin]``; ``failed`` names plugins that gave no answer."""

    by_member: dict[int, dict[str, object]]
    failed: tuple[str, ...]


async def list_members(
    mall: Mall,
    *,
    scope: tuple[int, ...] | None = None,
    q: str = "",
    state: str | None = None,
    store_id: int | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[MemberView]:
    """List members, newest first. ``q``: a whole member number or phone number, or how a nickname begins."""
    q = q.strip()
    try:
        phone = normal_phone(q)
    except PhoneInvalid:
        phone = None
    starts = q.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
    return await db.fetch(MemberView, _LIST, scope, before_id, q, phone, starts, state, store_id, limit)


async def get_in_scope(mall: Mall, member_id: int, *, scope: tuple[int, ...] | None = None) -> MemberView:
    """Return one member; ``MemberNotFound`` also outside of ``scope`` (``None``: all stores)."""
    found = await db.fetch_one(
        MemberView,
        f"SELECT * FROM member WHERE {_IN_SCOPE} AND id = $2",  # noqa: S608
        scope, member_id,
    )  # fmt: skip
    if found is None:
        raise MemberNotFound
    return found


async def set_state(
    mall: Mall,
    member_id: int,
    *,
    state: Literal["active", "blocked"],
    reason: str,
    actor: Actor,
    scope: tuple[int, ...] | None = None,
) -> MemberView:
    """Block a member (all sessions end at once) or let them in again; what is so already stays as it is.

    Raises ``MemberNotFound``, also outside of ``scope``.
    """
    async with db.transaction():
        changed = await db.fetch_one(
            MemberView,
            f"UPDATE member SET state = $3 WHERE {_IN_SCOPE} AND id = $2 AND state <> $3 RETURNING *",  # noqa: S608
            scope, member_id, state,
        )  # fmt: skip
        if changed is None:
            return await get_in_scope(mall, member_id, scope=scope)
        if state == "blocked":
            await db.execute(
                "UPDATE member_session SET revoked_at = $2 WHERE member_id = $1 AND revoked_at IS NULL",
                member_id, mall.clock.now(),
            )  # fmt: skip
        action, was = ("member.block", "active") if state == "blocked" else ("member.unblock", "blocked")
        audit.record(
            mall, actor, action, subject_kind="member", subject_id=member_id, store_id=changed.source_store_id,
            before={"state": was}, after={"state": state, "reason": reason},
        )  # fmt: skip
    return changed


async def extras(mall: Mall, ids: Sequence[int]) -> Extras:
    """Ask the plugins, once for the whole page, what they add to these members."""
    if not ids or not mall.hooks.has("extend_members"):
        return Extras({}, ())
    answers = await mall.hooks.lenient("extend_members", mall=mall, ids=tuple(ids))
    by_member: dict[int, dict[str, object]] = {}
    for plugin, given in answers.given:
        for member_id, extra in given.items():
            by_member.setdefault(member_id, {})[plugin] = extra
    return Extras(by_member, answers.failed)
