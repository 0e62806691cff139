"""Staff and roles. Nobody gives what they lack, and nobody changes someone who has more than they."""

from __future__ import annotations

from typing import Annotated, Literal

from litestar import delete, get, patch, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter
from msgspec import Meta, Struct

from core.kernel.i18n import Lang
from core.kernel.mall import Mall
from core.staff import permissions, service
from core.staff.errors import (
    LastOwner,
    LoginInvalid,
    LoginTaken,
    NotYoursToGrant,
    PasswordTooWeak,
    RoleCodeTaken,
    RoleInUse,
    RoleNotFound,
    StaffNotFound,
    StaffStoreNotFound,
)
from core.staff.types import (
    PermissionName,
    PersonName,
    Phone,
    RoleChange,
    RoleCode,
    RoleView,
    StaffChange,
    StaffSessionView,
    StaffView,
    StoreId,
)
from core.web import Page, Paged, paged, problems

TAGS = ["staff"]
READ = {"permission": "staff.read"}
WRITE = {"permission": "staff.write"}


class NewStaff(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person with their first password, roles (by code) and stores."""

    login: Annotated[str, Meta(min_length=3, max_length=64, examples=["chen.wei"])]
    name: PersonName
    password: Annotated[
        str, Meta(max_length=200, description="At least 10 characters.", examples=["a long pass phrase"])
    ]
    phone: Phone | None = None
    roles: Annotated[list[RoleCode], Meta(max_length=50, examples=[["cashier"]])] = []
    all_stores: bool = False
    store_ids: Annotated[list[StoreId], Meta(max_length=5000)] = []


class NewPassword(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    password: Annotated[
        str, Meta(max_length=200, description="At least 10 characters.", examples=["a long pass phrase"])
    ]


class NewRole(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    code: Annotated[RoleCode, Meta(examples=["cashier"])]
    name: PersonName
    permissions: Annotated[list[PermissionName], Meta(max_length=500, examples=[["orders.read", "orders.fulfil"]])]


class RoleDetail(Struct, frozen=True, kw_only=True):
    """``without_effect``: permissions of the role that no code knows at present; they are kept."""

    id: int
    code: str
    name: str
    permissions: tuple[str, ...]
    without_effect: tuple[str, ...]


class PermissionView(Struct, frozen=True, kw_only=True):
    name: str
    title: str


def _detail(mall: Mall, role: RoleView) -> RoleDetail:
    return RoleDetail(
        id=role.id, code=role.code, name=role.name, permissions=role.permissions,
        without_effect=permissions.unknown(mall, role.permissions),
    )  # fmt: skip


@get(
    "/staff", operation_id="list_staff", tags=TAGS, summary="Staff", opt=READ,
    description="Whoever works for some stores sees the colleagues of those stores.",
)  # fmt: skip
async def list_staff(
    mall: Mall,
    staff: StaffSessionView,
    page: Page,
    q: Annotated[str, Parameter(max_length=64, description="Part of a login or a name.")] = "",
    person_state: Annotated[Literal["active", "disabled"] | None, Parameter(query="state")] = None,
) -> Paged[StaffView]:
    after = page.after(tuple[int])
    found = await service.list_staff(
        mall, scope=staff.scope(), q=q, state=person_state, after_id=after[0] if after else 0, limit=page.limit + 1
    )
    return paged(found, page.limit, lambda person: (person.id,))


@get(
    "/staff/{staff_id:int}",
    operation_id="get_staff",
    tags=TAGS,
    summary="One person",
    opt=READ,
    responses=problems(StaffNotFound),
)
async def get_staff(mall: Mall, staff: StaffSessionView, staff_id: int) -> StaffView:
    return await service.get_staff(mall, staff_id, scope=staff.scope())


@post(
    "/staff", operation_id="create_staff", tags=TAGS, summary="Add a person", opt=WRITE,
    responses=problems(LoginInvalid, PasswordTooWeak, LoginTaken, RoleNotFound, StaffStoreNotFound, NotYoursToGrant),
)  # fmt: skip
async def create_staff(mall: Mall, staff: StaffSessionView, data: NewStaff) -> StaffView:
    return await service.create_staff(
        mall, data.login, name=data.name, password=data.password, phone=data.phone, roles=data.roles,
        all_stores=data.all_stores, store_ids=data.store_ids, actor=staff.actor,
    )  # fmt: skip


@patch(
    "/staff/{staff_id:int}", operation_id="update_staff", tags=TAGS, summary="Change a person", opt=WRITE,
    description="Fields that are absent stay; `roles` and `store_ids` replace what was. Disabling ends all sessions.",
    responses=problems(StaffNotFound, RoleNotFound, StaffStoreNotFound, NotYoursToGrant, LastOwner),
)  # fmt: skip
async def update_staff(mall: Mall, staff: StaffSessionView, staff_id: int, data: StaffChange) -> StaffView:
    await service.get_staff(mall, staff_id, scope=_or_self(staff, staff_id))
    return await service.update_staff(mall, staff_id, change=data, actor=staff.actor)


@put(
    "/staff/{staff_id:int}/password", operation_id="set_staff_password", tags=TAGS, summary="Set a person's password",
    opt=WRITE, status_code=204, description="Ends all their sessions.",
    responses=problems(StaffNotFound, PasswordTooWeak, NotYoursToGrant),
)  # fmt: skip
async def set_staff_password(mall: Mall, staff: StaffSessionView, staff_id: int, data: NewPassword) -> None:
    await service.get_staff(mall, staff_id, scope=_or_self(staff, staff_id))
    await service.set_password(mall, staff_id, password=data.password, actor=staff.actor)


def _or_self(staff: StaffSessionView, staff_id: int) -> tuple[int, ...] | None:
    return None if staff_id == staff.staff_id else staff.scope()


@get("/permissions", operation_id="list_permissions", tags=TAGS, summary="Every permission there is", opt=READ)
async def list_permissions(mall: Mall, lang: Lang) -> Paged[PermissionView]:
    found = sorted(permissions.known(mall).items())
    return Paged(items=[PermissionView(name=name, title=p.title.pick(lang)) for name, p in found])


@get("/roles", operation_id="list_roles", tags=TAGS, summary="Roles", opt=READ)
async def list_roles(mall: Mall) -> Paged[RoleDetail]:
    return Paged(items=[_detail(mall, role) for role in await service.list_roles(mall)])


@post(
    "/roles", operation_id="create_role", tags=TAGS, summary="Add a role", opt=WRITE,
    description="Roles are mall-wide: only people of all stores make and change them.",
    responses=problems(RoleCodeTaken, NotYoursToGrant),
)  # fmt: skip
async def create_role(mall: Mall, staff: StaffSessionView, data: NewRole) -> RoleDetail:
    role = await service.create_role(mall, data.code, name=data.name, permissions=data.permissions, actor=staff.actor)
    return _detail(mall, role)


@patch(
    "/roles/{role_id:int}", operation_id="update_role", tags=TAGS, summary="Change a role", opt=WRITE,
    description="Counts with the next request of everyone who holds it.",
    responses=problems(RoleNotFound, NotYoursToGrant, LastOwner),
)  # fmt: skip
async def update_role(mall: Mall, staff: StaffSessionView, role_id: int, data: RoleChange) -> RoleDetail:
    return _detail(mall, await service.update_role(mall, role_id, change=data, actor=staff.actor))


@delete(
    "/roles/{role_id:int}", operation_id="delete_role", tags=TAGS, summary="Delete a role that nobody holds", opt=WRITE,
    responses=problems(RoleNotFound, RoleInUse, NotYoursToGrant),
)  # fmt: skip
async def delete_role(mall: Mall, staff: StaffSessionView, role_id: int) -> None:
    await service.delete_role(mall, role_id, actor=staff.actor)


handlers: list[HTTPRouteHandler] = [
    list_staff, get_staff, create_staff, update_staff, set_staff_password, list_permissions, list_roles, create_role,
    update_role, delete_role,
]  # fmt: skip
