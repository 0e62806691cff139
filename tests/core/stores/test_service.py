"""Stores: creating, changing, closing, importing, finding."""

from __future__ import annotations

import csv
import time
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from core import db
from core.kernel.mall import Mall
from core.kernel.origin import Actor
from core.stores import service
from core.stores.errors import CloseInvalid, StoreCodeTaken, StoreInvalid, StoreNotFound, StoreVersionConflict
from core.stores.types import DateException, StoreChange, StoreDraft, StoreFilter, StoreView
from core.testing import races

STAFF = Actor(kind="staff", id=7, name="小王")
REAL = Path(__file__).parents[4] / "shared" / "data" / "stores-cn.csv"
real_data = pytest.mark.skipif(not REAL.is_file(), reason=f"the real stores are not at {REAL}")
ROUND_THE_WEEK = dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), (("08:00", "22:00"),))


async def a_store(mall: Mall, code: str = "S1", **over: object) -> StoreView:
    return await service.create_store(mall, StoreDraft(**{"code": code, "name": "人民广场店", **over}), actor=STAFF)  # type: ignore[arg-type]


async def events() -> list[tuple[str, int]]:
    return [(r["name"], r["store_id"]) for r in await db.rows("SELECT name, store_id FROM event ORDER BY id")]


# what is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"code": "has space"}, "stores.code_invalid"),
        ({"code": ""}, "stores.code_invalid"),
        ({"name": "  "}, "stores.name_missing"),
        ({"name": "x" * 129}, "stores.text_too_long"),
        ({"address": "a\0b"}, "stores.text_invalid"),
        ({"extra": {"a": "\0"}}, "stores.text_invalid"),
        ({"extra": {"a": "x" * 9000}}, "stores.extra_too_large"),
        ({"lat": 31.2}, "stores.coordinates_invalid"),
        ({"lat": 131.2, "lng": 31.0}, "stores.coordinates_invalid"),
        ({"zone": "Mars/Olympus"}, "stores.zone_unknown"),
        ({"zone": "../../etc/passwd"}, "stores.zone_unknown"),
        ({"zone": ""}, "stores.zone_unknown"),
        ({"hours": {"mon": (("9:00", "18:00"),)}}, "stores.hours_invalid"),
        ({"exceptions": {"2026-02-17": DateException(closed=True, note="x" * 201)}}, "stores.text_too_long"),
    ],
)
async def test_a_store_that_cannot_be_is_refused_with_its_reason(
    mall: Mall, over: dict[str, object], code: str
) -> None:
    with pytest.raises(StoreInvalid) as refused:
        await a_store(mall, **over)

    assert [p.code for p in refused.value.problems] == [code]
    assert await db.value("SELECT count(*) FROM store") == 0


async def test_all_reasons_are_given_at_once(mall: Mall) -> None:
    with pytest.raises(StoreInvalid) as refused:
        await a_store(mall, name="", zone="Nowhere", lat=99.0, lng=1.0)

    assert {p.code for p in refused.value.problems} == {
        "stores.name_missing",
        "stores.zone_unknown",
        "stores.coordinates_invalid",
    }


async def test_a_code_is_taken_once(mall: Mall) -> None:
    await a_store(mall)

    with pytest.raises(StoreCodeTaken):
        await a_store(mall, name="另一家")


async def test_two_stores_with_one_code_at_once_are_one(mall: Mall) -> None:
    outcomes = await races.run_together(4, lambda: a_store(mall))

    assert races.won(outcomes) == 1
    assert {type(e) for e in races.errors(outcomes)} == {StoreCodeTaken}


async def test_a_store_that_is_not_there_cannot_be_read_changed_or_closed(mall: Mall) -> None:
    for call in (
        lambda: service.get_store(mall, 99),
        lambda: service.get_by_code(mall, "S99"),
        lambda: service.update_store(mall, 99, StoreChange(name="x"), version=1, actor=STAFF),
        lambda: service.close_temporarily(mall, 99, actor=STAFF),
        lambda: service.reopen(mall, 99, actor=STAFF),
    ):
        with pytest.raises(StoreNotFound):
            await call()


