"""Turn what staff or a file say about a store into columns, or into every reason why they cannot be used. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import UNSET

from core.kernel.errors import Problem
from core.stores import coords, hours
from core.stores.errors import CoordinatesInvalid, problem
from core.stores.types import CoordSys, StoreChange, StoreDraft

_CODE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LENGTHS = {
    "name": 128, "province": 64, "city": 64, "district": 64, "address": 300, "postcode": 16, "phone": 64,
    "notice": 2000,
}  # fmt: skip
_FIELDS = tuple(name for name in StoreChange.__struct_fields__ if name != "coord_sys")
_NOTE = 200
_EXTRA_BYTES = 8192


def columns(change: StoreChange) -> tuple[dict[str, Any], list[Problem]]:
    """Return the columns that ``change`` sets, ready to be written, and every reason against it.

    The position is in GCJ-02 afterwards; services are sorted and named once.
    """
    given = {name: value for name in _FIELDS if (value := getattr(change, name)) is not UNSET}
    system = change.coord_sys
    found: list[Problem] = []
    if isinstance(change, StoreDraft):
        given["code"] = change.code
    if isinstance(change, StoreDraft) and not _CODE.fullmatch(change.code):
        found.append(
            problem(
                "stores.code_invalid",
                "门店编码只能由 1 到 64 个字母、数字、点、横线或下划线组成。",
                "A store code is 1 to 64 letters, digits, dots, dashes or underscores.",
            )
        )
    for name, clean in _CLEAN.items():
        if name in given:
            given[name] = clean(name, given[name], found)
    if "lat" in given or "lng" in given:
        lat, lng = given.pop("lat", None), given.pop("lng", None)
        try:
            given["lat"], given["lng"] = _position(lat, lng, system)
            given["coord_sys_given"] = system
        except CoordinatesInvalid as refused:
            found.append(refused.as_problem())
    if b"\\u0000" in msgspec.json.encode(given):
        found.append(
            problem("stores.text_invalid", "文本含有无法保存的字符。", "A text has a character that cannot be kept.")
        )
    return given, found


def _position(lat: float | None, lng: float | None, system: CoordSys) -> tuple[float | None, float | None]:
    if lat is None and lng is None:
        return None, None
    if lat is None or lng is None:
        raise CoordinatesInvalid
    return coords.to_gcj02(lat, lng, system)


def _text(name: str, value: str, found: list[Problem]) -> str:
    value = value.strip()
    if len(value) > _LENGTHS[name]:
        found.append(
            problem(
                "stores.text_too_long",
                "{field} 最多 {most} 个字。",
                "{field} has at most {most} characters.",
                field=name,
                most=_LENGTHS[name],
            )
        )
    if name == "name" and not value:
        found.append(problem("stores.name_missing", "请填写门店名称。", "A store needs a name."))
    return value


def _zone(_name: str, value: str, found: list[Problem]) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        found.append(
            problem(
                "stores.zone_unknown",
                "“{zone}”不是 IANA 时区(例如 Asia/Shanghai)。",
                "“{zone}” is not an IANA time zone (such as Asia/Shanghai).",
                zone=value[:64],
            )
        )
    return value


def _services(_name: str, value: tuple[str, ...], _found: list[Problem]) -> tuple[str, ...]:
    return tuple(sorted(set(value)))


def _hours(_name: str, value: Any, found: list[Problem]) -> Any:
    found += hours.check_hours(value)
    return {day: spans for day, spans in value.items() if spans}  # a day without spans is closed, like a missing one


def _exceptions(_name: str, value: Any, found: list[Problem]) -> Any:
    found += hours.check_exceptions(value)
    for day, exception in value.items():
        if len(exception.note) > _NOTE:
            found.append(
                problem(
                    "stores.text_too_long",
                    "{field} 最多 {most} 个字。",
                    "{field} has at most {most} characters.",
                    field=f"exceptions.{day[:10]}.note",
                    most=_NOTE,
                )
            )
    return value


def _extra(_name: str, value: dict[str, object], found: list[Problem]) -> dict[str, object]:
    if len(msgspec.json.encode(value)) > _EXTRA_BYTES:
        found.append(
            problem(
                "stores.extra_too_large",
                "附加信息最多 {most} 字节。",
                "Extra is at most {most} bytes.",
                most=_EXTRA_BYTES,
            )
        )
    return value


_CLEAN: dict[str, Callable[[str, Any, list[Problem]], Any]] = {
    **dict.fromkeys(_LENGTHS, _text),
    "zone": _zone,
    "services": _services,
    "hours": _hours,
    "exceptions": _exceptions,
    "extra": _extra,
}
