"""Roles: named sets of permissions, mall-wide, so only people of all stores make and change them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import UNSET, structs

from core import db
from core.events import audit
from core.kernel.origin import SYSTEM, Actor
from core.staff import rights
from core.staff.errors import RoleCodeTaken, RoleInUse, RoleNotFound
from core.staff.rights import Rights
from core.staff.types import RoleChange, RoleView

if TYPE_CHECKING:
    from core.kernel.mall import Mall

_ROLE = "SELECT id, code, name, permissions FROM staff_role"


async def create_role(
    mall: Mall, code: str, *, name: str, permissions: Sequence[str], actor: Actor = SYSTEM
) -> RoleView:
    """Create a role. Raises ``RoleCodeTaken``, and ``NotYoursToGrant`` for a permission that ``actor`` lacks."""
    async with rights.changing(actor) as own:
        own.require(_mall_wide(permissions))
        view = await db.fetch_one(
            RoleView,
            "INSERT INTO staff_role (code, name, permissions) VALUES ($1, $2, $3) ON CONFLICT (code) DO NOTHING"
            " RETURNING id, code, name, permissions",
            code, name, _tidy(permissions),
        )  # fmt: skip
        if view is None:
            raise RoleCodeTaken(role=code)
        audit.record(mall, actor, "role.create", subject_kind="role", subject_id=view.id, after=view)
    return view


async def update_role(mall: Mall, role_id: int, *, change: RoleChange, actor: Actor) -> RoleView:
    """Change the name or the permissions of a role; it counts with the next request of everyone who holds it.

    Raises ``RoleNotFound``, ``LastOwner``, and ``NotYoursToGrant`` when it has, or would get, what ``actor`` lacks.
    """
    async with rights.changing(actor) as own:
        before = await _role(role_id)
        after = structs.replace(
            before,
            name=before.name if change.name is UNSET else change.name,
            permissions=before.permissions if change.permissions is UNSET else tuple(_tidy(change.permissions)),
        )
        own.require(_mall_wide((*before.permissions, *after.permissions)))
        await db.execute(
            "UPDATE staff_role SET name = $2, permissions = $3 WHERE id = $1",
            role_id,
            after.name,
            list(after.permissions),
        )
        if after != before:
            audit.record(
                mall, actor, "role.update", subject_kind="role", subject_id=role_id, before=before, after=after
            )
    return after


async def delete_role(mall: Mall, role_id: int, *, actor: Actor) -> None:
    """Delete a role that nobody holds. Raises ``RoleNotFound``, ``RoleInUse``, ``NotYoursToGrant``."""
    async with rights.changing(actor) as own:
        before = await _role(role_id)
        own.require(_mall_wide(before.permissions))
        gone = await db.execute(
            "DELETE FROM staff_role r WHERE r.id = $1"
            " AND NOT EXISTS (SELECT 1 FROM staff_role_member m WHERE m.role_id = r.id)",
            role_id,
        )
        if not gone:
            raise RoleInUse(role=before.code)
        audit.record(mall, actor, "role.delete", subject_kind="role", subject_id=role_id, before=before)


async def list_roles(mall: Mall) -> list[RoleView]:
    """List all roles by code; a mall has a handful."""
    return await db.fetch(RoleView, f"{_ROLE} ORDER BY code")


async def get_role(mall: Mall, role_id: int) -> RoleView:
    """Return one role; raises ``RoleNotFound``."""
    return await _role(role_id)


async def _role(role_id: int) -> RoleView:
    found = await db.fetch_one(RoleView, f"{_ROLE} WHERE id = $1", role_id)
    if found is None:
        raise RoleNotFound(role=str(role_id))
    return found


def _mall_wide(permissions: Sequence[str]) -> Rights:
    return Rights(permissions=frozenset(permissions), all_stores=True)


def _tidy(permissions: Sequence[str]) -> list[str]:
    return sorted(set(permissions))
