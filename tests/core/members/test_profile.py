from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

import asyncpg
import msgspec
import pytest

from core import db
from core.hookspecs import hookimpl
from core.members import service
from core.members.errors import AddressNotFound, BirthdayInvalid, MemberNotFound, PhoneInvalid, TooManyAddresses
from core.members.types import AddressInput, ProfileChange
from core.testing import builders, races

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from core.kernel.mall import Mall
    from core.testing.clock import FrozenClock

HOME = AddressInput(name="李雷", phone="13800138000", city="上海市", street="南京东路 1 号")
AS_DEFAULT = msgspec.structs.replace(HOME, is_default=True)


async def test_a_birthday_is_a_day_that_was(mall: Mall) -> None:
    member = await builders.a_member(mall)

    for day in (date(2026, 11, 22), date(1899, 12, 31)):
        with pytest.raises(BirthdayInvalid):
            await service.update_profile(mall, member.id, change=ProfileChange(born_on=day))
    found = await service.update_profile(mall, member.id, change=ProfileChange(born_on=date(2026, 11, 21)))

    assert found.born_on == date(2026, 11, 21)


async def test_only_what_is_named_changes(mall: Mall) -> None:
    member = await builders.a_member(mall, gender="female", born_on=date(1990, 1, 1))

    found = await service.update_profile(mall, member.id, change=ProfileChange(nickname="小李", born_on=None))

    assert (found.nickname, found.gender, found.born_on) == ("小李", "female", None)
    with pytest.raises(MemberNotFound):
        await service.update_profile(mall, member.id + 1, change=ProfileChange())


async def test_an_avatar_is_a_web_address() -> None:
    for url in ("javascript:alert(1)", "data:text/html,x", "https://a b"):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"avatar_url": url}, ProfileChange)

    assert msgspec.convert({"avatar_url": ""}, ProfileChange).avatar_url == ""


async def test_another_members_address_is_not_there(mall: Mall) -> None:
    mine, other = await builders.a_member(mall), await builders.a_member(mall)
    kept = await service.add_address(mall, mine.id, address=HOME)

    with pytest.raises(AddressNotFound):
        await service.get_address(mall, other.id, address_id=kept.id)
    with pytest.raises(AddressNotFound):
        await service.change_address(mall, other.id, address_id=kept.id, address=HOME)
    with pytest.raises(AddressNotFound):
        await service.remove_address(mall, other.id, address_id=kept.id)

    assert await service.list_addresses(mall, other.id) == []
    assert await service.list_addresses(mall, mine.id) == [kept]
    assert kept.phone == "+8613800138000"


async def test_an_address_needs_a_phone_that_rings_land_lines_too(mall: Mall) -> None:
    member = await builders.a_member(mall)

    with pytest.raises(PhoneInvalid):
        await service.add_address(mall, member.id, address=msgspec.structs.replace(HOME, phone="12345"))
    kept = await service.add_address(mall, member.id, address=msgspec.structs.replace(HOME, phone="021-63216321"))

    assert kept.phone == "+862163216321"


async def test_twenty_addresses_are_kept_also_when_many_are_added_at_once(mall: Mall) -> None:
    member = await builders.a_member(mall)
    for _ in range(18):
        await service.add_address(mall, member.id, address=HOME)

    outcomes = await races.run_together(5, lambda: service.add_address(mall, member.id, address=HOME))

    assert races.won(outcomes) == 2
    assert all(isinstance(e, TooManyAddresses) for e in races.errors(outcomes))


async def test_counting_first_would_keep_more(mall: Mall) -> None:
    """The negative control of the race above."""
    member = await builders.a_member(mall)

    async def naive() -> None:
        count = await db.value("SELECT count(*) FROM member_address WHERE member_id = $1", member.id)
        await races.gap()
        if count < 1:
            await db.execute(
                "INSERT INTO member_address (member_id, name, phone, street) VALUES ($1, 'x', '1', 'x')", member.id
            )

    await races.run_together(3, naive)

    assert await db.value("SELECT count(*) FROM member_address") > 1


