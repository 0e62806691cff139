"""Delivery areas: radius, polygon, edges, and who serves a place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import db
from core.kernel.i18n import Text
from core.kernel.mall import Mall
from core.kernel.origin import SYSTEM, Origin
from core.orders.types import OrderDraft
from core.stores import service as stores
from core.stores.errors import StoreNotFound
from core.stores.types import StoreChange, StoreView
from core.testing import builders
from plugins.nearby_stores import areas, demo
from plugins.nearby_stores.errors import AreaInvalid, AreaNotFound, StorePositionMissing
from plugins.nearby_stores.geo import distance_m
from plugins.nearby_stores.types import Place

MakeMall = Callable[..., Awaitable[Mall]]
SQUARE = Place(31.2304, 121.4737)
STEP = 0.01  # degrees of latitude: 1112 metres
BLOCK = [Place(SQUARE.lat + n * STEP, SQUARE.lng + e * STEP) for n, e in ((-1, -1), (-1, 1), (1, 1), (1, -1))]
SERVES = "/storefront/v1/x/nearby_stores/serves"
AREAS = "/admin/v1/x/nearby_stores/areas"


@pytest.fixture
async def mall(make_mall: MakeMall) -> Mall:
    return await make_mall(plugins=("nearby_stores",))


async def a_store(mall: Mall, **over: Any) -> StoreView:
    return await builders.a_store(mall, **{"services": ["delivery", "pickup"], **over})


# what is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given_area",
    [
        {},
        {"radius_m": 100, "polygon": BLOCK},
        {"radius_m": 0},
        {"radius_m": 50_001},
        {"polygon": BLOCK[:2]},
        {"polygon": [BLOCK[0], BLOCK[1], BLOCK[0]]},
        {"polygon": [BLOCK[0], BLOCK[2], BLOCK[1], BLOCK[3]]},
        {"polygon": [BLOCK[0], SQUARE, BLOCK[2]]},
        {"polygon": [*BLOCK[:3], Place(32.0, 121.0)]},
        {"polygon": [Place(31.23, 121.4 + n / 1e4) if n else Place(31.3, 121.4) for n in range(501)]},
    ],
    ids=["nothing", "both", "no radius", "too far", "two corners", "a line", "crossing", "flat", "far corner", "501"],
)
async def test_an_area_that_cannot_be_is_refused(mall: Mall, given_area: dict[str, Any]) -> None:
    store = await a_store(mall)

    with pytest.raises(AreaInvalid):
        await areas.set_area(mall, store.id, **given_area, actor=SYSTEM)


async def test_a_store_without_a_position_or_without_an_area(mall: Mall) -> None:
    nowhere = await a_store(mall, lat=None, lng=None)

    with pytest.raises(StorePositionMissing):
        await areas.set_area(mall, nowhere.id, radius_m=100, actor=SYSTEM)
    with pytest.raises(StoreNotFound):
        await areas.set_area(mall, 10**9, radius_m=100, actor=SYSTEM)
    with pytest.raises(AreaNotFound):
        await areas.get_area(mall, nowhere.id)
    with pytest.raises(AreaNotFound):
        await areas.remove_area(mall, nowhere.id, actor=SYSTEM)


async def test_staff_of_another_store_find_nothing(mall: Mall, admin: Callable[..., httpx.AsyncClient]) -> None:
    mine, other = await a_store(mall), await a_store(mall)
    await areas.set_area(mall, other.id, radius_m=100, actor=SYSTEM)
    staff = admin(await builders.a_staff(mall, ["nearby_stores.read", "nearby_stores.write"], stores=[mine.id]))
    reader = admin(await builders.a_staff(mall, ["nearby_stores.read"], stores=None))

    for answer in (
        await staff.get(f"{AREAS}/{other.id}"),
        await staff.put(f"{AREAS}/{other.id}", json={"radius_m": 100}),
        await staff.delete(f"{AREAS}/{other.id}"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "stores.not_found")
    assert (await staff.get(AREAS)).json()["items"] == []
    assert (await reader.put(f"{AREAS}/{other.id}", json={"radius_m": 100})).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {"radius_m": 50_001},
        {"polygon": [{"lat": 91, "lng": 0}]},
        {"polygon": []},
        {"shape": "round"},
        {"coord": "mars"},
    ],
)
async def test_a_body_that_is_no_area_is_refused(
    mall: Mall, admin: Callable[..., httpx.AsyncClient], body: Any
) -> None:
    store = await a_store(mall)
    staff = admin(await builders.a_staff(mall, ["nearby_stores.write"], stores=None))

    assert (await staff.put(f"{AREAS}/{store.id}", json=body)).status_code == 400


# shapes ---------------------------------------------------------------------------------------------------------------

corner = st.builds(Place, st.floats(31.0, 31.5), st.floats(121.2, 121.7))
triangles = st.tuples(corner, corner, corner).filter(
    lambda t: min(abs(a.lat - b.lat) + abs(a.lng - b.lng) for a, b in ((t[0], t[1]), (t[1], t[2]), (t[2], t[0]))) > 0.01
)


@given(triangles, st.integers(0, 2), st.floats(0, 1))
def test_a_point_on_an_edge_or_a_corner_is_inside(
    triangle: tuple[Place, Place, Place], side: int, along: float
) -> None:
    a, b = triangle[side], triangle[(side + 1) % 3]
    between = Place(
        round(a.lat + (b.lat - a.lat) * along, 7), round(a.lng + (b.lng - a.lng) * along, 7)
    )  # as a client gives it: seven digits

    assert areas.covers(triangle, between)
    assert areas.covers(triangle, a)


@given(triangles, corner)
def test_inside_is_what_the_ray_says(triangle: tuple[Place, Place, Place], point: Place) -> None:
    """Another way to know: a point is inside if it is on the same side of all three edges."""
    sides = [
        (b.lng - a.lng) * (point.lat - a.lat) - (b.lat - a.lat) * (point.lng - a.lng)
        for a, b in ((triangle[0], triangle[1]), (triangle[1], triangle[2]), (triangle[2], triangle[0]))
    ]
    if min(abs(s) for s in sides) > 1e-6:  # far enough from every edge
        assert areas.covers(triangle, point) == (min(sides) > 0 or max(sides) < 0)


def test_a_dent_in_the_polygon_is_outside() -> None:
    horseshoe = [Place(*p) for p in ((0, 0), (0, 3), (3, 3), (3, 2), (1, 2), (1, 1), (3, 1), (3, 0))]

    assert not areas.covers(horseshoe, Place(2, 1.5))
    assert areas.covers(horseshoe, Place(2, 0.5))


# who serves -----------------------------------------------------------------------------------------------------------


async def test_reasons(mall: Mall) -> None:
    round_one, block, without, no_delivery, gone = [await a_store(mall) for _ in range(5)]
    await areas.set_area(mall, round_one.id, radius_m=1112, fee_rule_id="near", actor=SYSTEM)
    await areas.set_area(mall, block.id, polygon=BLOCK, fee_rule_id="block", actor=SYSTEM)
    await areas.set_area(mall, no_delivery.id, radius_m=50_000, actor=SYSTEM)
    await areas.set_area(mall, gone.id, radius_m=50_000, actor=SYSTEM)
    await stores.update_store(mall, no_delivery.id, StoreChange(services=("pickup",)), version=1, actor=SYSTEM)
    await stores.update_store(mall, gone.id, StoreChange(state="closed"), version=1, actor=SYSTEM)
    edge, outside = Place(SQUARE.lat + STEP, SQUARE.lng), Place(SQUARE.lat + 2 * STEP, SQUARE.lng)

    async def answer(store: StoreView, place: Place) -> tuple[bool, str, str | None]:
        found = await areas.serves(mall, place, store_id=store.id)
        return found.serves, found.reason, found.fee_rule_id

    assert distance_m(*[SQUARE.lat, SQUARE.lng, edge.lat, edge.lng]) == 1112
    assert await answer(round_one, edge) == (True, "inside_radius", "near")
    assert await answer(round_one, outside) == (False, "outside_radius", None)
    assert await answer(block, edge) == (True, "inside_polygon", "block")
    assert await answer(block, outside) == (False, "outside_polygon", None)
    assert await answer(without, SQUARE) == (False, "no_area", None)
    assert await answer(no_delivery, SQUARE) == (False, "no_delivery", None)
    with pytest.raises(StoreNotFound):
        await answer(gone, SQUARE)
    assert [a.store_id for a in await areas.serving(mall, edge)] == [round_one.id, block.id]
    assert await areas.serving(mall, outside) == []


async def test_a_polygon_far_from_where_its_store_moved_still_counts(mall: Mall) -> None:
    store = await a_store(mall)
    await areas.set_area(mall, store.id, polygon=BLOCK, actor=SYSTEM)
    await stores.update_store(mall, store.id, StoreChange(lat=39.9, lng=116.4), version=1, actor=SYSTEM)

    assert [a.store_id for a in await areas.serving(mall, SQUARE)] == [store.id]


async def test_the_whole_way_through_the_faces(
    mall: Mall, client: httpx.AsyncClient, admin: Callable[..., httpx.AsyncClient]
) -> None:
    store = await a_store(mall)
    staff = admin(
        await builders.a_staff(mall, ["nearby_stores.read", "nearby_stores.write", "stores.read"], stores=None)
    )
    body = {"polygon": [{"lat": c.lat, "lng": c.lng} for c in [*BLOCK, BLOCK[0]]], "fee_rule_id": "block"}

    put = await staff.put(f"{AREAS}/{store.id}", json=body)
    listed = (await staff.get(AREAS)).json()
    asked = (await client.get(SERVES, params={"lat": SQUARE.lat, "lng": SQUARE.lng})).json()["items"]
    one = (await client.get(SERVES, params={"lat": 39.9, "lng": 116.4, "store": store.id})).json()["items"]
    shown = (await client.get(f"/storefront/v1/stores/{store.id}")).json()["extra"]
    removed = await staff.delete(f"{AREAS}/{store.id}")

    assert put.status_code == 200, put.text
    assert len(put.json()["polygon"]) == 4
    assert listed["items"] == [put.json()]
    assert [(a["store_id"], a["serves"], a["reason"], a["fee_rule_id"]) for a in asked] == [
        (store.id, True, "inside_polygon", "block")
    ]
    assert [(a["serves"], a["reason"]) for a in one] == [(False, "outside_polygon")]
    assert shown == {"nearby_stores": {"area": {"kind": "polygon", "radius_m": None, "fee_rule_id": "block"}}}
    assert removed.status_code == 204
    assert (await staff.get(f"{AREAS}/{store.id}")).json()["code"] == "nearby_stores.area_not_found"
    assert (await client.get(SERVES, params={"lat": SQUARE.lat, "lng": SQUARE.lng, "store": 10**9})).status_code == 404
    actions = [r["action"] for r in await db.rows("SELECT action FROM audit_entry ORDER BY id")]
    assert actions == ["nearby_stores.set_area", "nearby_stores.remove_area"]


# hooks ----------------------------------------------------------------------------------------------------------------


def draft(store_id: int | None, address: dict[str, object] | None) -> OrderDraft:
    return OrderDraft(
        member_id=1, lines=(), origin=Origin(), store_id=store_id, fulfilment_method="delivery", address=address
    )


async def options(mall: Mall, asked: OrderDraft) -> list[tuple[bool, int | None, str]]:
    answers = await mall.hooks.lenient("fulfilment_options", mall=mall, draft=asked)
    assert answers.failed == ()
    found = [option for plugin, given in answers.given if plugin == "nearby_stores" for option in given]
    return [(o.available, o.store_id, o.reason.en if o.reason else "") for o in found]


class Delivery:
    """A fulfilment method of that code, as a delivery plugin would bring it."""

    code = "delivery"
    title = Text("配送", "Delivery")


async def test_delivery_is_an_option_where_a_store_serves_the_address(make_mall: MakeMall) -> None:
    from core.hookspecs import hookimpl

    class Brings:
        @hookimpl
        def register_fulfilment_methods(self) -> list[Any]:
            return [Delivery()]

    mall = await make_mall(plugins=("nearby_stores",), extra={"brings": Brings()})
    store = await a_store(mall)
    await areas.set_area(mall, store.id, radius_m=1000, actor=SYSTEM)
    here: dict[str, object] = {"lat": SQUARE.lat, "lng": SQUARE.lng}
    there: dict[str, object] = {"lat": 39.9, "lng": 116.4}

    assert await options(mall, draft(store.id, None)) == []
    assert await options(mall, draft(store.id, {"city": "上海市"})) == []
    assert await options(mall, draft(store.id, {"lat": 999.0, "lng": "east"})) == []
    assert await options(mall, draft(store.id, {"lat": 999.0, "lng": 0})) == []
    assert await options(mall, draft(store.id, here)) == [(True, store.id, "")]
    assert await options(mall, draft(None, here)) == [(True, store.id, "")]
    assert await options(mall, draft(store.id, there)) == [
        (False, store.id, "The address is outside the delivery area.")
    ]
    assert await options(mall, draft(None, there)) == [(False, None, "The address is outside the delivery area.")]


async def test_a_mall_without_a_delivery_method_says_so(mall: Mall) -> None:
    store = await a_store(mall)
    await areas.set_area(mall, store.id, radius_m=1000, actor=SYSTEM)

    found = await options(mall, draft(store.id, {"lat": SQUARE.lat, "lng": SQUARE.lng}))

    assert found == [(False, store.id, "This mall does not deliver yet.")]


async def test_the_demo_gives_some_stores_an_area_and_twice_is_harmless(mall: Mall) -> None:
    made = [await a_store(mall) for _ in range(3)]
    await a_store(mall, services=["pickup"])

    await demo.add(mall)
    first = await areas.list_areas(mall)
    await demo.add(mall)

    assert await areas.list_areas(mall) == first
    assert [(a.store_id, a.kind) for a in first] == list(
        zip([s.id for s in made], ("polygon", "radius", "radius"), strict=True)
    )
