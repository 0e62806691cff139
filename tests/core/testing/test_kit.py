"""The kit itself: servers, fixtures, wiping, races."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from core import db
from core.testing import databases, races

if TYPE_CHECKING:
    from core.kernel.mall import Mall
    from core.testing.clock import FrozenClock

_ADD = "INSERT INTO staff_role (code, name, permissions) VALUES ('r', 'r', '{}')"


@pytest.mark.parametrize("turn", [1, 2])
async def test_every_test_starts_with_empty_tables(database: str, turn: int) -> None:
    assert await db.value("SELECT count(*) FROM staff_role") == 0, turn

    await db.execute(_ADD)


async def test_wiping_leaves_the_record_of_migrations(database: str) -> None:
    await databases.wipe()

    assert await db.value("SELECT count(*) FROM migration") > 0


async def test_the_clock_of_a_test_mall_stands_still_until_it_is_moved(mall: Mall, clock: FrozenClock) -> None:
    before = mall.clock.now()

    clock.advance(timedelta(hours=1))

    assert mall.clock.now() - before == timedelta(hours=1)


async def test_every_test_starts_with_an_empty_redis(mall: Mall) -> None:
    assert mall.redis is not None
    assert await mall.redis.dbsize() == 0


async def test_the_structure_of_an_own_database_can_be_changed(own_database: str) -> None:
    await db.execute("DROP TABLE staff_role CASCADE")

    assert await db.value("SELECT to_regclass('staff_role')") is None


async def test_a_race_starts_together_and_reports_each_outcome(database: str) -> None:
    await db.execute("INSERT INTO staff_role (code, name, permissions) VALUES ('left', '1', '{}')")

    async def naive() -> None:
        left = await db.value("SELECT name FROM staff_role WHERE code = 'left'")
        await races.gap()
        if left != "1":
            raise LookupError
        await db.execute("UPDATE staff_role SET name = '0' WHERE code = 'left'")

    outcomes = await races.run_together(2, naive)

    assert races.won(outcomes) == 2, "without a guard both win: the harness can show a race"


async def test_a_race_of_one_guarded_row_has_one_winner(database: str) -> None:
    await db.execute("INSERT INTO staff_role (code, name, permissions) VALUES ('left', '1', '{}')")

    async def guarded(_number: int) -> None:
        if not await db.execute("UPDATE staff_role SET name = '0' WHERE code = 'left' AND name = '1'"):
            raise LookupError

    outcomes = await races.run_together(4, guarded)

    assert races.won(outcomes) == 1
    assert [type(e) for e in races.errors(outcomes)] == [LookupError] * 3