async def test_there_is_one_default_however_it_is_raced(mall: Mall) -> None:
    member = await builders.a_member(mall)
    plain = await service.add_address(mall, member.id, address=HOME)

    outcomes = await races.run_together(4, lambda: service.add_address(mall, member.id, address=AS_DEFAULT))
    changed = await service.change_address(mall, member.id, address_id=plain.id, address=AS_DEFAULT)

    assert races.won(outcomes) == 4
    listed = await service.list_addresses(mall, member.id)
    assert [a.id for a in listed if a.is_default] == [changed.id]
    assert listed[0] == changed
    with pytest.raises(asyncpg.UniqueViolationError):
        await db.execute("UPDATE member_address SET is_default = true")


async def test_a_default_that_is_missing_takes_nothing_away(mall: Mall) -> None:
    member = await builders.a_member(mall)
    kept = await service.add_address(mall, member.id, address=AS_DEFAULT)

    with pytest.raises(AddressNotFound):
        await service.change_address(mall, member.id, address_id=kept.id + 1, address=AS_DEFAULT)

    assert await service.list_addresses(mall, member.id) == [kept]


async def test_consents_are_only_added_to_and_the_newest_counts(mall: Mall, clock: FrozenClock) -> None:
    member = await builders.a_member(mall)
    for granted in (True, False):
        await service.give_consent(mall, member.id, kind="marketing", version="1", granted=granted)
        clock.advance(timedelta(minutes=1))
    await service.give_consent(mall, member.id, kind="privacy", version="2", granted=True)

    now = await service.list_consents(mall, member.id)

    assert [(c.kind, c.granted) for c in now] == [("marketing", False), ("privacy", True)]
    for sql in ("UPDATE member_consent SET granted = true", "DELETE FROM member_consent"):
        with pytest.raises(asyncpg.RaiseError):
            await db.execute(sql)


async def test_staff_of_a_store_see_the_members_who_joined_there(mall: Mall) -> None:
    here, there = await builders.a_store(mall), await builders.a_store(mall)
    mine = await builders.a_member(mall, source_store_id=here.id)
    other = await builders.a_member(mall, source_store_id=there.id)

    with pytest.raises(MemberNotFound):
        await service.get_in_scope(mall, other.id, scope=(here.id,))

    assert [m.id for m in await service.list_members(mall, scope=(here.id,))] == [mine.id]
    assert await service.list_members(mall, scope=()) == []
    assert [m.id for m in await service.list_members(mall)] == [other.id, mine.id]


async def test_members_are_found_by_number_phone_or_how_a_nickname_begins(mall: Mall) -> None:
    member = await builders.a_member(mall, nickname="50%_Li", phone="+8613800138000")
    await builders.a_member(mall, nickname="500 Wang")

    for q in (member.number, "138 0013 8000", "50%", "50%_l"):
        assert [m.id for m in await service.list_members(mall, q=q)] == [member.id]

    assert await service.list_members(mall, q="%") == []
    assert await service.list_members(mall, q="0013") == []


class Ranks:
    @hookimpl
    async def extend_members(self, ids: Sequence[int]) -> Mapping[int, object]:
        return {i: {"rank": "gold"} for i in ids[:1]}


class Broken:
    @hookimpl
    async def extend_members(self, ids: Sequence[int]) -> Mapping[int, object]:
        raise RuntimeError("no")


async def test_plugins_add_to_members_and_a_failing_one_is_named(make_mall: Callable[..., Awaitable[Mall]]) -> None:
    mall = await make_mall(extra={"ranks": Ranks(), "broken": Broken()})

    found = await service.extras(mall, [5, 6])

    assert found.by_member == {5: {"ranks": {"rank": "gold"}}}
    assert found.failed == ("broken",)
