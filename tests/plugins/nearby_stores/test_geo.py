"""Distances and boxes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.sdk import Box
from plugins.nearby_stores.geo import EARTH_M, box_around, distance_m

lats = st.floats(-90, 90)
lngs = st.floats(-180, 180)


def arrow(lat: float, lng: float) -> tuple[float, float, float]:
    phi, lam = math.radians(lat), math.radians(lng)
    return math.cos(phi) * math.cos(lam), math.cos(phi) * math.sin(lam), math.sin(phi)


def inside(box: Box, lat: float, lng: float) -> bool:
    across = box.west <= lng <= box.east if box.west <= box.east else lng >= box.west or lng <= box.east
    return box.south <= lat <= box.north and across


@pytest.mark.parametrize(
    ("a", "b", "metres"),
    [
        ((31.2304, 121.4737), (31.2304, 121.4737), 0),
        ((0.0, 0.0), (0.0, 1.0), 111195),
        ((0.0, 0.0), (0.0, 180.0), 20015114),  # half way round a sphere of R = 6371008.8
        ((90.0, 0.0), (-90.0, 0.0), 20015114),
        ((10.0, 179.9), (10.0, -179.9), 21901),
    ],
)
def test_known_distances(a: tuple[float, float], b: tuple[float, float], metres: int) -> None:
    assert distance_m(*a, *b) == metres
    assert distance_m(*b, *a) == metres


@given(lats, lngs, lats, lngs)
def test_the_distance_is_the_angle_between_two_arrows(
    lat: float, lng: float, other_lat: float, other_lng: float
) -> None:
    """Another formula for the same thing: the angle between the vectors to both points."""
    a, b = arrow(lat, lng), arrow(other_lat, other_lng)
    cross = (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
    angle = math.atan2(math.hypot(*cross), sum(x * y for x, y in zip(a, b, strict=True)))

    assert distance_m(lat, lng, other_lat, other_lng) == pytest.approx(angle * EARTH_M, abs=1)


@given(lats, lngs, st.integers(1, 50_000), st.floats(-0.6, 0.6), st.floats(-3, 3))
def test_a_box_holds_every_point_within_its_radius(
    lat: float, lng: float, radius: int, north: float, east: float
) -> None:
    other_lat = min(90.0, max(-90.0, lat + north))
    other_lng = (lng + east + 180) % 360 - 180

    if distance_m(lat, lng, other_lat, other_lng) <= radius:
        assert inside(box_around(lat, lng, radius), other_lat, other_lng)


def test_a_box_at_the_date_line_goes_over_it() -> None:
    box = box_around(10.0, 179.95, 20_000)

    assert box.west > box.east
    assert inside(box, 10.0, -179.95)
    assert not inside(box, 10.0, 0.0)


def test_a_box_at_a_pole_is_a_cap() -> None:
    assert inside(box_around(89.99, 0.0, 5_000), 89.99, 180.0)
