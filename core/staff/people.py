"""Staff: creating, changing, disabling. Nobody is deleted: orders and the audit trail name them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import UNSET, structs

from core import db
from core.events import audit
from core.kernel.origin import SYSTEM, Actor
from core.staff import passwords, rights
from core.staff.errors import LoginInvalid, LoginTaken, RoleNotFound, StaffNotFound, StaffStoreNotFound
from core.staff.sessions import end_sessions
from core.staff.types import ALL, StaffChange, StaffView

if TYPE_CHECKING:
    from core.kernel.mall import Mall

OWNER_ROLE = "owner"
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{2,63}")
_STAFF = """
SELECT p.id, p.login, p.name, p.phone, p.state, p.all_stores, p.created_at, p.signed_in_at,
       ARRAY(SELECT w.store_id FROM staff_store w WHERE w.staff_id = p.id ORDER BY w.store_id) AS store_ids,
       ARRAY(SELECT r.code FROM staff_role_member m JOIN staff_role r ON r.id = m.role_id
              WHERE m.staff_id = p.id ORDER BY r.code) AS roles
  FROM staff p
"""
# Whoever works for some stores only sees the colleagues of those stores.
_IN_SCOPE = (
    "($1::bigint[] IS NULL OR EXISTS (SELECT 1 FROM staff_store w WHERE w.staff_id = p.id AND w.store_id = ANY($1)))"
)


async def create_staff(
    mall: Mall,
    login: str,
    *,
    name: str,
    password: str,
    roles: Sequence[str] = (),
    all_stores: bool = False,
    store_ids: Sequence[int] = (),
    phone: str | None = None,
    actor: Actor = SYSTEM,
) -> StaffView:
    """Create a person with roles (by code) and stores.

    Raises ``LoginInvalid``, ``PasswordTooWeak``, ``LoginTaken``, ``RoleNotFound``, ``StaffStoreNotFound``, and
    ``NotYoursToGrant`` when ``actor`` lacks something that this person would get.
    """
    login = login.strip().lower()
    if not _LOGIN.fullmatch(login):
        raise LoginInvalid
    password_hash = await passwords.hash_password(password, login=login)
    async with rights.changing(actor) as own:
        staff_id = await db.value(
            "INSERT INTO staff (login, name, phone, password_hash, all_stores, state, created_at)"
            " VALUES ($1, $2, $3, $4, $5, 'active', $6) ON CONFLICT (login) DO NOTHING RETURNING id",
            login, name, phone, password_hash, all_stores, mall.clock.now(),
        )  # fmt: skip
        if staff_id is None:
            raise LoginTaken(login=login)
        await _set_roles(staff_id, roles)
        await _set_stores(staff_id, store_ids)
        own.require(await rights.of_staff(staff_id))
        view = await _staff(staff_id)
        audit.record(mall, actor, "staff.create", subject_kind="staff", subject_id=staff_id, after=view)
    return view


async def update_staff(mall: Mall, staff_id: int, *, change: StaffChange, actor: Actor) -> StaffView:
    """Change what ``change`` sets. Disabling ends the person's sessions.

    Raises ``StaffNotFound``, ``RoleNotFound``, ``StaffStoreNotFound``, ``LastOwner``, and ``NotYoursToGrant`` when the
    person has, or would get, something that ``actor`` lacks.
    """
    async with rights.changing(actor) as own:
        before = await _staff(staff_id)
        own.require(await rights.of_staff(staff_id))
        plain = {f: v for f in ("name", "phone", "state", "all_stores") if (v := getattr(change, f)) is not UNSET}
        after = structs.replace(before, **plain)
        await db.execute(
            "UPDATE staff SET name = $2, phone = $3, state = $4, all_stores = $5 WHERE id = $1",
            staff_id, after.name, after.phone, after.state, after.all_stores,
        )  # fmt: skip
        if change.roles is not UNSET:
            await _set_roles(staff_id, change.roles)
        if change.store_ids is not UNSET:
            await _set_stores(staff_id, change.store_ids)
        own.require(await rights.of_staff(staff_id))
        if after.state != "active":
            await end_sessions(mall, staff_id)
        after = await _staff(staff_id)
        if after != before:
            audit.record(
                mall, actor, "staff.update", subject_kind="staff", subject_id=staff_id, before=before, after=after
            )
    return after


async def set_password(mall: Mall, staff_id: int, *, password: str, actor: Actor) -> None:
    """Give someone a new password and end their sessions.

    Raises ``StaffNotFound``, ``PasswordTooWeak``, and ``NotYoursToGrant`` for a person with more rights than ``actor``:
    whoever sets a password could sign in with it.
    """
    login = await db.value("SELECT login FROM staff WHERE id = $1", staff_id)
    if login is None:
        raise StaffNotFound
    password_hash = await passwords.hash_password(password, login=login)
    async with rights.changing(actor) as own:
        own.require(await rights.of_staff(staff_id))
        await db.execute("UPDATE staff SET password_hash = $2 WHERE id = $1", staff_id, password_hash)
        await end_sessions(mall, staff_id)
        audit.record(mall, actor, "staff.set_password", subject_kind="staff", subject_id=staff_id)


async def create_owner(mall: Mall, login: str, password: str, *, name: str = "Owner") -> StaffView:
    """Make sure that ``login`` is an owner with this password, and end their sessions. For the command line.

    Raises ``LoginInvalid``, ``PasswordTooWeak``.
    """
    login = login.strip().lower()
    if not _LOGIN.fullmatch(login):
        raise LoginInvalid
    password_hash = await passwords.hash_password(password, login=login)
    async with rights.changing(SYSTEM):
        await db.execute(
            "INSERT INTO staff_role (code, name, permissions) VALUES ($1, 'Owner', $2)"
            " ON CONFLICT (code) DO UPDATE SET permissions = EXCLUDED.permissions",
            OWNER_ROLE, [ALL],
        )  # fmt: skip
        staff_id = await db.value(
            "INSERT INTO staff (login, name, password_hash, all_stores, state, created_at)"
            " VALUES ($1, $2, $3, true, 'active', $4)"
            " ON CONFLICT (login) DO UPDATE SET password_hash = EXCLUDED.password_hash, all_stores = true,"
            " state = 'active' RETURNING id",
            login, name, password_hash, mall.clock.now(),
        )  # fmt: skip
        await db.execute(
            "INSERT INTO staff_role_member (staff_id, role_id) SELECT $1, id FROM staff_role WHERE code = $2"
            " ON CONFLICT (staff_id, role_id) DO NOTHING",
            staff_id, OWNER_ROLE,
        )  # fmt: skip
        await end_sessions(mall, staff_id)
        audit.record(mall, SYSTEM, "staff.create_owner", subject_kind="staff", subject_id=staff_id)
    return await _staff(staff_id)


async def get_staff(mall: Mall, staff_id: int, *, scope: tuple[int, ...] | None = None) -> StaffView:
    """Return one person; ``StaffNotFound`` also outside of ``scope`` (``None``: all stores)."""
    found = await db.fetch_one(StaffView, f"{_STAFF} WHERE {_IN_SCOPE} AND p.id = $2", scope, staff_id)
    if found is None:
        raise StaffNotFound
    return found


async def list_staff(
    mall: Mall,
    *,
    scope: tuple[int, ...] | None = None,
    q: str = "",
    state: str | None = None,
    after_id: int = 0,
    limit: int = 50,
) -> list[StaffView]:
    """List people by id; ``q`` is a part of the login or the name."""
    return await db.fetch(
        StaffView,
        f"{_STAFF} WHERE {_IN_SCOPE} AND p.id > $2"
        " AND ($3 = '' OR strpos(p.login || ' ' || lower(p.name), lower($3)) > 0)"
        " AND ($4::text IS NULL OR p.state = $4) ORDER BY p.id LIMIT $5",
        scope, after_id, q, state, limit,
    )  # fmt: skip


async def _staff(staff_id: int) -> StaffView:
    found = await db.fetch_one(StaffView, f"{_STAFF} WHERE p.id = $1", staff_id)
    if found is None:
        raise StaffNotFound
    return found


async def _set_roles(staff_id: int, roles: Sequence[str]) -> None:
    """Give exactly these roles. Must run in a transaction."""
    db.assert_transaction()
    await db.execute(
        "DELETE FROM staff_role_member m USING staff_role r"
        " WHERE m.staff_id = $1 AND r.id = m.role_id AND r.code <> ALL($2)",
        staff_id, list(roles),
    )  # fmt: skip
    await db.execute(
        "INSERT INTO staff_role_member (staff_id, role_id) SELECT $1, r.id FROM staff_role r WHERE r.code = ANY($2)"
        " ON CONFLICT (staff_id, role_id) DO NOTHING",
        staff_id, list(roles),
    )  # fmt: skip
    found = await db.rows("SELECT code FROM staff_role WHERE code = ANY($1)", list(roles))
    missing = set(roles) - {r["code"] for r in found}
    if missing:
        raise RoleNotFound(role=", ".join(sorted(missing)))


async def _set_stores(staff_id: int, store_ids: Sequence[int]) -> None:
    """Give exactly these stores. Must run in a transaction."""
    db.assert_transaction()
    await db.execute("DELETE FROM staff_store WHERE staff_id = $1 AND store_id <> ALL($2)", staff_id, list(store_ids))
    await db.execute(
        "INSERT INTO staff_store (staff_id, store_id) SELECT $1, s.id FROM store s WHERE s.id = ANY($2)"
        " ON CONFLICT (staff_id, store_id) DO NOTHING",
        staff_id, list(store_ids),
    )  # fmt: skip
    found = await db.rows("SELECT store_id FROM staff_store WHERE staff_id = $1", staff_id)
    missing = set(store_ids) - {r["store_id"] for r in found}
    if missing:
        raise StaffStoreNotFound(stores=", ".join(str(i) for i in sorted(missing)))
