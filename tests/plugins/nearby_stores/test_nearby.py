"""The nearest stores: from the index and without it, with filters, page by page."""

from __future__ import annotations

import contextlib
import csv
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from core import db
from core.kernel.mall import Mall
from core.kernel.origin import SYSTEM
from core.stores import service as stores
from core.stores.types import StoreChange, StoreDraft
from core.testing import builders
from plugins.nearby_stores import index, service
from plugins.nearby_stores.geo import distance_m
from plugins.nearby_stores.types import MAX_RADIUS_M, IndexReport, NearbyStore, Place, Wanted

MakeMall = Callable[..., Awaitable[Mall]]
REAL = Path(__file__).parents[4] / "shared" / "data" / "stores-cn.csv"
real_data = pytest.mark.skipif(not REAL.is_file(), reason=f"the real stores are not at {REAL}")
SQUARE = Place(31.2304, 121.4737)
URL = "/storefront/v1/x/nearby_stores/stores"
STEP = 0.001  # degrees of latitude: about 111 metres


@pytest.fixture
async def mall(make_mall: MakeMall) -> Mall:
    return await make_mall(plugins=("nearby_stores",))


async def row_of_stores(mall: Mall, n: int, **over: Any) -> list[int]:
    """Make stores north of the square, each a step further than the one before."""
    return [(await builders.a_store(mall, lat=SQUARE.lat + i * STEP, **over)).id for i in range(n)]


async def indexed(mall: Mall) -> None:
    """Build the index and let the fresh changes grow old, so that only the index knows the stores."""
    await index.rebuild(mall)
    mall.clock.advance(service.LAG + timedelta(minutes=1))  # type: ignore[attr-defined]


async def ids(mall: Mall, wanted: Wanted | None = None, limit: int = 50) -> list[int]:
    return [s.id for s in await service.find(mall, wanted or Wanted(place=SQUARE), limit=limit)]


@contextlib.contextmanager
def without_redis(mall: Mall) -> Any:
    redis, mall.redis = mall.redis, None
    yield
    mall.redis = redis


# what is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("lat=91&lng=0", "request.invalid"),
        ("lat=nan&lng=0", "request.invalid"),
        ("lat=31&lng=-181", "request.invalid"),
        ("lat=31", "stores.coordinates_invalid"),
        ("lat=31&lng=121&radius_m=50001", "request.invalid"),
        ("lat=31&lng=121&radius_m=0", "request.invalid"),
        ("lat=31&lng=121&limit=51", "request.invalid"),
        ("lat=31&lng=121&coord=mars", "request.invalid"),
        ("lat=31&lng=121&service=teleport", "request.invalid"),
        ("lat=31&lng=121&cursor=nonsense", "request.bad_cursor"),
    ],
)
async def test_a_query_that_cannot_be_answered_is_refused(
    mall: Mall, client: httpx.AsyncClient, query: str, code: str
) -> None:
    answer = await client.get(f"{URL}?{query}")

    assert (answer.status_code, answer.json()["code"]) == (400, code)


# the answer -----------------------------------------------------------------------------------------------------------


async def test_the_nearest_comes_first_and_ties_go_by_id(mall: Mall) -> None:
    far, near, twin = [
        (await builders.a_store(mall, lat=lat)).id for lat in (SQUARE.lat + STEP, SQUARE.lat, SQUARE.lat)
    ]
    await builders.a_store(mall, lat=SQUARE.lat + 1)
    await builders.a_store(mall, lat=None, lng=None)

    found = await service.find(mall, Wanted(place=SQUARE, radius_m=5000), limit=50)

    assert [(s.id, s.distance_m) for s in found] == [(near, 0), (twin, 0), (far, 111)]


async def test_the_radius_counts_whole_metres(mall: Mall) -> None:
    store = await builders.a_store(mall, lat=SQUARE.lat + STEP)

    assert await ids(mall, Wanted(place=SQUARE, radius_m=111)) == [store.id]
    assert await ids(mall, Wanted(place=SQUARE, radius_m=110)) == []


