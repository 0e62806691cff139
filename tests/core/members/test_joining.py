from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import asyncpg
import pytest

from core import db
from core.hookspecs import hookimpl
from core.kernel.contracts import CORE, EventHandler, ObjectMissing
from core.kernel.errors import Conflict
from core.kernel.i18n import Text
from core.kernel.origin import Actor, Origin
from core.members import service
from core.members.errors import MemberBlocked, MemberSessionInvalid, MemberSessionNotFound
from core.members.events import MemberJoined
from core.members.types import JoinSource, Proof
from core.testing import builders, races

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from core.kernel.mall import Mall
    from core.members.types import IdentityProvider, MemberSessionView, MemberView
    from core.testing.clock import FrozenClock

ACTOR = Actor(kind="staff", id=1, name="Wei")


class Doorman:
    """An identity provider that believes what it is told, as a plugin that also takes part in joining."""

    code = "doorman"
    title = Text("门卫", "Doorman")

    def __init__(self) -> None:
        self.refuse = False
        self.joined: list[int] = []

    async def prove(self, mall: Mall, *, credentials: dict[str, str]) -> Proof:
        return Proof(subject=credentials["name"], nickname=credentials["name"])

    @hookimpl
    def register_identity_providers(self) -> Iterable[IdentityProvider]:
        return (self,)

    @hookimpl
    async def member_joining(self, member: MemberView) -> None:
        db.assert_transaction()
        if self.refuse:
            raise Conflict
        self.joined.append(member.id)


@pytest.fixture
def doorman() -> Doorman:
    return Doorman()


@pytest.fixture
async def mall(make_mall: Callable[..., Awaitable[Mall]], doorman: Doorman) -> Mall:
    return await make_mall(extra={"doorman": doorman})


async def _enter(mall: Mall, name: str = "li", source: JoinSource | None = None) -> tuple[str, MemberSessionView, bool]:
    return await service.sign_in(
        mall, "doorman", credentials={"name": name}, source=source or JoinSource(), client="a test"
    )


async def test_an_unknown_way_to_sign_in_is_refused(mall: Mall) -> None:
    with pytest.raises(ObjectMissing):
        await service.sign_in(mall, "nothing", credentials={}, source=JoinSource())


async def test_a_plugin_that_refuses_leaves_nothing_behind(mall: Mall, doorman: Doorman) -> None:
    doorman.refuse = True

    with pytest.raises(Conflict):
        await _enter(mall)

    for table in ("member", "member_identity", "member_session", "event"):
        assert await db.value(f"SELECT count(*) FROM {table}") == 0


async def test_the_first_sign_in_joins_and_the_second_does_not(mall: Mall, doorman: Doorman) -> None:
    _, first, joined = await _enter(mall)
    _, second, joined_again = await _enter(mall, source=JoinSource(channel="h5", code="LATER"))

    assert (joined, joined_again) == (True, False)
    assert first.member_id == second.member_id
    assert (first.channel, second.channel) == ("miniprogram", "h5")
    assert doorman.joined == [first.member_id]
    member = await service.get_member(mall, first.member_id)
    assert (member.source_channel, member.source_code, member.nickname) == ("miniprogram", None, "li")


async def test_the_source_is_kept_and_cannot_be_changed(mall: Mall) -> None:
    store = await builders.a_store(mall)
    staff = await builders.a_staff(mall)
    source = JoinSource(channel="poster", store_id=store.id, staff_id=staff.staff_id, code="WALL-7")
    _, session, _ = await _enter(mall, source=source)

    for change in ("source_channel = 'x'", "source_store_id = NULL", "source_staff_id = NULL", "source_code = NULL"):
        with pytest.raises(asyncpg.RaiseError):
            await db.execute(f"UPDATE member SET {change}")
    await db.execute("UPDATE member SET nickname = 'x'")

    found = await service.get_member(mall, session.member_id)
    assert (found.source_channel, found.source_store_id, found.source_staff_id, found.source_code) == (
        "poster", store.id, staff.staff_id, "WALL-7",
    )  # fmt: skip


async def test_a_poster_of_a_store_that_is_gone_keeps_nobody_out(mall: Mall) -> None:
    _, session, joined = await _enter(mall, source=JoinSource(store_id=987654321, staff_id=987654321))

    found = await service.get_member(mall, session.member_id)
    assert joined
    assert (found.source_store_id, found.source_staff_id) == (None, None)


