"""Staff sign-in and sessions: opaque tokens, SHA-256 at rest, twelve hours."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from core import db
from core.cache import rate_limit
from core.cache.limits import forget
from core.events import audit
from core.kernel import ids, request
from core.kernel.origin import Actor
from core.staff import passwords
from core.staff.errors import PasswordWrong, StaffSessionInvalid, StaffSignInFailed
from core.staff.types import StaffSessionView

if TYPE_CHECKING:
    from core.kernel.mall import Mall

log = structlog.get_logger("mall.staff")
LIFETIME = timedelta(hours=12)
_WINDOW_S = 600
_TRIES_PER_LOGIN = 10
_TRIES_PER_IP = 60  # the tills of a store share one address

# Rights are read with every request: a role taken away counts at once. One statement.
_SESSION = """
SELECT s.id AS session_id, p.id AS staff_id, p.login, p.name, p.all_stores,
       ARRAY(SELECT DISTINCT unnest(r.permissions)
               FROM staff_role_member m JOIN staff_role r ON r.id = m.role_id WHERE m.staff_id = p.id) AS permissions,
       ARRAY(SELECT w.store_id FROM staff_store w WHERE w.staff_id = p.id) AS store_ids
  FROM staff_session s JOIN staff p ON p.id = s.staff_id
 WHERE s.token_hash = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 AND p.state = 'active'
"""

# The row lock of the UPDATE orders a sign-in against a change of password or state: the second one sees the first.
_OPEN = """
WITH person AS (
    UPDATE staff SET signed_in_at = $3 WHERE id = $1 AND password_hash = $2 AND state = 'active' RETURNING id
)
INSERT INTO staff_session (staff_id, token_hash, created_at, expires_at, ip, client)
SELECT id, $4, $3, $5, $6, $7 FROM person RETURNING id
"""


async def sign_in(
    mall: Mall, login: str, password: str, *, ip: str = "", client: str = ""
) -> tuple[str, StaffSessionView]:
    """Open a session and return its token, which is shown once, and the session.

    Raises ``StaffSignInFailed`` (the same for every reason), ``RateLimited`` after too many tries of a login or from an
    address.
    """
    db.assert_no_transaction()
    login = login.strip().lower()[:64]
    if ip:
        await rate_limit(mall, f"staff.sign_in:ip:{ip}", limit=_TRIES_PER_IP, per_s=_WINDOW_S)
    await rate_limit(mall, f"staff.sign_in:login:{login}", limit=_TRIES_PER_LOGIN, per_s=_WINDOW_S)
    person = await db.row("SELECT id, name, password_hash FROM staff WHERE login = $1 AND state = 'active'", login)
    if not await passwords.matches(person["password_hash"] if person else None, password) or person is None:
        log.info("staff sign-in failed", login=login, ip=ip)
        raise StaffSignInFailed
    token, now = ids.new_token(), mall.clock.now()
    async with db.transaction():
        opened = await db.value(
            _OPEN,
            person["id"],
            person["password_hash"],
            now,
            ids.token_hash(token),
            now + LIFETIME,
            ip[:64],
            client[:200],
        )
        if opened is None:
            raise StaffSignInFailed
        actor = Actor(kind="staff", id=person["id"], name=person["name"])
        audit.record(mall, actor, "staff.sign_in", subject_kind="staff", subject_id=person["id"])
        view = await db.fetch_one(StaffSessionView, _SESSION, ids.token_hash(token), now)
    await forget(mall, f"staff.sign_in:login:{login}")
    assert view is not None
    return token, view


async def session(mall: Mall, token: str) -> StaffSessionView:
    """Return who holds ``token``, with their rights as of now, in one statement; raises ``StaffSessionInvalid``."""
    view = await db.fetch_one(StaffSessionView, _SESSION, ids.token_hash(token), mall.clock.now())
    if view is None:
        raise StaffSessionInvalid
    return view


async def sign_out(mall: Mall, session: StaffSessionView) -> None:
    """End this session; twice is harmless."""
    async with db.transaction():
        ended = await db.execute(
            "UPDATE staff_session SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL",
            session.session_id,
            mall.clock.now(),
        )
        if ended:
            audit.record(mall, session.actor, "staff.sign_out", subject_kind="staff", subject_id=session.staff_id)


async def change_password(mall: Mall, session: StaffSessionView, *, present: str, new: str) -> None:
    """Set a new password for oneself; all other sessions end.

    Raises ``PasswordWrong``, ``PasswordTooWeak``, ``RateLimited``.
    """
    db.assert_no_transaction()
    await rate_limit(mall, f"staff.sign_in:login:{session.login}", limit=_TRIES_PER_LOGIN, per_s=_WINDOW_S)
    old_hash = await db.value("SELECT password_hash FROM staff WHERE id = $1", session.staff_id)
    if not await passwords.matches(old_hash, present):
        log.info("staff password change refused", login=session.login, ip=request.current.get().ip)
        raise PasswordWrong
    new_hash = await passwords.hash_password(new, login=session.login)
    async with db.transaction():
        changed = await db.execute(
            "UPDATE staff SET password_hash = $3 WHERE id = $1 AND password_hash = $2",
            session.staff_id,
            old_hash,
            new_hash,
        )
        if not changed:
            raise PasswordWrong
        await end_sessions(mall, session.staff_id, but=session.session_id)
        audit.record(mall, session.actor, "staff.change_password", subject_kind="staff", subject_id=session.staff_id)


async def end_sessions(mall: Mall, staff_id: int, *, but: int | None = None) -> None:
    """End the sessions of a person, except ``but``. Must run in a transaction, after the write of the staff row."""
    db.assert_transaction()
    await db.execute(
        "UPDATE staff_session SET revoked_at = $2"
        " WHERE staff_id = $1 AND revoked_at IS NULL AND id IS DISTINCT FROM $3",
        staff_id, mall.clock.now(), but,
    )  # fmt: skip
