"""Members as the rest of the mall sees them, and the protocol of a way to sign in."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Protocol

import msgspec

from core.kernel.i18n import Text
from core.kernel.origin import Origin

if TYPE_CHECKING:
    from core.kernel.mall import Mall


class MemberView(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    number: str
    nickname: str
    avatar_url: str
    phone: str | None
    gender: str
    state: str
    source_channel: str
    source_store_id: int | None
    source_staff_id: int | None
    source_code: str | None
    created_at: datetime


class MemberSessionView(msgspec.Struct, frozen=True, kw_only=True):
    """Who is calling: what a storefront handler gets."""

    session_id: int
    member_id: int
    member_number: str
    channel: str

    @property
    def origin(self) -> Origin:
        return Origin(channel=self.channel)


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What an identity provider proved: ``subject`` is unique for ever within the provider."""

    subject: str
    phone: str | None = None
    nickname: str = ""
    avatar_url: str = ""


class IdentityProvider(Protocol):
    """Turn credentials into a proven subject. Called outside transactions."""

    code: str
    title: Text

    async def prove(self, mall: Mall, *, credentials: dict[str, str]) -> Proof:
        """Check the credentials of one sign-in, or refuse with a ``MallError``. A one-time proof is used up by this."""
        ...
