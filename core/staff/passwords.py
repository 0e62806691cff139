"""Passwords: argon2id in two threads of their own, so that a hash never holds up the event loop.

The parameters are OWASP's (Password Storage Cheat Sheet: m = 19 MiB, t = 2, p = 1); two threads bound the memory of
a burst of sign-ins to 38 MiB.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from core.staff.errors import PasswordTooWeak

LEAST = 10
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_POOL = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")
# The hash of a random string that was thrown away: an unknown login costs the same time as a known one.
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$TwuG1oOY5m0FypkE1EAjhQ$N/l6JULkuVAQR8CeZwJOzWjIp2zd9nkTCIaVSXSRxsM"


async def hash_password(password: str, *, login: str) -> str:
    """Hash a new password; raises ``PasswordTooWeak``."""
    if len(password) < LEAST or password.lower() == login:
        raise PasswordTooWeak(least=LEAST)
    return await asyncio.get_running_loop().run_in_executor(_POOL, _HASHER.hash, password)


async def matches(password_hash: str | None, password: str) -> bool:
    """Say whether ``password`` is the one behind the hash; without a hash it takes as long and is ``False``."""
    found = await asyncio.get_running_loop().run_in_executor(_POOL, _verify, password_hash or _NOBODY, password)
    return found and password_hash is not None


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerifyMismatchError, InvalidHashError):
        return False
