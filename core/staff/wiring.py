"""What the staff's domain registers with the mall."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from core import db
from core.kernel.contracts import Job, Permission
from core.staff.permissions import CORE_PERMISSIONS

if TYPE_CHECKING:
    from core.kernel.mall import Mall

_SESSIONS_KEPT = timedelta(days=90)


def register(mall: Mall) -> None:
    """Add the core's permissions and the nightly clean-up."""
    for permission in CORE_PERMISSIONS:
        mall.objects.add(Permission, permission.name, permission)
    job = Job(name="staff.forget_old", run=forget_old, cron="20 19 * * *")
    mall.objects.add(Job, job.name, job)


async def forget_old(mall: Mall, _payload: dict[str, Any]) -> None:
    """Delete sessions that ended long ago."""
    await db.execute(
        "DELETE FROM staff_session WHERE expires_at < $1 OR revoked_at < $1", mall.clock.now() - _SESSIONS_KEPT
    )
