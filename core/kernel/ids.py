"""References that are seen outside the mall: they cannot be guessed or counted (architecture.md, "identity")."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from zoneinfo import ZoneInfo

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # no look-alikes: 0 O, 1 I L, U V


def new_number(prefix: str, now: datetime, zone: str = "Asia/Shanghai") -> str:
    """Return a number like ``M20261121`` + 12 random digits: the local day for people, 10^12 values a day for nobody.

    At most 32 letters and digits, as WeChat Pay asks of ``out_trade_no`` (behaviour.md 5.6).
    """
    day = now.astimezone(ZoneInfo(zone)).strftime("%Y%m%d")
    return f"{prefix}{day}{secrets.randbelow(10**12):012d}"


def new_token() -> str:
    """Return an opaque bearer token with 256 bits from the system's CSPRNG."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """Hash a token for storage. A token has 256 random bits, so one round of SHA-256 needs no salt."""
    return hashlib.sha256(token.encode()).digest()


def new_digits(length: int) -> str:
    """Return ``length`` random digits."""
    return f"{secrets.randbelow(10**length):0{length}d}"


def new_code(length: int = 10) -> str:
    """Return a code that people can read out: upper case and digits without look-alikes."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def luhn_digit(digits: str) -> str:
    """Return the check digit of ``digits`` (ISO/IEC 7812-1, Luhn)."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = int(char) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value  # noqa: PLR2004 - Luhn's own nine
    return str(-total % 10)


def luhn_valid(digits: str) -> bool:
    """Say whether the last digit of ``digits`` is the check digit of the ones before it."""
    return len(digits) > 1 and digits.isascii() and digits.isdigit() and luhn_digit(digits[:-1]) == digits[-1]