async def test_the_filters_are_asked_of_the_database_not_of_the_index(mall: Mall) -> None:
    closed, shut, delivers, plain = await row_of_stores(mall, 4)
    await indexed(mall)
    await stores.update_store(mall, closed, StoreChange(state="closed"), version=1, actor=SYSTEM)
    await stores.close_temporarily(mall, shut, actor=SYSTEM)
    await stores.update_store(mall, delivers, StoreChange(services=("delivery",)), version=1, actor=SYSTEM)

    assert await ids(mall) == [shut, delivers, plain]
    assert await ids(mall, Wanted(place=SQUARE, open_now=True)) == [delivers, plain]
    assert await ids(mall, Wanted(place=SQUARE, service="delivery")) == [delivers]


async def test_only_stores_with_the_sku_in_stock(mall: Mall) -> None:
    first, second, third = await row_of_stores(mall, 3)
    tracked = (await builders.a_product(mall)).sku
    untracked = (await builders.a_product(mall, [{"tracked": False}])).sku
    await builders.stock(mall, tracked.id, await builders.location_of(second), 1)

    assert await ids(mall, Wanted(place=SQUARE, sku_id=tracked.id)) == [second]
    assert await ids(mall, Wanted(place=SQUARE, sku_id=untracked.id)) == [first, second, third]
    assert await ids(mall, Wanted(place=SQUARE, sku_id=10**9)) == []


async def test_without_a_position_the_stores_of_a_city_and_then_all(mall: Mall) -> None:
    shanghai = await row_of_stores(mall, 2)
    beijing = await row_of_stores(mall, 1, city="北京市")

    assert await ids(mall, Wanted(city="北京市")) == beijing
    assert await ids(mall, Wanted()) == [*shanghai, *beijing]
    assert await ids(mall, Wanted(city="火星")) == []
    assert (await service.find(mall, Wanted(), limit=1))[0].distance_m is None


async def test_the_position_may_come_in_any_system(mall: Mall, client: httpx.AsyncClient) -> None:
    store = await stores.create_store(
        mall, StoreDraft(code="S", name="广场店", lat=31.2304, lng=121.4737, coord_sys="wgs84"), actor=SYSTEM
    )

    for system, lat, lng in (("wgs84", 31.2304, 121.4737), ("gcj02", store.lat, store.lng)):
        answer = (await client.get(URL, params={"lat": lat, "lng": lng, "coord": system})).json()
        assert [(s["id"], s["distance_m"]) for s in answer["items"]] == [(store.id, 0)], system
    shifted = (await client.get(URL, params={"lat": 31.2304, "lng": 121.4737, "coord": "gcj02"})).json()
    assert 100 < shifted["items"][0]["distance_m"] < 1000


async def test_the_answer_says_when_a_store_opens(mall: Mall, client: httpx.AsyncClient) -> None:
    await builders.a_store(mall, hours={"sun": [["08:00", "22:00"]]}, notice="周日见")

    (store,) = (await client.get(URL, params={"lat": SQUARE.lat, "lng": SQUARE.lng})).json()["items"]

    assert (store["open_now"], store["reason"], store["notice"]) == (False, "outside_hours", "周日见")
    assert store["next_change"] == "2026-11-22T00:00:00Z"


async def test_the_radius_of_the_settings_holds_when_the_shopper_says_none(
    make_mall: MakeMall, client: httpx.AsyncClient
) -> None:
    mall = await make_mall(plugins=("nearby_stores",), environ={"MALL_NEARBY_STORES__DEFAULT_RADIUS_M": "100"})
    near, _far = await row_of_stores(mall, 2)

    answer = (await client.get(URL, params={"lat": SQUARE.lat, "lng": SQUARE.lng})).json()

    assert [s["id"] for s in answer["items"]] == [near]


