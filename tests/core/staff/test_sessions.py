from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from core import db
from core.cache import RateLimited
from core.kernel.origin import SYSTEM
from core.staff import service
from core.staff.errors import PasswordTooWeak, PasswordWrong, StaffSessionInvalid, StaffSignInFailed
from core.staff.types import RoleChange, StaffChange
from core.testing import builders

if TYPE_CHECKING:
    from core.kernel.mall import Mall
    from core.testing.clock import FrozenClock

    RunJob = Callable[..., Awaitable[None]]

PASSWORD = secrets.token_urlsafe(16)


async def _chen(mall: Mall, **over: object) -> int:
    made = await service.create_staff(mall, "chen", name="Chen", password=PASSWORD, **over)  # pyright: ignore[reportArgumentType]
    return made.id


async def test_a_wrong_password_and_an_unknown_login_look_the_same(mall: Mall) -> None:
    await _chen(mall)

    with pytest.raises(StaffSignInFailed) as wrong:
        await service.sign_in(mall, "chen", PASSWORD + "x")
    with pytest.raises(StaffSignInFailed) as unknown:
        await service.sign_in(mall, "nobody", PASSWORD)

    assert str(wrong.value) == str(unknown.value)


async def test_a_disabled_person_cannot_sign_in_and_their_session_is_over(mall: Mall) -> None:
    staff_id = await _chen(mall)
    token, _ = await service.sign_in(mall, "chen", PASSWORD)

    await service.update_staff(mall, staff_id, change=StaffChange(state="disabled"), actor=SYSTEM)

    with pytest.raises(StaffSessionInvalid):
        await service.session(mall, token)
    with pytest.raises(StaffSignInFailed):
        await service.sign_in(mall, "chen", PASSWORD)


async def test_enabling_again_does_not_bring_old_sessions_back(mall: Mall) -> None:
    staff_id = await _chen(mall)
    token, _ = await service.sign_in(mall, "chen", PASSWORD)

    await service.update_staff(mall, staff_id, change=StaffChange(state="disabled"), actor=SYSTEM)
    await service.update_staff(mall, staff_id, change=StaffChange(state="active"), actor=SYSTEM)

    with pytest.raises(StaffSessionInvalid):
        await service.session(mall, token)


async def test_unknown_expired_and_ended_tokens_are_refused(mall: Mall, clock: FrozenClock) -> None:
    await _chen(mall)
    token, session = await service.sign_in(mall, "chen", PASSWORD)
    other, _ = await service.sign_in(mall, "chen", PASSWORD)

    with pytest.raises(StaffSessionInvalid):
        await service.session(mall, "not a token")
    await service.sign_out(mall, session)
    await service.sign_out(mall, session)
    with pytest.raises(StaffSessionInvalid):
        await service.session(mall, token)
    assert (await service.session(mall, other)).login == "chen"
    clock.advance(timedelta(hours=12))
    with pytest.raises(StaffSessionInvalid):
        await service.session(mall, other)


async def test_too_many_tries_of_one_login_are_stopped(mall: Mall) -> None:
    await _chen(mall)

    for _ in range(10):
        with pytest.raises(StaffSignInFailed):
            await service.sign_in(mall, "chen", "wrong password", ip="203.0.113.1")
    with pytest.raises(RateLimited) as refused:
        await service.sign_in(mall, "chen", PASSWORD, ip="203.0.113.2")

    assert refused.value.status == 429
    assert refused.value.retry_after_s


async def test_signing_in_well_starts_the_count_over(mall: Mall) -> None:
    await _chen(mall)

    for _ in range(12):
        await service.sign_in(mall, "chen", PASSWORD)


async def test_too_many_tries_from_one_address_are_stopped(mall: Mall) -> None:
    for i in range(60):
        with pytest.raises(StaffSignInFailed):
            await service.sign_in(mall, f"nobody{i}", "x", ip="203.0.113.1")

    with pytest.raises(RateLimited):
        await service.sign_in(mall, "nobody", "x", ip="203.0.113.1")


async def test_a_session_knows_rights_as_of_now_in_one_statement(mall: Mall) -> None:
    store = await builders.a_store(mall)
    role = await service.create_role(mall, "cashier", name="Cashier", permissions=["orders.read", "gone.away"])
    await _chen(mall, roles=["cashier"], store_ids=[store.id])
    token, first = await service.sign_in(mall, "CHEN ", PASSWORD)
    await service.update_role(mall, role.id, change=RoleChange(permissions=["orders.fulfil"]), actor=SYSTEM)

    seen: list[str] = []
    counting = db.round_trips.set(seen)
    now = await service.session(mall, token)
    db.round_trips.reset(counting)

    assert len(seen) == 1
    assert first.permissions == {"orders.read", "gone.away"}
    assert now.permissions == {"orders.fulfil"}
    assert now.may("orders.fulfil")
    assert not now.may("orders.read")
    assert now.scope() == (store.id,)
    assert now.in_scope(store.id)
    assert not now.in_scope(store.id + 1)
    assert now.actor.kind == "staff"


async def test_tokens_and_passwords_are_not_stored_in_clear(mall: Mall) -> None:
    await _chen(mall)
    token, _ = await service.sign_in(mall, "chen", PASSWORD)

    rows = await db.rows(
        "SELECT p::text AS t FROM staff p UNION ALL SELECT s::text FROM staff_session s"
        " UNION ALL SELECT a::text FROM audit_entry a"
    )
    text = "\n".join(r["t"] for r in rows)

    assert token not in text
    assert token.encode().hex() not in text
    assert PASSWORD not in text
    assert "$argon2id$" in text
    audit = await db.rows("SELECT a::text AS t FROM audit_entry a")
    assert len(audit) == 2
    assert all("argon2" not in r["t"] for r in audit)


async def test_changing_the_password_asks_for_the_present_one_and_ends_other_sessions(mall: Mall) -> None:
    await _chen(mall)
    _, mine = await service.sign_in(mall, "chen", PASSWORD)
    other, _ = await service.sign_in(mall, "chen", PASSWORD)
    new = "a new pass phrase"

    with pytest.raises(PasswordWrong):
        await service.change_password(mall, mine, present="wrong", new=new)
    with pytest.raises(PasswordTooWeak):
        await service.change_password(mall, mine, present=PASSWORD, new="too short")
    await service.change_password(mall, mine, present=PASSWORD, new=new)

    with pytest.raises(StaffSessionInvalid):
        await service.session(mall, other)
    with pytest.raises(StaffSignInFailed):
        await service.sign_in(mall, "chen", PASSWORD)
    assert (await service.sign_in(mall, "chen", new))[1].login == "chen"
    assert await db.value("SELECT revoked_at IS NULL FROM staff_session WHERE id = $1", mine.session_id)


async def test_the_nightly_job_forgets_only_what_ended_long_ago(
    mall: Mall, clock: FrozenClock, run_job: RunJob
) -> None:
    await _chen(mall)
    await service.sign_in(mall, "chen", PASSWORD)
    clock.advance(timedelta(days=90))
    await run_job(mall, "staff.forget_old")
    kept = await db.value("SELECT count(*) FROM staff_session")
    clock.advance(timedelta(days=1))
    await run_job(mall, "staff.forget_old")

    assert (kept, await db.value("SELECT count(*) FROM staff_session")) == (1, 0)