async def test_a_change_to_an_older_version_is_refused(mall: Mall) -> None:
    store = await a_store(mall)
    await service.update_store(mall, store.id, StoreChange(notice="今日买一送一"), version=1, actor=STAFF)

    with pytest.raises(StoreVersionConflict):
        await service.update_store(mall, store.id, StoreChange(name="新名字"), version=1, actor=STAFF)

    assert (await service.get_store(mall, store.id)).name == "人民广场店"


async def test_of_several_changes_at_once_one_wins(mall: Mall) -> None:
    store = await a_store(mall)

    async def naive(number: int) -> None:
        name = await db.value("SELECT name FROM store WHERE id = $1", store.id)
        await races.gap()
        await db.execute("UPDATE store SET name = $2 WHERE id = $1", store.id, f"{name}{number}")

    control = await races.run_together(4, naive)
    outcomes = await races.run_together(
        4, lambda n: service.update_store(mall, store.id, StoreChange(name=f"店 {n}"), version=1, actor=STAFF)
    )

    assert races.won(control) == 4  # the negative control: without the version all write over each other
    assert races.won(outcomes) == 1
    assert (await service.get_store(mall, store.id)).version == 2


async def test_a_temporary_close_ends_after_it_begins_and_after_now(mall: Mall) -> None:
    store, now = await a_store(mall), mall.clock.now()

    for since, until in (
        (now, now),
        (now + timedelta(days=2), now + timedelta(days=1)),
        (now - timedelta(days=2), now),
    ):
        with pytest.raises(CloseInvalid):
            await service.close_temporarily(mall, store.id, since=since, until=until, actor=STAFF)


# what happens ---------------------------------------------------------------------------------------------------------


async def test_a_store_comes_back_as_it_was_given(mall: Mall) -> None:
    night = {"fri": (("22:00", "02:00"),), "sat": (("12:00", "24:00"),), "sun": ()}
    off = {
        "2026-02-17": DateException(closed=True, note="春节"),
        "2026-02-18": DateException(spans=(("10:00", "16:00"),)),
    }

    made = await a_store(
        mall, city="上海市", lat=31.2304, lng=121.4737, coord_sys="wgs84", services=("pickup", "delivery", "pickup"),
        hours=night, exceptions=off, notice="营业中", extra={"seats": 12},
    )  # fmt: skip

    store = await service.get_by_code(mall, "S1")
    assert store == made
    assert (store.lat, store.lng) == pytest.approx((31.2283, 121.4782), abs=1e-3)  # shifted to GCJ-02
    assert store.coord_sys_given == "wgs84"
    assert store.services == ("delivery", "pickup")
    assert store.hours == {"fri": (("22:00", "02:00"),), "sat": (("12:00", "24:00"),)}
    assert store.exceptions == off
    assert (store.state, store.zone, store.version) == ("active", "Asia/Shanghai", 1)


async def test_a_change_is_audited_and_announced(mall: Mall) -> None:
    store = await a_store(mall)

    changed = await service.update_store(
        mall, store.id, StoreChange(name="外滩店", hours=ROUND_THE_WEEK), version=1, actor=STAFF
    )

    assert (changed.name, changed.version, changed.hours["mon"]) == ("外滩店", 2, (("08:00", "22:00"),))
    assert await events() == [("store.created", store.id), ("store.changed", store.id)]
    entry = await db.row("SELECT * FROM audit_entry WHERE action = 'store.update'")
    assert entry is not None
    assert (entry["actor_id"], entry["subject_id"], entry["store_id"]) == (7, str(store.id), store.id)
    assert msgspec.json.decode(entry["before"]) == {"name": "人民广场店", "hours": {}}
    assert msgspec.json.decode(entry["after"])["name"] == "外滩店"


async def test_a_change_to_what_is_already_so_is_none(mall: Mall) -> None:
    store = await a_store(
        mall, hours=ROUND_THE_WEEK, lat=31.2, lng=121.4, exceptions={"2026-02-17": DateException(closed=True)}
    )
    same = StoreChange(
        name=store.name,
        hours=ROUND_THE_WEEK,
        lat=31.2,
        lng=121.4,
        exceptions={"2026-02-17": DateException(closed=True)},
    )

    again = await service.update_store(mall, store.id, same, version=1, actor=STAFF)

    assert again == store
    assert await events() == [("store.created", store.id)]


