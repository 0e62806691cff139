"""Coordinate systems of Chinese maps: WGS-84 (GPS), GCJ-02 (AMap, Tencent, WeChat) and BD-09 (Baidu).

Pure functions on degrees, always ``(lat, lng)``. The mall stores GCJ-02.

Source of the formulas and constants: the publicly known reconstruction of GCJ-02 and BD-09, as described in
"Restrictions on geographic data in China" (Wikipedia) and used by the eviltransform and coordtransform projects:
Krasovsky 1940 ellipsoid, a sum of sines as the offset, and for BD-09 a rotation in polar coordinates plus a shift. The
inverses have no closed form; they are found by iterating the forward function to 1e-9 degrees (0.1 mm).
"""

from __future__ import annotations

from collections.abc import Callable
from math import atan2, cos, hypot, isfinite, pi, sin, sqrt

from core.stores.errors import CoordinatesInvalid
from core.stores.types import CoordSys

Point = tuple[float, float]

_A = 6378245.0  # Krasovsky 1940: semi-major axis in metres
_EE = 0.00669342162296594323  # Krasovsky 1940: eccentricity squared
_BD = pi * 3000.0 / 180.0
_STEP = 1e-9
_DIGITS = 7  # about a centimetre: what is stored compares equal when it comes in again


def to_gcj02(lat: float, lng: float, system: CoordSys) -> Point:
    """Return the point in GCJ-02, rounded to a centimetre. Raises ``CoordinatesInvalid`` when out of range."""
    check(lat, lng)
    convert = {"gcj02": _same, "wgs84": wgs84_to_gcj02, "bd09": bd09_to_gcj02}[system]
    found = convert(lat, lng)
    return round(found[0], _DIGITS), round(found[1], _DIGITS)


def from_gcj02(lat: float, lng: float, system: CoordSys) -> Point:
    """Return a GCJ-02 point in ``system``, rounded to a centimetre. Raises ``CoordinatesInvalid`` when out of range."""
    check(lat, lng)
    convert = {"gcj02": _same, "wgs84": gcj02_to_wgs84, "bd09": gcj02_to_bd09}[system]
    found = convert(lat, lng)
    return round(found[0], _DIGITS), round(found[1], _DIGITS)


def check(lat: float, lng: float) -> None:
    """Raise ``CoordinatesInvalid`` unless the point is on Earth."""
    if not (isfinite(lat) and isfinite(lng) and -90 <= lat <= 90 and -180 <= lng <= 180):  # noqa: PLR2004 - degrees
        raise CoordinatesInvalid


def outside_china(lat: float, lng: float) -> bool:
    """Say whether GCJ-02 has no offset here: the rectangle that the map services themselves use, not the border."""
    return not (72.004 <= lng <= 137.8347 and 0.8293 <= lat <= 55.8271)  # noqa: PLR2004


def wgs84_to_gcj02(lat: float, lng: float) -> Point:
    """Shift a GPS position as Chinese maps do; outside China nothing changes."""
    if outside_china(lat, lng):
        return lat, lng
    d_lat, d_lng = _offset(lat, lng)
    return lat + d_lat, lng + d_lng


def gcj02_to_wgs84(lat: float, lng: float) -> Point:
    """Undo ``wgs84_to_gcj02``; outside China nothing changes."""
    return (lat, lng) if outside_china(lat, lng) else _inverse(wgs84_to_gcj02, lat, lng)


def gcj02_to_bd09(lat: float, lng: float) -> Point:
    """Turn and shift as Baidu does; outside China nothing changes."""
    if outside_china(lat, lng):
        return lat, lng
    radius = hypot(lng, lat) + 0.00002 * sin(lat * _BD)
    angle = atan2(lat, lng) + 0.000003 * cos(lng * _BD)
    return radius * sin(angle) + 0.006, radius * cos(angle) + 0.0065


def bd09_to_gcj02(lat: float, lng: float) -> Point:
    """Undo ``gcj02_to_bd09``; outside China nothing changes."""
    return (lat, lng) if outside_china(lat, lng) else _inverse(gcj02_to_bd09, lat, lng)


def _same(lat: float, lng: float) -> Point:
    return lat, lng


def _offset(lat: float, lng: float) -> Point:
    """Return the shift in degrees at a WGS-84 point in China."""
    x, y = lng - 105.0, lat - 35.0
    waves = (20.0 * sin(6.0 * x * pi) + 20.0 * sin(2.0 * x * pi)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(abs(x)) + waves
    north += (20.0 * sin(y * pi) + 40.0 * sin(y / 3.0 * pi)) * 2.0 / 3.0
    north += (160.0 * sin(y / 12.0 * pi) + 320.0 * sin(y * pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(abs(x)) + waves
    east += (20.0 * sin(x * pi) + 40.0 * sin(x / 3.0 * pi)) * 2.0 / 3.0
    east += (150.0 * sin(x / 12.0 * pi) + 300.0 * sin(x / 30.0 * pi)) * 2.0 / 3.0
    phi = lat / 180.0 * pi
    magic = 1 - _EE * sin(phi) ** 2
    meridian = _A * (1 - _EE) / (magic * sqrt(magic)) * pi / 180.0
    parallel = _A / sqrt(magic) * cos(phi) * pi / 180.0
    return north / meridian, east / parallel


def _inverse(forward: Callable[[float, float], Point], lat: float, lng: float) -> Point:
    """Find the point that ``forward`` takes to the given one. The offset changes slowly, so this closes in fast.

    Beside the rectangle's edge the last step may fall outside, where ``forward`` stops shifting; the best guess stands.
    """
    guess_lat, guess_lng = lat, lng
    for _ in range(30):
        found_lat, found_lng = forward(guess_lat, guess_lng)
        d_lat, d_lng = found_lat - lat, found_lng - lng
        guess_lat, guess_lng = guess_lat - d_lat, guess_lng - d_lng
        if abs(d_lat) < _STEP and abs(d_lng) < _STEP:
            break
    return guess_lat, guess_lng
