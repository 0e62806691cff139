"""Distances on a sphere. Pure functions, degrees in, whole metres out."""

from __future__ import annotations

from math import asin, cos, degrees, radians, sin, sqrt

from core.sdk import Box

EARTH_M = 6_371_008.8  # mean radius of the Earth (IUGG R1; behaviour.md 5.9 rule 2)
_PAD = 1e-6  # degrees: a store is never lost to rounding, the distance decides afterwards


def distance_m(lat: float, lng: float, other_lat: float, other_lng: float) -> int:
    """Return the great-circle distance in whole metres (haversine)."""
    phi, other_phi = radians(lat), radians(other_lat)
    half = sin((other_phi - phi) / 2) ** 2 + cos(phi) * cos(other_phi) * sin(radians(other_lng - lng) / 2) ** 2
    return round(2 * EARTH_M * asin(min(1.0, sqrt(half))))


def box_around(lat: float, lng: float, radius_m: int) -> Box:
    """Return a box that holds every point within ``radius_m``; near a pole it is a cap, at the date line it wraps."""
    angle = (radius_m + 1) / EARTH_M  # distances are rounded, so up to half a metre more belongs to it
    south, north = lat - degrees(angle) - _PAD, lat + degrees(angle) + _PAD
    if south <= -90 or north >= 90:  # noqa: PLR2004 - degrees
        return Box(south=max(south, -90.0), north=min(north, 90.0), west=-180.0, east=180.0)
    width = degrees(asin(min(1.0, sin(angle) / cos(radians(lat))))) + _PAD
    return Box(south=south, north=north, west=_wrapped(lng - width), east=_wrapped(lng + width))


def _wrapped(lng: float) -> float:
    return lng + 360 if lng < -180 else lng - 360 if lng > 180 else lng  # noqa: PLR2004 - degrees
