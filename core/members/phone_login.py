"""The built-in way to sign in: a phone number and a one-time code sent to it.

Redis limits first because it is cheap; the rows of ``login_code`` are asked again under a lock, so that losing Redis,
or two requests at once, lifts no limit. Whether a phone is known is never shown.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from core import db
from core.cache import RateLimited, rate_limit
from core.kernel import ids, request
from core.kernel.contracts import NotificationChannel
from core.kernel.errors import MallError
from core.kernel.i18n import Text
from core.members.errors import CredentialsMissing, LoginCodeNotSent, LoginCodeWrong
from core.members.phones import normal_phone
from core.members.types import Proof

if TYPE_CHECKING:
    from core.kernel.mall import Mall

log = structlog.get_logger("mall.members")
DIGITS = 6
LIFETIME = timedelta(minutes=5)
TRIES = 5
TEMPLATE = "login_code"
# (how many, in how long). Many phones share one address behind a carrier's NAT, so that limit is wide.
PER_PHONE = ((1, timedelta(minutes=1)), (5, timedelta(hours=1)), (10, timedelta(days=1)))
PER_IP = ((60, timedelta(hours=1)),)
_CHECKS_PER_PHONE = 15
_CHECKS_PER_IP = 120
_CHECK_WINDOW_S = 600

_SENT = "SELECT created_at FROM login_code WHERE phone = $1 AND created_at > $2 ORDER BY created_at DESC"
_SENT_FROM = "SELECT created_at FROM login_code WHERE ip = $1 AND created_at > $2 ORDER BY created_at DESC"
# Takes one try, and the code itself if it is right, in one guarded write: of two at once only one gets it.
_CHECK = """
UPDATE login_code
   SET tries_left = tries_left - 1, used_at = CASE WHEN code_hash = $2 THEN $3::timestamptz END
 WHERE phone = $1 AND used_at IS NULL AND expires_at > $3 AND tries_left > 0
RETURNING used_at IS NOT NULL AS right
"""


async def send_login_code(mall: Mall, phone: str, *, ip: str = "") -> None:
    """Send a new code to ``phone``; an older one stops working.

    Raises ``PhoneInvalid``, ``RateLimited`` (with the seconds to wait), ``LoginCodeNotSent``.
    """
    db.assert_no_transaction()
    phone = normal_phone(phone, takes_messages=True)
    channel = mall.objects.get(NotificationChannel, mall.settings.mall_notification_channel)
    await _ask_redis(mall, phone, ip)
    code, now = ids.new_digits(DIGITS), mall.clock.now()
    async with db.transaction():
        await _ask_postgres(phone, ip, now)
        await db.execute("UPDATE login_code SET used_at = $2 WHERE phone = $1 AND used_at IS NULL", phone, now)
        await db.execute(
            "INSERT INTO login_code (phone, ip, code_hash, tries_left, created_at, expires_at)"
            " VALUES ($1, $2, $3, $4, $5, $6)",
            phone, ip[:64], _hash(mall, phone, code), TRIES, now, now + LIFETIME,
        )  # fmt: skip
    minutes = int(LIFETIME.total_seconds()) // 60
    try:
        await channel.send(mall, to=phone, template=TEMPLATE, values={"code": code, "minutes": str(minutes)})
    except MallError:
        raise
    except Exception as exc:
        log.exception("a login code could not be sent", channel=channel.code)
        raise LoginCodeNotSent from exc


class PhoneIdentity:
    """An ``IdentityProvider``: credentials ``phone`` and ``code``; the subject is the E.164 number."""

    code = "phone"
    title = Text("手机号登录", "Phone number")

    async def prove(self, mall: Mall, *, credentials: dict[str, str]) -> Proof:
        """Check and use up the code.

        Raises ``LoginCodeWrong``, ``PhoneInvalid``, ``CredentialsMissing``, ``RateLimited``.
        """
        db.assert_no_transaction()
        missing = [name for name in ("phone", "code") if not credentials.get(name)]
        if missing:
            raise CredentialsMissing(missing=", ".join(missing))
        phone = normal_phone(credentials["phone"], takes_messages=True)
        ip = request.current.get().ip
        if ip:
            await rate_limit(mall, f"login_code.check:ip:{ip}", limit=_CHECKS_PER_IP, per_s=_CHECK_WINDOW_S)
        await rate_limit(mall, f"login_code.check:phone:{phone}", limit=_CHECKS_PER_PHONE, per_s=_CHECK_WINDOW_S)
        if not await db.value(_CHECK, phone, _hash(mall, phone, credentials["code"].strip()), mall.clock.now()):
            raise LoginCodeWrong
        return Proof(subject=phone, phone=phone)


async def _ask_redis(mall: Mall, phone: str, ip: str) -> None:
    gates = [("ip", ip, rule) for rule in PER_IP if ip] + [("phone", phone, rule) for rule in PER_PHONE]
    for kind, key, (limit, window) in gates:
        per_s = int(window.total_seconds())
        await rate_limit(mall, f"login_code.send:{kind}:{key}:{per_s}", limit=limit, per_s=per_s)


async def _ask_postgres(phone: str, ip: str, now: datetime) -> None:
    """Check the limits against what was really sent; the locks (address before phone) make that one at a time."""
    db.assert_transaction()
    if ip:
        await db.execute("SELECT pg_advisory_xact_lock(hashtext('login_code.ip'), hashtext($1))", ip)
        _within(PER_IP, await db.rows(_SENT_FROM, ip[:64], now - max(w for _, w in PER_IP)), now)
    await db.execute("SELECT pg_advisory_xact_lock(hashtext('login_code.phone'), hashtext($1))", phone)
    _within(PER_PHONE, await db.rows(_SENT, phone, now - max(w for _, w in PER_PHONE)), now)


def _within(rules: tuple[tuple[int, timedelta], ...], sent: list[db.Row], now: datetime) -> None:
    times: list[datetime] = [r["created_at"] for r in sent]
    for limit, window in rules:
        recent = [t for t in times if t > now - window]
        if len(recent) >= limit:
            wait = recent[limit - 1] + window - now
            raise RateLimited(retry_after_s=max(1, int(wait.total_seconds())))


def _hash(mall: Mall, phone: str, code: str) -> bytes:
    """Hash a code with the mall's secret: the table alone does not give away six digits."""
    return hmac.digest(mall.settings.mall_secret.encode(), f"login_code:{phone}:{code}".encode(), hashlib.sha256)
