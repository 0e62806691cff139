"""Who may give what: nobody grants what they lack, and the mall always keeps an owner.

Every change of staff and roles runs under one advisory lock, so these checks see what the change before them did.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from core import db
from core.staff.errors import LastOwner, NotYoursToGrant, StaffSessionInvalid
from core.staff.types import ALL

if TYPE_CHECKING:
    from core.kernel.origin import Actor

_LOCK = 0x7374616666  # "staff"
_OWNERS = """
SELECT count(DISTINCT p.id) FROM staff p
  JOIN staff_role_member m ON m.staff_id = p.id JOIN staff_role r ON r.id = m.role_id
 WHERE p.state = 'active' AND p.all_stores AND '*' = ANY(r.permissions)
"""
_RIGHTS = """
SELECT p.all_stores,
       ARRAY(SELECT DISTINCT unnest(r.permissions)
               FROM staff_role_member m JOIN staff_role r ON r.id = m.role_id WHERE m.staff_id = p.id) AS permissions,
       ARRAY(SELECT w.store_id FROM staff_store w WHERE w.staff_id = p.id) AS store_ids
  FROM staff p WHERE p.id = $1
"""


class Rights(msgspec.Struct, frozen=True, kw_only=True):
    """What a person may do, and for which stores."""

    permissions: frozenset[str] = frozenset()
    all_stores: bool = False
    store_ids: frozenset[int] = frozenset()

    def require(self, other: Rights) -> None:
        """Raise ``NotYoursToGrant`` unless everything in ``other`` is also here."""
        missing = [] if ALL in self.permissions else sorted(other.permissions - self.permissions)
        if not self.all_stores:
            if other.all_stores:
                missing.append("all_stores")
            missing += [f"store {i}" for i in sorted(other.store_ids - self.store_ids)]
        if missing:
            raise NotYoursToGrant(missing=", ".join(missing))


_UNLIMITED = Rights(permissions=frozenset({ALL}), all_stores=True)


@asynccontextmanager
async def changing(actor: Actor) -> AsyncGenerator[Rights]:
    """Open the transaction of one change of staff or roles and give the rights of ``actor`` as of now.

    The command line and jobs are not limited. Raises ``LastOwner`` when the change would leave a mall that had an owner
    without one; ``StaffSessionInvalid`` when the actor was disabled meanwhile.
    """
    async with db.transaction():
        await db.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        owners = await db.value(_OWNERS)
        yield await _of_actor(actor)
        if owners and not await db.value(_OWNERS):
            raise LastOwner


async def _of_actor(actor: Actor) -> Rights:
    if actor.kind != "staff":
        return _UNLIMITED
    found = await db.fetch_one(Rights, _RIGHTS + " AND p.state = 'active'", actor.id)
    if found is None:
        raise StaffSessionInvalid
    return found


async def of_staff(staff_id: int) -> Rights:
    """Return the rights of a person, active or not; none for nobody."""
    return await db.fetch_one(Rights, _RIGHTS, staff_id) or Rights()