# pages ----------------------------------------------------------------------------------------------------------------


async def pages(client: httpx.AsyncClient, limit: int, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        answer = await client.get(URL, params={**params, "limit": limit, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return found


async def test_pages_join_without_a_gap_even_where_filters_drop_stores(mall: Mall, client: httpx.AsyncClient) -> None:
    everywhere = {"lat": SQUARE.lat, "lng": SQUARE.lng, "radius_m": MAX_RADIUS_M}
    made = [
        (await builders.a_store(mall, lat=SQUARE.lat + n // 4 * STEP, hours={} if n % 3 else builders.ALWAYS_OPEN)).id
        for n in range(30)
    ]
    whole = [s["id"] for s in (await client.get(URL, params={**everywhere, "limit": 50})).json()["items"]]
    opened = [n for i, n in enumerate(made) if i % 3 == 0]

    for limit in (1, 4, 7, 30):
        assert [s["id"] for s in await pages(client, limit, **everywhere)] == whole == made
        assert [s["id"] for s in await pages(client, limit, **everywhere, open_now=True)] == opened
        assert [s["id"] for s in await pages(client, limit, city="上海市", open_now=True)] == opened


async def test_a_store_that_closes_between_two_pages_moves_nobody(mall: Mall) -> None:
    made = await row_of_stores(mall, 6)
    first = await service.find(mall, Wanted(place=SQUARE), limit=2)

    await stores.close_temporarily(mall, made[1], actor=SYSTEM)
    await stores.update_store(mall, made[2], StoreChange(state="closed"), version=1, actor=SYSTEM)
    rest = await service.find(mall, Wanted(place=SQUARE), after=service.position_of(first[-1]), limit=50)

    assert [s.id for s in [*first, *rest]] == [made[0], made[1], *made[3:]]


# the index ------------------------------------------------------------------------------------------------------------


async def test_events_keep_the_index(mall: Mall, deliver_events: Callable[[Mall], Awaitable[int]]) -> None:
    await index.rebuild(mall)
    store = await stores.create_store(
        mall, StoreDraft(code="S", name="广场店", lat=31.2304, lng=121.4737), actor=SYSTEM
    )
    assert await index.candidates(mall, 31.2304, 121.4737, 100) == []

    await deliver_events(mall)
    assert await index.candidates(mall, 31.2304, 121.4737, 100) == [store.id]

    store = await stores.update_store(mall, store.id, StoreChange(lat=39.9, lng=116.4), version=1, actor=SYSTEM)
    await deliver_events(mall)
    assert await index.candidates(mall, 31.2304, 121.4737, 100) == []
    assert await index.candidates(mall, 39.9, 116.4, 100) == [store.id]

    await stores.update_store(mall, store.id, StoreChange(state="closed"), version=2, actor=SYSTEM)
    await deliver_events(mall)
    assert await index.candidates(mall, 39.9, 116.4, 100) == []


async def test_a_change_that_the_index_has_not_heard_of_is_seen_at_once(mall: Mall) -> None:
    made = await row_of_stores(mall, 2)
    await indexed(mall)

    store = await stores.create_store(
        mall, StoreDraft(code="S", name="新店", lat=SQUARE.lat, lng=SQUARE.lng), actor=SYSTEM
    )
    await stores.update_store(mall, made[0], StoreChange(lat=39.9, lng=116.4), version=1, actor=SYSTEM)

    assert await ids(mall) == [store.id, made[1]]


async def test_candidates_come_from_the_index(mall: Mall) -> None:
    """The negative control of the tests below: a store that the index does not know is not found."""
    made = await row_of_stores(mall, 2)
    await indexed(mall)
    assert mall.redis is not None

    await mall.redis.zrem(index.KEY, made[0])

    assert await ids(mall) == [made[1]]


async def test_an_index_that_vanished_costs_no_store_and_asks_to_be_rebuilt(
    mall: Mall, deliver_events: Callable[[Mall], Awaitable[int]]
) -> None:
    made = await row_of_stores(mall, 3)
    await indexed(mall)
    assert mall.redis is not None

    await mall.redis.flushdb()
    assert await ids(mall) == made
    await index.put(mall, [made[1]])  # an event arrives before the rebuild: one store is not the whole index
    assert await ids(mall) == made

    assert await db.value("SELECT count(*) FROM pgqueuer WHERE entrypoint = $1", index.REBUILD) == 1


async def test_an_index_of_another_type_or_a_redis_that_is_away_costs_no_store(mall: Mall) -> None:
    made = await row_of_stores(mall, 3)
    await indexed(mall)
    assert mall.redis is not None
    await mall.redis.set(index.KEY, "not an index")
    assert await ids(mall) == made

    working, mall.redis = mall.redis, Redis.from_url("redis://127.0.0.1:1")
    assert await ids(mall) == made
    await mall.redis.aclose()
    mall.redis = working


async def test_check_finds_and_repairs_what_is_missing_misplaced_or_too_much(mall: Mall) -> None:
    made = await row_of_stores(mall, 4)
    await indexed(mall)
    assert mall.redis is not None
    await mall.redis.zrem(index.KEY, made[0])
    await mall.redis.geoadd(index.KEY, [116.4, 39.9, made[1]])
    await mall.redis.geoadd(index.KEY, [121.4737, 31.2304, 10**9])

    first, second = await index.check(mall), await index.check(mall)

    assert (first.stores, first.missing, first.misplaced, first.surplus, first.rebuilt) == (4, 1, 1, 1, False)
    assert (second.missing, second.misplaced, second.surplus) == (0, 0, 0)
    assert await ids(mall) == made


async def test_check_rebuilds_an_index_that_is_not_there(mall: Mall) -> None:
    made = await row_of_stores(mall, 4)

    assert (await index.check(mall)).rebuilt
    mall.clock.advance(timedelta(hours=1))  # type: ignore[attr-defined]
    assert await ids(mall) == made


async def test_the_nightly_job_rebuilds_in_one_step_and_leaves_nothing_behind(
    mall: Mall, run_job: Callable[..., Awaitable[None]]
) -> None:
    made = await row_of_stores(mall, 3)

    await run_job(mall, index.REBUILD)
    await run_job(mall, index.REBUILD)

    assert mall.redis is not None
    assert [key async for key in mall.redis.scan_iter("mall:nearby_stores:*")] == [index.KEY.encode()]
    assert await mall.redis.ttl(index.KEY) == -1
    mall.clock.advance(timedelta(hours=1))  # type: ignore[attr-defined]
    assert await ids(mall) == made


async def test_far_north_the_database_answers_alone(mall: Mall) -> None:
    pole = await builders.a_store(mall, lat=89.0, lng=10.0)
    await indexed(mall)

    assert await ids(mall, Wanted(place=Place(89.0, 11.0), radius_m=MAX_RADIUS_M)) == [pole.id]


def test_the_commands_say_what_was_wrong() -> None:
    import click
    from click.testing import CliRunner

    from plugins.nearby_stores import plugin

    class Runner:
        def run(self, _work: object) -> IndexReport:
            return IndexReport(stores=4, missing=1, misplaced=2, surplus=3, rebuilt=True)

    group = click.Group("nearby_stores")
    plugin.register_commands(group)

    assert sorted(group.commands) == ["check", "rebuild"]
    said = CliRunner().invoke(group, ["check"], obj=Runner())
    assert said.output == "4 stores, rebuilt; 1 missing, 2 misplaced, 3 surplus, repaired.\n"


# the real stores ------------------------------------------------------------------------------------------------------


@pytest.fixture
async def real_mall(mall: Mall) -> Mall:
    with REAL.open(encoding="utf-8", newline="") as file:
        drafts = [
            StoreDraft(
                code=r["Store Number"], name=r["Store Name"], city=r["City"], lat=float(r["Latitude"]),
                lng=float(r["Longitude"]), coord_sys="wgs84", services=("pickup", "delivery") if n % 3 else ("pickup",),
                hours={"sat": (("09:00", "21:00"),)} if n % 4 else {"sat": (("18:00", "02:00"),)},
            )
            for n, r in enumerate(csv.DictReader(file))
        ]  # fmt: skip
    await stores.upsert_stores(mall, drafts, actor=SYSTEM)
    await indexed(mall)
    return mall


def random_points(n: int) -> list[Wanted]:
    """Positions over China, most of them where the stores are, with all radii and filters."""
    dice = random.Random(20261121)
    centres = [(31.23, 121.47), (39.91, 116.40), (23.13, 113.26), (22.54, 114.06), (30.27, 120.16), (22.30, 114.17)]
    points: list[Wanted] = []
    for number in range(n):
        lat, lng = dice.choice(centres)
        place = Place(lat + dice.gauss(0, 0.15), lng + dice.gauss(0, 0.15))
        if number % 10 == 0:
            place = Place(dice.uniform(18, 54), dice.uniform(73, 135))
        points.append(
            Wanted(
                place=place,
                radius_m=dice.choice([1, 300, 1000, 3000, 10_000, 49_999, MAX_RADIUS_M]),
                service=dice.choice([None, None, "delivery"]),
                open_now=dice.random() < 0.3,
            )
        )
    return points


async def in_pages(mall: Mall, wanted: Wanted, limit: int) -> list[NearbyStore]:
    found: list[NearbyStore] = []
    while True:
        after = service.position_of(found[-1]) if found else None
        page = await service.find(mall, wanted, after=after, limit=limit)
        found += page
        if len(page) < limit:
            return found


@real_data
async def test_over_the_real_stores_index_and_database_say_the_same(real_mall: Mall) -> None:
    mall = real_mall
    everything = await stores.active_points(mall)
    total = 0
    for number, wanted in enumerate(random_points(200)):
        assert wanted.place is not None
        candidates = await index.candidates(mall, wanted.place.lat, wanted.place.lng, wanted.radius_m)
        assert candidates is not None  # the index is in use
        from_index = await service.find(mall, wanted, limit=3000)
        with without_redis(mall):
            from_database = await service.find(mall, wanted, limit=3000)

        assert from_index == from_database
        assert [service.position_of(s) for s in from_index] == sorted(service.position_of(s) for s in from_index)
        if wanted.service is None and not wanted.open_now:  # the plainest way to know: look at every store
            place = wanted.place
            near = [(distance_m(place.lat, place.lng, p.lat, p.lng), p.id) for p in everything]
            assert [service.position_of(s) for s in from_index] == sorted(n for n in near if n[0] <= wanted.radius_m)
        if number % 5 == 0:
            assert await in_pages(mall, wanted, 1 + number % 50) == from_index
        total += len(from_index)
    assert total > 10_000


@real_data
async def test_over_the_real_stores_an_index_that_comes_and_goes_changes_nothing(real_mall: Mall) -> None:
    mall, dice = real_mall, random.Random(7)
    assert mall.redis is not None
    for wanted in random_points(40):
        with without_redis(mall):
            expected = await service.find(mall, wanted, limit=3000)
        found: list[NearbyStore] = []
        while True:
            match dice.randrange(4):
                case 0:
                    await mall.redis.delete(index.KEY)
                case 1:
                    await mall.redis.flushdb()
                case 2:
                    await index.rebuild(mall)
                case _:
                    await index.put(mall, [s.id for s in expected[:3]])
            page = await service.find(mall, wanted, after=service.position_of(found[-1]) if found else None, limit=25)
            found += page
            if len(page) < 25:
                break
        assert found == expected
