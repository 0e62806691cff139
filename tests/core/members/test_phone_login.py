from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from core import db
from core.cache import RateLimited, connect
from core.kernel import request
from core.kernel.contracts import NotificationChannel
from core.members import service
from core.members.errors import (
    ConsoleChannelInProduction,
    CredentialsMissing,
    LoginCodeNotSent,
    LoginCodeWrong,
    PhoneInvalid,
)
from core.members.phone_login import PhoneIdentity
from core.testing import races

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from core.kernel.mall import Mall
    from core.testing.clock import FrozenClock
    from tests.core.members.conftest import Phones

PHONE = "13800138000"


async def _prove(mall: Mall, code: str, phone: str = PHONE) -> str:
    return (await PhoneIdentity().prove(mall, credentials={"phone": phone, "code": code})).subject


def _other(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


async def _forget_redis(mall: Mall) -> None:
    """Redis was restarted empty."""
    assert mall.redis is not None
    await mall.redis.flushdb()


async def test_what_is_not_a_mobile_number_gets_no_code(mall: Mall, phones: Phones) -> None:
    for phone in ("", "abc", "123", "021-63216321", "+1", "13800138000138001380001380013800013800", "1380013800O"):
        with pytest.raises(PhoneInvalid):
            await service.send_login_code(mall, phone)

    assert phones.sent == []


async def test_a_wrong_code_and_an_unknown_phone_look_the_same(mall: Mall, phones: Phones) -> None:
    await service.send_login_code(mall, PHONE)

    with pytest.raises(LoginCodeWrong) as wrong:
        await _prove(mall, _other(phones.last_code))
    with pytest.raises(LoginCodeWrong) as unknown:
        await _prove(mall, "123456", "13900139000")

    assert wrong.value.as_problem() == unknown.value.as_problem()


async def test_missing_credentials_are_named(mall: Mall) -> None:
    with pytest.raises(CredentialsMissing) as refused:
        await PhoneIdentity().prove(mall, credentials={"phone": PHONE})

    assert refused.value.details["missing"] == "code"


async def test_a_code_works_once(mall: Mall, phones: Phones) -> None:
    await service.send_login_code(mall, "138 0013 8000")

    assert await _prove(mall, phones.last_code, "+86 138-0013-8000") == "+8613800138000"
    with pytest.raises(LoginCodeWrong):
        await _prove(mall, phones.last_code)


async def test_a_code_is_over_after_five_minutes(mall: Mall, phones: Phones, clock: FrozenClock) -> None:
    await service.send_login_code(mall, PHONE)
    clock.advance(timedelta(minutes=5))

    with pytest.raises(LoginCodeWrong):
        await _prove(mall, phones.last_code)


async def test_the_fifth_try_counts_and_the_sixth_does_not(mall: Mall, phones: Phones, clock: FrozenClock) -> None:
    await service.send_login_code(mall, PHONE)
    for _ in range(4):
        with pytest.raises(LoginCodeWrong):
            await _prove(mall, _other(phones.last_code))
    assert await _prove(mall, phones.last_code)

    clock.advance(timedelta(minutes=2))
    await _forget_redis(mall)
    await service.send_login_code(mall, PHONE)
    for _ in range(5):
        with pytest.raises(LoginCodeWrong):
            await _prove(mall, _other(phones.last_code))
    with pytest.raises(LoginCodeWrong):
        await _prove(mall, phones.last_code)


async def test_a_newer_code_ends_the_older_one(mall: Mall, phones: Phones, clock: FrozenClock) -> None:
    await service.send_login_code(mall, PHONE)
    older = phones.last_code
    clock.advance(timedelta(minutes=1))
    await _forget_redis(mall)
    await service.send_login_code(mall, PHONE)

    if older != phones.last_code:
        with pytest.raises(LoginCodeWrong):
            await _prove(mall, older)
    assert await _prove(mall, phones.last_code)


async def test_one_code_opens_once_however_many_try_at_once(mall: Mall, phones: Phones) -> None:
    await service.send_login_code(mall, PHONE)

    outcomes = await races.run_together(5, lambda: _prove(mall, phones.last_code))

    assert races.won(outcomes) == 1
    assert all(isinstance(e, LoginCodeWrong) for e in races.errors(outcomes))


async def test_reading_before_writing_would_open_twice(mall: Mall, phones: Phones) -> None:
    """The negative control of the race above."""
    await service.send_login_code(mall, PHONE)

    async def naive() -> None:
        live = await db.value("SELECT id FROM login_code WHERE used_at IS NULL")
        await races.gap()
        if live is None:
            raise LoginCodeWrong
        await db.execute("UPDATE login_code SET used_at = now() WHERE id = $1", live)

    assert races.won(await races.run_together(5, naive)) > 1


async def test_sending_is_limited_by_the_minute_the_hour_and_the_day_without_redis(
    mall: Mall, phones: Phones, clock: FrozenClock
) -> None:
    async def again() -> None:
        await _forget_redis(mall)
        await service.send_login_code(mall, PHONE)

    await again()
    with pytest.raises(RateLimited) as minute:
        await again()
    for _ in range(4):
        clock.advance(timedelta(minutes=1))
        await again()
    clock.advance(timedelta(minutes=1))
    with pytest.raises(RateLimited) as hour:
        await again()
    for _ in range(5):
        clock.advance(timedelta(hours=1))
        await again()
    clock.advance(timedelta(hours=1))
    with pytest.raises(RateLimited) as day:
        await again()

    assert len(phones.sent) == 10
    assert (minute.value.retry_after_s, hour.value.retry_after_s) == (60, 55 * 60)
    assert day.value.retry_after_s is not None
    clock.advance(timedelta(seconds=day.value.retry_after_s))
    await again()


async def test_redis_alone_stops_a_second_code_too(mall: Mall, phones: Phones) -> None:
    await service.send_login_code(mall, PHONE)
    await db.execute("DELETE FROM login_code")

    with pytest.raises(RateLimited):
        await service.send_login_code(mall, PHONE)

    assert len(phones.sent) == 1


def _processes_without_redis(mall: Mall, n: int) -> list[Mall]:
    """Several workers of one mall whose Redis is away: each counts for itself."""
    return [dataclasses.replace(mall, redis=connect("redis://127.0.0.1:1")) for _ in range(n)]


async def test_requests_at_once_to_several_processes_without_redis_send_one_code(mall: Mall, phones: Phones) -> None:
    workers = _processes_without_redis(mall, 4)

    outcomes = await races.run_together(4, lambda i: service.send_login_code(workers[i], PHONE, ip="203.0.113.1"))

    assert races.won(outcomes) == 1
    assert all(isinstance(e, RateLimited) for e in races.errors(outcomes))
    assert len(phones.sent) == 1


async def test_counting_without_a_lock_would_send_more(mall: Mall) -> None:
    """The negative control of the race above."""

    async def naive() -> None:
        sent = await db.value("SELECT count(*) FROM login_code WHERE phone = '1'")
        await races.gap()
        if sent:
            raise RateLimited(retry_after_s=60)
        await db.execute(
            "INSERT INTO login_code (phone, code_hash, created_at, expires_at, used_at) VALUES ('1', '', $1, $1, $1)",
            mall.clock.now(),
        )

    assert races.won(await races.run_together(4, naive)) > 1


async def test_an_address_is_limited_without_redis(mall: Mall, phones: Phones) -> None:
    for i in range(60):
        await service.send_login_code(mall, f"138001380{i:02d}", ip="203.0.113.1")
    await _forget_redis(mall)

    with pytest.raises(RateLimited):
        await service.send_login_code(mall, "13900139000", ip="203.0.113.1")
    await service.send_login_code(mall, "13900139001", ip="203.0.113.2")

    assert len(phones.sent) == 61


async def test_checking_is_limited_too(mall: Mall) -> None:
    for _ in range(15):
        with pytest.raises(LoginCodeWrong):
            await _prove(mall, "000000")

    with pytest.raises(RateLimited):
        await _prove(mall, "000000")


async def test_checking_from_one_address_is_limited_over_all_phones(mall: Mall) -> None:
    seen = request.current.set(request.RequestInfo(ip="203.0.113.1"))
    try:
        for i in range(120):
            with pytest.raises(LoginCodeWrong):
                await _prove(mall, "000000", f"138001{i:05d}")
        with pytest.raises(RateLimited):
            await _prove(mall, "000000", "13900139000")
    finally:
        request.current.reset(seen)


async def test_a_channel_that_is_down_is_said_so(mall: Mall, phones: Phones) -> None:
    phones.down = True

    with pytest.raises(LoginCodeNotSent):
        await service.send_login_code(mall, PHONE)


async def test_the_table_holds_no_code(mall: Mall, phones: Phones) -> None:
    await service.send_login_code(mall, PHONE)

    assert len(phones.last_code) == 6
    assert len(await db.value("SELECT code_hash FROM login_code")) == 32


async def test_the_console_channel_refuses_production_and_keeps_an_outbox_in_development(
    make_mall: Callable[..., Awaitable[Mall]], tmp_path: Path
) -> None:
    live = await make_mall(mall_env="production", mall_home=str(tmp_path / "live"))
    with pytest.raises(ConsoleChannelInProduction):
        await service.send_login_code(live, PHONE)
    assert not (tmp_path / "live").exists()

    demo = await make_mall(mall_env="development", mall_home=str(tmp_path / "demo"))
    await service.send_login_code(demo, "13900139000")
    await demo.objects.get(NotificationChannel, "console").send(demo, to="x", template="other", values={})

    lines = [json.loads(line) for line in (tmp_path / "demo" / "outbox.jsonl").read_text().splitlines()]
    assert [line["to"] for line in lines] == ["+8613900139000", "x"]
    assert await _prove(demo, lines[0]["values"]["code"], "13900139000")


async def test_the_nightly_job_forgets_codes_after_two_days(
    mall: Mall, clock: FrozenClock, run_job: Callable[..., Awaitable[None]]
) -> None:
    await service.send_login_code(mall, PHONE)
    clock.advance(timedelta(days=1, hours=23))
    await run_job(mall, "members.forget_old")
    kept = await db.value("SELECT count(*) FROM login_code")
    clock.advance(timedelta(hours=2))
    await run_job(mall, "members.forget_old")

    assert (kept, await db.value("SELECT count(*) FROM login_code")) == (1, 0)
