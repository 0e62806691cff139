"""Members as the rest of the mall sees them, and the protocol of a way to sign in."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

import msgspec
from msgspec import UNSET, Meta, UnsetType

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
    born_on: date | None = None


class MemberSessionView(msgspec.Struct, frozen=True, kw_only=True):
    """Who is calling: what a storefront handler gets."""

    session_id: int
    member_id: int
    member_number: str
    channel: str

    @property
    def origin(self) -> Origin:
        return Origin(channel=self.channel)


class JoinSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a sign-in comes from. At the first one it becomes the member's source, once and for ever.

    A store or staff member that does not exist is left out: an old poster must not keep anyone from joining.
    """

    channel: Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,32}$")] = "miniprogram"
    store_id: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None
    staff_id: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None
    code: Annotated[str, Meta(max_length=64)] | None = None


class ProfileChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a member changes of themselves; what is absent stays."""

    nickname: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET
    avatar_url: Annotated[str, Meta(max_length=500, pattern=r"^(https?://\S+)?$")] | UnsetType = UNSET
    gender: Literal["", "female", "male", "other"] | UnsetType = UNSET
    born_on: date | UnsetType | None = UNSET


class AddressInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A delivery address as a member writes it."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    phone: Annotated[str, Meta(min_length=5, max_length=32)]
    province: Annotated[str, Meta(max_length=64)] = ""
    city: Annotated[str, Meta(max_length=64)] = ""
    district: Annotated[str, Meta(max_length=64)] = ""
    street: Annotated[str, Meta(min_length=1, max_length=200)]
    postcode: Annotated[str, Meta(max_length=16)] = ""
    is_default: bool = False


class AddressView(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery address; ``phone`` is E.164."""

    id: int
    name: str
    phone: str
    province: str
    city: str
    district: str
    street: str
    postcode: str
    is_default: bool
    created_at: datetime


class ConsentView(msgspec.Struct, frozen=True, kw_only=True):
    """A member's answer to one question (terms, privacy, marketing) in one version of its text."""

    kind: str
    version: str
    granted: bool
    at: datetime


class MemberSessionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One signed-in device in the member's own list."""

    id: int
    channel: str
    client: str
    created_at: datetime
    expires_at: datetime


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