async def test_a_position_can_be_taken_away(mall: Mall) -> None:
    store = await a_store(mall, lat=31.2, lng=121.4)

    changed = await service.update_store(mall, store.id, StoreChange(lat=None, lng=None), version=1, actor=STAFF)

    assert (changed.lat, changed.lng) == (None, None)


async def test_closing_and_reopening(mall: Mall) -> None:
    store, now = await a_store(mall, hours=ROUND_THE_WEEK), mall.clock.now()

    shut = await service.close_temporarily(mall, store.id, until=now + timedelta(days=1), reason="停电", actor=STAFF)
    opened = await service.reopen(mall, store.id, actor=STAFF)
    again = await service.reopen(mall, store.id, actor=STAFF)

    assert (shut.closed_from, shut.closed_until, shut.closed_reason) == (now, now + timedelta(days=1), "停电")
    assert (opened.closed_from, opened.closed_until, opened.closed_reason) == (None, None, "")
    assert again == opened
    assert [name for name, _ in await events()] == ["store.created", "store.changed", "store.changed"]


# many at once ---------------------------------------------------------------------------------------------------------


async def test_an_import_rejects_only_what_is_wrong(mall: Mall) -> None:
    await a_store(mall, "OLD")
    drafts = [
        StoreDraft(code="A", name="甲"),
        StoreDraft(code="B", name=""),
        StoreDraft(code="A", name="又一个甲"),
        StoreDraft(code="OLD", name="人民广场店"),
        StoreDraft(code="C", name="丙", lat=31.2, lng=121.4),
    ]

    results = await service.upsert_stores(mall, drafts, actor=STAFF)

    assert [r.outcome for r in results] == ["created", "rejected", "rejected", "unchanged", "created"]
    assert [[p.code for p in r.problems] for r in results[1:3]] == [["stores.name_missing"], ["stores.code_twice"]]
    assert [r.store_id is not None for r in results] == [True, False, False, True, True]


async def test_an_import_leaves_alone_what_it_does_not_speak_of(mall: Mall) -> None:
    store = await a_store(mall, hours=ROUND_THE_WEEK, notice="今日买一送一", state="inactive")

    results = await service.upsert_stores(mall, [StoreDraft(code="S1", name="新名字", city="上海市")], actor=STAFF)

    after = await service.get_store(mall, store.id)
    assert [r.outcome for r in results] == ["changed"]
    assert (after.name, after.city, after.version) == ("新名字", "上海市", 2)
    assert (after.hours, after.notice, after.state) == (store.hours, store.notice, "inactive")


async def test_a_dry_run_writes_nothing(mall: Mall) -> None:
    results = await service.upsert_stores(mall, [StoreDraft(code="A", name="甲")], actor=STAFF, dry_run=True)

    assert [(r.outcome, r.store_id) for r in results] == [("created", None)]
    assert await db.value("SELECT (SELECT count(*) FROM store) + (SELECT count(*) FROM event)") == 0


def real_drafts() -> list[StoreDraft]:
    with REAL.open(encoding="utf-8", newline="") as file:
        return [
            StoreDraft(
                code=r["Store Number"], name=r["Store Name"], city=r["City"], province=r["State/Province"],
                address=r["Street Address"], postcode=r["Postcode"], phone=r["Phone Number"],
                lat=float(r["Latitude"]), lng=float(r["Longitude"]), coord_sys="wgs84", hours=ROUND_THE_WEEK,
                services=("pickup",),
            )
            for r in csv.DictReader(file)
        ]  # fmt: skip


@real_data
async def test_the_real_stores_come_in_quickly_and_a_second_time_nothing_happens(mall: Mall) -> None:
    drafts = real_drafts()
    trips: list[str] = []
    token = db.round_trips.set(trips)

    started = time.perf_counter()
    first = await service.upsert_stores(mall, drafts, actor=STAFF)
    took_s = time.perf_counter() - started
    statements = len(trips)
    told = await db.value("SELECT count(*) FROM event")
    second = await service.upsert_stores(mall, drafts, actor=STAFF)
    db.round_trips.reset(token)

    assert {r.outcome for r in first} == {"created"}
    assert len(first) == 2734
    assert statements <= 6
    assert took_s < 10  # well under a second on a quiet machine; the statements above are what keeps it so
    assert {r.outcome for r in second} == {"unchanged"}
    assert [r.store_id for r in second] == [r.store_id for r in first]
    assert await db.value("SELECT count(*) FROM event") == told == 2734
    assert await db.value("SELECT max(version) FROM store") == 1


