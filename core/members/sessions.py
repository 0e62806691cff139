"""Members' sign-in, joining, and sessions: opaque tokens, SHA-256 at rest, thirty days."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from core import db
from core.events import emit
from core.kernel import ids
from core.kernel.origin import Origin
from core.members.errors import MemberBlocked, MemberSessionInvalid, MemberSessionNotFound
from core.members.events import MemberJoined
from core.members.types import IdentityProvider, JoinSource, MemberSessionInfo, MemberSessionView, MemberView, Proof

if TYPE_CHECKING:
    from core.kernel.mall import Mall

LIFETIME = timedelta(days=30)
_SESSION = """
SELECT s.id AS session_id, s.member_id, m.number AS member_number, s.channel, m.state
  FROM member_session s JOIN member m ON m.id = s.member_id
 WHERE s.token_hash = $1 AND s.revoked_at IS NULL AND s.expires_at > $2
"""
_KNOWN = """
SELECT m.* FROM member_identity i JOIN member m ON m.id = i.member_id WHERE i.provider = $1 AND i.subject = $2
"""
# The identity is claimed first; only who gets it makes a member. One statement: its foreign key holds at the end of it.
_JOIN = """
WITH claimed AS (
    INSERT INTO member_identity (member_id, provider, subject, created_at)
    VALUES (nextval(pg_get_serial_sequence('member', 'id')), $1, $2, $3)
    ON CONFLICT (provider, subject) DO NOTHING RETURNING member_id
)
INSERT INTO member (id, number, nickname, avatar_url, phone, state, source_channel, source_store_id, source_staff_id,
                    source_code, created_at)
SELECT member_id, $4, $5, $6, $7, 'active', $8, (SELECT s.id FROM store s WHERE s.id = $9),
       (SELECT p.id FROM staff p WHERE p.id = $10), $11, $3
  FROM claimed RETURNING *
"""


async def sign_in(
    mall: Mall, provider_code: str, *, credentials: dict[str, str], source: JoinSource, client: str = ""
) -> tuple[str, MemberSessionView, bool]:
    """Open a session: returns its token, which is shown once, the session, and whether the member joined by this.

    Raises ``ObjectMissing`` for an unknown provider, what the provider refuses with, and ``MemberBlocked``.
    """
    provider = mall.objects.get(IdentityProvider, provider_code)
    proof = await provider.prove(mall, credentials=credentials)
    token, now = ids.new_token(), mall.clock.now()
    async with db.transaction():
        member = await db.fetch_one(MemberView, _KNOWN, provider_code, proof.subject)
        joined = False
        if member is None:
            member = await _join(mall, provider_code, proof, source)
            joined = member is not None
        if member is None:  # another sign-in with the same identity was faster
            member = await db.fetch_one(MemberView, _KNOWN, provider_code, proof.subject)
        assert member is not None
        if member.state != "active":
            raise MemberBlocked
        session_id = await db.value(
            "INSERT INTO member_session (member_id, token_hash, channel, created_at, expires_at, client)"
            " VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
            member.id, ids.token_hash(token), source.channel, now, now + LIFETIME, client[:200],
        )  # fmt: skip
    view = MemberSessionView(
        session_id=session_id, member_id=member.id, member_number=member.number, channel=source.channel
    )
    return token, view, joined


async def _join(mall: Mall, provider_code: str, proof: Proof, source: JoinSource) -> MemberView | None:
    """Make a member of the identity, or return ``None`` if it has one by now. Must run in a transaction."""
    db.assert_transaction()
    now = mall.clock.now()
    member = await db.fetch_one(
        MemberView, _JOIN, provider_code, proof.subject, now, ids.new_number("U", now, mall.settings.mall_zone),
        proof.nickname[:64], proof.avatar_url[:500], proof.phone, source.channel, source.store_id, source.staff_id,
        source.code,
    )  # fmt: skip
    if member is not None:
        await mall.hooks.strict("member_joining", mall=mall, member=member)
        origin = Origin(channel=member.source_channel, store_id=member.source_store_id, staff_id=member.source_staff_id)
        emit(mall, MemberJoined(member_id=member.id, origin=origin))
    return member


async def session(mall: Mall, token: str) -> MemberSessionView:
    """Return who holds ``token``, in one statement; raises ``MemberSessionInvalid``, ``MemberBlocked``."""
    found = await db.row(_SESSION, ids.token_hash(token), mall.clock.now())
    if found is None:
        raise MemberSessionInvalid
    if found["state"] != "active":
        raise MemberBlocked
    return MemberSessionView(
        session_id=found["session_id"],
        member_id=found["member_id"],
        member_number=found["member_number"],
        channel=found["channel"],
    )


async def list_sessions(mall: Mall, member_id: int) -> list[MemberSessionInfo]:
    """List the member's live sessions, newest first, at most 100."""
    return await db.fetch(
        MemberSessionInfo,
        "SELECT id, channel, client, created_at, expires_at FROM member_session"
        " WHERE member_id = $1 AND revoked_at IS NULL AND expires_at > $2 ORDER BY id DESC LIMIT 100",
        member_id, mall.clock.now(),
    )  # fmt: skip


async def sign_out(mall: Mall, session: MemberSessionView) -> None:
    """End this session; twice is harmless."""
    await db.execute(
        "UPDATE member_session SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL",
        session.session_id,
        mall.clock.now(),
    )


async def revoke_session(mall: Mall, session: MemberSessionView, *, session_id: int) -> None:
    """End one of the caller's sessions; raises ``MemberSessionNotFound``, also for another member's."""
    ended = await db.execute(
        "UPDATE member_session SET revoked_at = $3 WHERE id = $1 AND member_id = $2 AND revoked_at IS NULL",
        session_id, session.member_id, mall.clock.now(),
    )  # fmt: skip
    if not ended:
        raise MemberSessionNotFound


async def revoke_other_sessions(mall: Mall, session: MemberSessionView) -> int:
    """End all sessions of the caller but this one; returns how many."""
    return await db.execute(
        "UPDATE member_session SET revoked_at = $3 WHERE member_id = $1 AND id <> $2 AND revoked_at IS NULL",
        session.member_id, session.session_id, mall.clock.now(),
    )  # fmt: skip
