"""GCJ-02, WGS-84 and BD-09."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.stores import coords
from core.stores.errors import CoordinatesInvalid

# Well inside the rectangle, so that no conversion steps over its edge.
in_china = st.tuples(st.floats(2, 54), st.floats(74, 136))
on_earth = st.tuples(st.floats(-90, 90), st.floats(-180, 180))
METRE = 1 / 111_000


@pytest.mark.parametrize(
    ("lat", "lng"), [(90.1, 0), (-91, 0), (0, 180.5), (0, -181), (math.nan, 0), (0, math.inf)], ids=str
)
def test_a_point_that_is_not_on_earth_is_refused(lat: float, lng: float) -> None:
    with pytest.raises(CoordinatesInvalid):
        coords.to_gcj02(lat, lng, "wgs84")


@pytest.mark.parametrize(
    ("name", "lat", "lng"),
    [("New York", 40.7128, -74.006), ("Sydney", -33.8688, 151.2093), ("south pole", -90, 0), ("date line", 10, 180)],
)
def test_outside_china_nothing_changes(name: str, lat: float, lng: float) -> None:
    for system in ("gcj02", "wgs84", "bd09"):
        assert coords.to_gcj02(lat, lng, system) == (lat, lng)
        assert coords.from_gcj02(lat, lng, system) == (lat, lng)


@pytest.mark.parametrize(
    ("wgs", "gcj"),
    [
        # Test vectors of googollee/eviltransform (Shanghai, Shenzhen, Beijing), which gives them to 1e-5 degrees.
        ((31.1774276, 121.5272106), (31.17530398364597, 121.531541859215)),
        ((22.543847, 113.912316), (22.540796131694766, 113.9171764808363)),
        ((39.911954, 116.377817), (39.91334545536069, 116.38404722455657)),
    ],
)
def test_known_points_are_shifted_as_known(wgs: tuple[float, float], gcj: tuple[float, float]) -> None:
    assert coords.wgs84_to_gcj02(*wgs) == pytest.approx(gcj, abs=1e-6)
    assert coords.gcj02_to_wgs84(*gcj) == pytest.approx(wgs, abs=1e-6)


def test_a_known_point_of_baidu() -> None:
    # The example of the coordtransform project: BD-09 116.404, 39.915 is GCJ-02 116.39762729119315, 39.90865673957631.
    assert coords.bd09_to_gcj02(39.915, 116.404) == pytest.approx((39.90865673957631, 116.39762729119315), abs=2e-5)
    assert coords.gcj02_to_bd09(39.915, 116.404) == pytest.approx((39.92133699351022, 116.41036949371029), abs=1e-7)


@given(in_china)
def test_the_inverse_of_gcj02_comes_back_within_a_millimetre(point: tuple[float, float]) -> None:
    assert coords.gcj02_to_wgs84(*coords.wgs84_to_gcj02(*point)) == pytest.approx(point, abs=METRE / 1000)


@given(in_china)
def test_the_inverse_of_bd09_comes_back_within_a_millimetre(point: tuple[float, float]) -> None:
    assert coords.bd09_to_gcj02(*coords.gcj02_to_bd09(*point)) == pytest.approx(point, abs=METRE / 1000)


@given(in_china)
def test_the_shift_is_of_the_known_size(point: tuple[float, float]) -> None:
    lat, lng = coords.wgs84_to_gcj02(*point)

    assert 0 < math.hypot(lat - point[0], lng - point[1]) < 2000 * METRE


@given(on_earth)
def test_every_point_on_earth_has_an_answer_on_earth_or_a_refusal(point: tuple[float, float]) -> None:
    for system in ("gcj02", "wgs84", "bd09"):
        lat, lng = coords.to_gcj02(*point, system)
        assert -90 <= lat <= 90
        assert -180 <= lng <= 180