async def test_two_imports_at_once_do_not_block_each_other(mall: Mall) -> None:
    drafts = [StoreDraft(code=f"S{n}", name=f"店 {n}") for n in range(300)]

    outcomes = await races.run_together(
        2, lambda n: service.upsert_stores(mall, drafts if n else list(reversed(drafts)), actor=STAFF)
    )

    assert races.won(outcomes) == 2
    assert await db.value("SELECT count(*) FROM store") == 300


# finding --------------------------------------------------------------------------------------------------------------


async def test_lists_filter_and_go_on_where_they_stopped(mall: Mall) -> None:
    made = [await a_store(mall, f"S{n}", city="上海市" if n % 2 else "北京市", services=("pickup",)) for n in range(6)]
    await a_store(mall, "OFF", city="上海市", state="closed")

    first = await service.list_stores(mall, StoreFilter(city="上海市", state="active"), limit=2)
    rest = await service.list_stores(mall, StoreFilter(city="上海市", state="active"), after=first[-1].id, limit=2)

    assert [s.id for s in [*first, *rest]] == [s.id for s in made if s.city == "上海市"]
    assert await service.list_stores(mall, StoreFilter(service="delivery")) == []
    assert await service.list_stores(mall, StoreFilter(ids=())) == []
    assert [s.id for s in await service.list_stores(mall, StoreFilter(ids=(made[3].id,)))] == [made[3].id]


async def test_searching_finds_chinese_latin_code_and_address_and_never_trips(mall: Mall) -> None:
    river = await a_store(mall, "SH-0001", name="上海外滩 Riverside 旗舰店", city="上海市", address="中山东一路 12 号")
    other = await a_store(mall, "BJ-0001", name="北京西站店", city="北京市", address="100% 广场_1")
    await a_store(mall, "SH-0002", name="外滩旧店", state="closed")

    for q in ("外滩", "riverside", "RIVERSIDE 上海", "SH-0001", "中山东", "滩"):
        assert [s.id for s in await service.search_stores(mall, q)] == [river.id], q
    assert [s.id for s in await service.search_stores(mall, "rivrside")] == [river.id]  # nobody has it: similar
    assert [s.id for s in await service.search_stores(mall, "100%")] == [other.id]
    for q in ("", "   ", "%", "_", "\\", "'; DROP TABLE store", "\0", "外" * 500):
        await service.search_stores(mall, q)
    assert [s.id for s in await service.list_stores(mall, StoreFilter(q="100%"))] == [other.id]


async def test_cities_are_counted_by_their_active_stores(mall: Mall) -> None:
    for n, (city, state) in enumerate(
        [("上海市", "active"), ("上海市", "active"), ("北京市", "active"), ("北京市", "closed"), ("", "active")]
    ):
        await a_store(mall, f"S{n}", city=city, state=state)

    assert [(c.city, c.stores) for c in await service.list_cities(mall)] == [("上海市", 2), ("北京市", 1)]


async def test_plugins_add_to_stores_and_a_broken_one_is_left_out(make_mall, deliver_events) -> None:
    from core.hookspecs import hookimpl

    class Adds:
        @hookimpl
        async def extend_stores(self, ids: tuple[int, ...]) -> dict[int, object]:
            return {store_id: {"seats": 12} for store_id in (*ids, 10**9)}

    class Broken:
        @hookimpl
        async def extend_stores(self) -> None:
            raise RuntimeError

    mall = await make_mall(extra={"adds": Adds(), "broken": Broken()})
    store = await a_store(mall)

    added = await service.extras(mall, [store.id])

    assert added.by_store[store.id] == {"adds": {"seats": 12}}
    assert added.failed == ("broken",)
