"""What the members' domain registers with the mall."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from core import db
from core.kernel.contracts import Job, NotificationChannel
from core.members.console import ConsoleChannel
from core.members.phone_login import PhoneIdentity
from core.members.types import IdentityProvider

if TYPE_CHECKING:
    from core.kernel.mall import Mall

_CODES_KEPT = timedelta(days=2)  # longer than the longest limit of sending
_SESSIONS_KEPT = timedelta(days=90)


def register(mall: Mall) -> None:
    """Add the phone sign-in, the console channel and the nightly clean-up."""
    for provider in (PhoneIdentity(),):
        mall.objects.add(IdentityProvider, provider.code, provider)
    for channel in (ConsoleChannel(),):
        mall.objects.add(NotificationChannel, channel.code, channel)
    job = Job(name="members.forget_old", run=forget_old, cron="10 19 * * *")
    mall.objects.add(Job, job.name, job)


async def forget_old(mall: Mall, _payload: dict[str, Any]) -> None:
    """Delete codes, and sessions that ended long ago: phone numbers and addresses are not kept without need."""
    now = mall.clock.now()
    await db.execute("DELETE FROM login_code WHERE created_at < $1", now - _CODES_KEPT)
    await db.execute("DELETE FROM member_session WHERE expires_at < $1 OR revoked_at < $1", now - _SESSIONS_KEPT)
