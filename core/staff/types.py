"""Staff as the rest of the mall sees them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from core.kernel.origin import Actor

ALL = "*"  # the permission of owners: every permission there is and will be


class StaffSessionView(msgspec.Struct, frozen=True, kw_only=True):
    """Who is calling: what an admin handler gets. Rights are as of this request, not of the sign-in."""

    session_id: int
    staff_id: int
    login: str
    name: str
    permissions: frozenset[str]
    all_stores: bool
    store_ids: frozenset[int]

    @property
    def actor(self) -> Actor:
        return Actor(kind="staff", id=self.staff_id, name=self.name)

    def may(self, permission: str) -> bool:
        return ALL in self.permissions or permission in self.permissions

    def in_scope(self, store_id: int) -> bool:
        return self.all_stores or store_id in self.store_ids

    def scope(self) -> tuple[int, ...] | None:
        """Return the stores that this person works for; ``None`` means all, an empty tuple means none."""
        return None if self.all_stores else tuple(sorted(self.store_ids))


class RoleView(msgspec.Struct, frozen=True, kw_only=True):
    """A named set of permissions. Names that no code knows are kept and have no effect (a plugin may come back)."""

    id: int
    code: str
    name: str
    permissions: tuple[str, ...]


class StaffView(msgspec.Struct, frozen=True, kw_only=True):
    """``store_ids`` counts only without ``all_stores``. ``state``: active, disabled."""

    id: int
    login: str
    name: str
    phone: str | None
    state: str
    all_stores: bool
    store_ids: tuple[int, ...]
    roles: tuple[str, ...]
    created_at: datetime
    signed_in_at: datetime | None


class AuditView(msgspec.Struct, frozen=True, kw_only=True):
    """One change: who, what, to what, when, and how it looked before and after."""

    id: int
    actor_kind: str
    actor_id: int | None
    actor_name: str
    action: str
    subject_kind: str
    subject_id: str
    store_id: int | None
    before: dict[str, object] | None
    after: dict[str, object] | None
    request_id: str
    ip: str
    at: datetime


PermissionName = Annotated[str, Meta(max_length=128, pattern=r"^(\*|[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*)$")]
RoleCode = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$")]
PersonName = Annotated[str, Meta(min_length=1, max_length=64)]
Phone = Annotated[str, Meta(max_length=20)]
StoreId = Annotated[int, Meta(ge=1, le=2**63 - 1)]


class StaffChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a person; what is absent stays. ``roles`` and ``store_ids`` replace the present ones."""

    name: PersonName | UnsetType = UNSET
    phone: Phone | UnsetType | None = UNSET
    state: Literal["active", "disabled"] | UnsetType = UNSET
    all_stores: bool | UnsetType = UNSET
    roles: Annotated[list[RoleCode], Meta(max_length=50)] | UnsetType = UNSET
    store_ids: Annotated[list[StoreId], Meta(max_length=5000)] | UnsetType = UNSET


class RoleChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a role; what is absent stays."""

    name: PersonName | UnsetType = UNSET
    permissions: Annotated[list[PermissionName], Meta(max_length=500)] | UnsetType = UNSET
