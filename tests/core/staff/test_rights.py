"""Nobody grants what they lack, nobody changes someone who has more, and the mall keeps an owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from core import db
from core.kernel.origin import SYSTEM, Actor
from core.staff import service
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
    StaffSessionInvalid,
    StaffStoreNotFound,
)
from core.staff.types import RoleChange, StaffChange
from core.testing import builders, races

if TYPE_CHECKING:
    from core.kernel.mall import Mall
    from core.staff.types import StaffView

PASSWORD = "a long pass phrase"


async def _person(mall: Mall, login: str, **over: object) -> StaffView:
    return await service.create_staff(mall, login, name=login.title(), password=PASSWORD, **over)  # pyright: ignore[reportArgumentType]


def _actor(person: StaffView) -> Actor:
    return Actor(kind="staff", id=person.id, name=person.name)


async def _owner(mall: Mall, login: str = "boss") -> StaffView:
    return await service.create_owner(mall, login, PASSWORD)


async def test_a_person_needs_a_login_a_password_known_roles_and_known_stores(mall: Mall) -> None:
    for login in ("ab", "has space", "中文名字", "-dash", "x" * 65):
        with pytest.raises(LoginInvalid):
            await _person(mall, login)
    for password in ("short", "the.login.itself"):
        with pytest.raises(PasswordTooWeak):
            await service.create_staff(mall, "the.login.itself", name="X", password=password)
    with pytest.raises(RoleNotFound):
        await _person(mall, "chen", roles=["nothing"])
    with pytest.raises(StaffStoreNotFound):
        await _person(mall, "chen", store_ids=[987654321])

    assert await db.value("SELECT count(*) FROM staff") == 0
    assert await db.value("SELECT count(*) FROM audit_entry") == 0


async def test_a_login_is_taken_once_whatever_its_case(mall: Mall) -> None:
    await _person(mall, "chen")

    with pytest.raises(LoginTaken):
        await _person(mall, "Chen")


async def test_a_manager_cannot_grant_what_they_lack(mall: Mall) -> None:
    store, elsewhere = await builders.a_store(mall), await builders.a_store(mall)
    await service.create_role(mall, "manager", name="Manager", permissions=["staff.write", "orders.read"])
    await service.create_role(mall, "cashier", name="Cashier", permissions=["orders.read"])
    await service.create_role(mall, "stronger", name="Stronger", permissions=["orders.read", "payments.confirm"])
    manager = await _person(mall, "manager", roles=["manager"], store_ids=[store.id])

    for over in (
        {"roles": ["stronger"], "store_ids": [store.id]},
        {"roles": ["cashier"], "all_stores": True},
        {"roles": ["cashier"], "store_ids": [store.id, elsewhere.id]},
    ):
        with pytest.raises(NotYoursToGrant):
            await _person(mall, "new.one", actor=_actor(manager), **over)
    with pytest.raises(NotYoursToGrant):
        await service.update_staff(
            mall, manager.id, change=StaffChange(roles=["manager", "stronger"]), actor=_actor(manager)
        )
    with pytest.raises(NotYoursToGrant):
        await service.update_staff(mall, manager.id, change=StaffChange(all_stores=True), actor=_actor(manager))
    made = await _person(mall, "new.one", actor=_actor(manager), roles=["cashier"], store_ids=[store.id])

    assert (made.roles, made.store_ids) == (("cashier",), (store.id,))
    assert (await service.get_staff(mall, manager.id)).roles == ("manager",)


async def test_a_manager_cannot_take_over_someone_stronger(mall: Mall) -> None:
    owner = await _owner(mall)
    await service.create_role(mall, "manager", name="Manager", permissions=["staff.write"])
    manager = await _person(mall, "manager", roles=["manager"], all_stores=True)

    with pytest.raises(NotYoursToGrant):
        await service.set_password(mall, owner.id, password="a stolen pass phrase", actor=_actor(manager))
    with pytest.raises(NotYoursToGrant):
        await service.update_staff(mall, owner.id, change=StaffChange(state="disabled"), actor=_actor(manager))

    assert (await service.sign_in(mall, "boss", PASSWORD))[1].may("anything.at_all")


async def test_roles_are_made_and_changed_only_within_ones_own_rights_and_by_people_of_all_stores(mall: Mall) -> None:
    store = await builders.a_store(mall)
    role = await service.create_role(mall, "manager", name="Manager", permissions=["staff.write", "orders.read"])
    strong = await service.create_role(mall, "strong", name="Strong", permissions=["*"])
    local = _actor(await _person(mall, "local", roles=["manager"], store_ids=[store.id]))
    wide = _actor(await _person(mall, "wide", roles=["manager"], all_stores=True))

    with pytest.raises(NotYoursToGrant):
        await service.create_role(mall, "mine", name="Mine", permissions=["orders.read"], actor=local)
    with pytest.raises(NotYoursToGrant):
        await service.create_role(mall, "mine", name="Mine", permissions=["*"], actor=wide)
    with pytest.raises(NotYoursToGrant):
        await service.update_role(mall, role.id, change=RoleChange(permissions=["catalog.write"]), actor=wide)
    with pytest.raises(NotYoursToGrant):
        await service.update_role(mall, strong.id, change=RoleChange(permissions=[]), actor=wide)
    with pytest.raises(NotYoursToGrant):
        await service.delete_role(mall, strong.id, actor=wide)
    made = await service.create_role(mall, "mine", name="Mine", permissions=["orders.read", "orders.read"], actor=wide)

    assert made.permissions == ("orders.read",)


async def test_role_codes_are_unique_and_a_held_role_stays(mall: Mall) -> None:
    role = await service.create_role(mall, "cashier", name="Cashier", permissions=[])
    person = await _person(mall, "chen", roles=["cashier"])

    with pytest.raises(RoleCodeTaken):
        await service.create_role(mall, "cashier", name="Again", permissions=[])
    with pytest.raises(RoleInUse):
        await service.delete_role(mall, role.id, actor=SYSTEM)
    with pytest.raises(RoleNotFound):
        await service.update_role(mall, role.id + 1, change=RoleChange(name="X"), actor=SYSTEM)
    await service.update_staff(mall, person.id, change=StaffChange(roles=[]), actor=SYSTEM)
    await service.delete_role(mall, role.id, actor=SYSTEM)

    assert await service.list_roles(mall) == []


async def test_the_last_owner_stays(mall: Mall) -> None:
    owner = await _owner(mall)
    role = next(r for r in await service.list_roles(mall) if r.code == "owner")

    for change in (StaffChange(state="disabled"), StaffChange(roles=[]), StaffChange(all_stores=False)):
        with pytest.raises(LastOwner):
            await service.update_staff(mall, owner.id, change=change, actor=_actor(owner))
    with pytest.raises(LastOwner):
        await service.update_role(mall, role.id, change=RoleChange(permissions=["orders.read"]), actor=_actor(owner))
    second = await _owner(mall, "second")
    left = await service.update_staff(mall, owner.id, change=StaffChange(roles=[]), actor=_actor(second))

    assert left.roles == ()


async def test_two_owners_who_remove_each_other_at_once_leave_one(mall: Mall) -> None:
    people = [await _owner(mall, "first"), await _owner(mall, "second")]

    outcomes = await races.run_together(
        2,
        lambda i: service.update_staff(
            mall, people[1 - i].id, change=StaffChange(state="disabled"), actor=_actor(people[i])
        ),
    )

    assert races.won(outcomes) == 1
    assert all(isinstance(e, StaffSessionInvalid | LastOwner) for e in races.errors(outcomes))
    assert await db.value("SELECT count(*) FROM staff WHERE state = 'active'") == 1


async def test_without_the_lock_the_same_race_leaves_none(mall: Mall) -> None:
    """The negative control: each looks for another owner first, and both find one."""
    people = [await _owner(mall, "first"), await _owner(mall, "second")]

    async def naive(i: int) -> None:
        async with db.transaction():
            owners = await db.value("SELECT count(*) FROM staff WHERE state = 'active'")
            await races.gap()
            if owners > 1:
                await db.execute("UPDATE staff SET state = 'disabled' WHERE id = $1", people[1 - i].id)

    await races.run_together(2, naive)

    assert await db.value("SELECT count(*) FROM staff WHERE state = 'active'") == 0


async def test_making_an_owner_again_sets_the_password_and_ends_sessions(mall: Mall) -> None:
    await _owner(mall)
    token, _ = await service.sign_in(mall, "boss", PASSWORD)

    again = await service.create_owner(mall, "boss", "another pass phrase")

    with pytest.raises(StaffSessionInvalid):
        await service.session(mall, token)
    assert (await service.sign_in(mall, "boss", "another pass phrase"))[1].staff_id == again.id
    assert await db.value("SELECT count(*) FROM staff") == 1
    assert await db.value("SELECT count(*) FROM staff_role_member") == 1


async def test_people_outside_of_the_scope_are_not_there(mall: Mall) -> None:
    here, there = await builders.a_store(mall), await builders.a_store(mall)
    mine = await _person(mall, "mine", store_ids=[here.id])
    other = await _person(mall, "other", store_ids=[there.id])
    await _person(mall, "office", all_stores=True)

    with pytest.raises(StaffNotFound):
        await service.get_staff(mall, other.id, scope=(here.id,))

    assert [p.id for p in await service.list_staff(mall, scope=(here.id,))] == [mine.id]
    assert [p.login for p in await service.list_staff(mall, q="OFF")] == ["office"]
    assert [p.login for p in await service.list_staff(mall, after_id=mine.id, limit=1)] == ["other"]