async def test_joining_is_told_with_its_origin(mall: Mall, deliver_events: Callable[[Mall], Awaitable[int]]) -> None:
    store = await builders.a_store(mall)
    told: list[MemberJoined] = []

    async def note(_mall: Mall, event: MemberJoined) -> None:
        told.append(event)

    mall.objects.add(EventHandler, "test.note", EventHandler("test.note", MemberJoined, note), owner=CORE)
    _, session, _ = await _enter(mall, source=JoinSource(channel="poster", store_id=store.id))
    await _enter(mall)
    await deliver_events(mall)

    assert [e.member_id for e in told] == [session.member_id]
    assert told[0].origin == Origin(channel="poster", store_id=store.id)


async def test_two_first_sign_ins_at_once_make_one_member(mall: Mall, doorman: Doorman) -> None:
    outcomes = await races.run_together(8, lambda: _enter(mall))

    assert races.won(outcomes) == 8
    assert len({o.value[1].member_id for o in outcomes}) == 1
    assert sum(o.value[2] for o in outcomes) == 1
    assert await db.value("SELECT count(*) FROM member") == 1
    assert len(doorman.joined) == 1


async def test_looking_first_would_make_two(mall: Mall) -> None:
    """The negative control of the race above."""

    async def naive(i: int) -> None:
        async with db.transaction():
            known = await db.value("SELECT member_id FROM member_identity WHERE subject = 'li'")
            await races.gap()
            if known is None:
                await builders.a_member(mall, nickname=f"li{i}")

    await races.run_together(2, naive)

    assert await db.value("SELECT count(*) FROM member") == 2


async def test_a_session_is_found_in_one_statement(mall: Mall) -> None:
    token, session, _ = await _enter(mall)

    seen: list[str] = []
    counting = db.round_trips.set(seen)
    found = await service.session(mall, token)
    db.round_trips.reset(counting)

    assert found == session
    assert len(seen) == 1


async def test_unknown_ended_and_old_tokens_are_refused(mall: Mall, clock: FrozenClock) -> None:
    token, session, _ = await _enter(mall)
    other, _, _ = await _enter(mall)

    with pytest.raises(MemberSessionInvalid):
        await service.session(mall, token + "x")
    await service.sign_out(mall, session)
    with pytest.raises(MemberSessionInvalid):
        await service.session(mall, token)
    clock.advance(timedelta(days=30))
    with pytest.raises(MemberSessionInvalid):
        await service.session(mall, other)


async def test_a_blocked_member_is_out_at_once_and_stays_out(mall: Mall) -> None:
    token, session, _ = await _enter(mall)
    await db.execute("UPDATE member SET state = 'blocked'")

    with pytest.raises(MemberBlocked):
        await service.session(mall, token)
    with pytest.raises(MemberBlocked):
        await _enter(mall)
    assert await db.value("SELECT count(*) FROM member_session") == 1

    await service.set_state(mall, session.member_id, state="active", reason="sorry", actor=ACTOR)
    assert await service.session(mall, token) == session


async def test_blocking_ends_sessions_for_good_and_is_audited_once(mall: Mall) -> None:
    token, session, _ = await _enter(mall)

    for state in ("blocked", "blocked", "active"):
        await service.set_state(mall, session.member_id, state=state, reason="fraud", actor=ACTOR)

    with pytest.raises(MemberSessionInvalid):
        await service.session(mall, token)
    actions = await db.rows("SELECT action FROM audit_entry ORDER BY id")
    assert [r["action"] for r in actions] == ["member.block", "member.unblock"]


async def test_members_see_and_end_their_own_sessions_only(mall: Mall) -> None:
    token, mine, _ = await _enter(mall)
    second, _, _ = await _enter(mall)
    foreign, other, _ = await _enter(mall, "wang")

    with pytest.raises(MemberSessionNotFound):
        await service.revoke_session(mall, mine, session_id=other.session_id)
    listed = await service.list_sessions(mall, mine.member_id)
    ended = await service.revoke_other_sessions(mall, mine)

    assert len(listed) == 2
    assert listed[1].client == "a test"
    assert ended == 1
    assert await service.session(mall, token) == mine
    assert await service.session(mall, foreign) == other
    with pytest.raises(MemberSessionInvalid):
        await service.session(mall, second)
    await service.revoke_session(mall, mine, session_id=mine.session_id)
    with pytest.raises(MemberSessionNotFound):
        await service.revoke_session(mall, mine, session_id=mine.session_id)


async def test_tokens_are_not_stored_in_clear(mall: Mall) -> None:
    token, _, _ = await _enter(mall)

    text = await db.value("SELECT s::text FROM member_session s")

    assert token not in text
    assert token.encode().hex() not in text
