"""What members say about themselves, and what they agreed to."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from msgspec import UNSET

from core import db
from core.members.errors import BirthdayInvalid, MemberNotFound
from core.members.types import ConsentView, MemberView, ProfileChange

if TYPE_CHECKING:
    from core.kernel.mall import Mall

_EARLIEST = date(1900, 1, 1)
_FIELDS = ("nickname", "avatar_url", "gender", "born_on")
# CASE keeps what the change does not name, so two changes at once of different fields do not undo each other.
_UPDATE = """
UPDATE member SET nickname = CASE WHEN $2 THEN $3 ELSE nickname END,
                  avatar_url = CASE WHEN $4 THEN $5 ELSE avatar_url END,
                  gender = CASE WHEN $6 THEN $7 ELSE gender END,
                  born_on = CASE WHEN $8 THEN $9::date ELSE born_on END
 WHERE id = $1 RETURNING *
"""


async def get_member(mall: Mall, member_id: int) -> MemberView:
    """Return one member; raises ``MemberNotFound``."""
    found = await db.fetch_one(MemberView, "SELECT * FROM member WHERE id = $1", member_id)
    if found is None:
        raise MemberNotFound
    return found


async def update_profile(mall: Mall, member_id: int, *, change: ProfileChange) -> MemberView:
    """Change what ``change`` sets; raises ``BirthdayInvalid``, ``MemberNotFound``."""
    if isinstance(change.born_on, date):
        today = mall.clock.now().astimezone(ZoneInfo(mall.settings.mall_zone)).date()
        if not _EARLIEST <= change.born_on <= today:
            raise BirthdayInvalid
    values: list[object] = []
    for name in _FIELDS:
        given = getattr(change, name)
        values += [given is not UNSET, None if given is UNSET else given]
    found = await db.fetch_one(MemberView, _UPDATE, member_id, *values)
    if found is None:
        raise MemberNotFound
    return found


async def give_consent(mall: Mall, member_id: int, *, kind: str, version: str, granted: bool) -> ConsentView:
    """Add the member's answer; earlier answers stay. Only the mall's clock dates it."""
    found = await db.fetch_one(
        ConsentView,
        "INSERT INTO member_consent (member_id, kind, version, granted, at) VALUES ($1, $2, $3, $4, $5)"
        " RETURNING kind, version, granted, at",
        member_id, kind, version, granted, mall.clock.now(),
    )  # fmt: skip
    assert found is not None
    return found


async def list_consents(mall: Mall, member_id: int) -> list[ConsentView]:
    """Return the present answer of each kind."""
    return await db.fetch(
        ConsentView,
        "SELECT DISTINCT ON (kind) kind, version, granted, at FROM member_consent WHERE member_id = $1"
        " ORDER BY kind, id DESC",
        member_id,
    )


async def identities(mall: Mall, member_id: int) -> dict[str, str]:
    """Return what the providers know the member by: ``{provider: subject}``, the newest of each."""
    found = await db.rows("SELECT provider, subject FROM member_identity WHERE member_id = $1 ORDER BY id", member_id)
    return {r["provider"]: r["subject"] for r in found}
