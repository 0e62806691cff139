"""Stores from a table: the mall's own columns, or the ones of chain-store exports ("Store Number", "Store Name", …)."""

from __future__ import annotations

import re
from typing import Any, get_args

from core.imports.errors import FormatUnknown, OptionInvalid
from core.imports.sheets import Row, Sheet
from core.imports.types import Options, Rejection
from core.imports.values import CellInvalid, degrees, needed
from core.stores.hours import check_hours
from core.stores.types import CoordSys, Service, StoreDraft, StoreKind, WeeklyHours

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OWN_COLUMNS = (
    "code", "name", "kind", "province", "city", "district", "address", "postcode", "phone", "lng", "lat", "coord_sys",
    "zone", "services", "hours", "notice",
)  # fmt: skip
_KINDS = {"company owned": "direct", "joint venture": "joint", "licensed": "licensed", "franchise": "franchise"}
# GB/T 2260-2007, first two digits.
_PROVINCES = {
    "11": "北京市", "12": "天津市", "13": "河北省", "14": "山西省", "15": "内蒙古自治区",
    "21": "辽宁省", "22": "吉林省", "23": "黑龙江省",
    "31": "上海市", "32": "江苏省", "33": "浙江省", "34": "安徽省", "35": "福建省", "36": "江西省", "37": "山东省",
    "41": "河南省", "42": "湖北省", "43": "湖南省", "44": "广东省", "45": "广西壮族自治区", "46": "海南省",
    "50": "重庆市", "51": "四川省", "52": "贵州省", "53": "云南省", "54": "西藏自治区",
    "61": "陕西省", "62": "甘肃省", "63": "青海省", "64": "宁夏回族自治区", "65": "新疆维吾尔自治区",
    "71": "台湾省", "91": "香港特别行政区", "92": "澳门特别行政区",
}  # fmt: skip
# Zones that exports write and that the IANA database does not have.
_ZONES = {"Asia/Beijing": "Asia/Shanghai"}
_SPAN = re.compile(r"(\d{2}:\d{2})-(\d{2}:\d{2})")


def parse(sheet: Sheet, options: Options) -> tuple[list[tuple[int, StoreDraft]], list[Rejection]]:
    """Return ``(line, draft)`` of the usable rows and a rejection for each of the others.

    Raises ``FormatUnknown``, ``OptionInvalid`` for what makes the whole file unusable.
    """
    columns = set(sheet.columns)
    if {"Store Number", "Store Name"} <= columns:
        read = _chain_export
    elif {"code", "name"} <= columns:
        read = _own
    else:
        raise FormatUnknown(columns=", ".join(sheet.columns)[:200])
    _check_services(options)
    hours = option_hours(options.hours)
    drafts: list[tuple[int, StoreDraft]] = []
    rejected: list[Rejection] = []
    for row in sheet.rows:
        try:
            drafts.append((row.line, _draft(read(row), row, options, hours)))
        except CellInvalid as exc:
            rejected.append(
                Rejection(line=row.line, subject=row.get("code", "Store Number"), column=exc.column, code=exc.code,
                          message=exc.message)
            )  # fmt: skip
    return drafts, rejected


def option_hours(text: str) -> WeeklyHours | None:
    """Read the option ``hours``: the same spans every day. Raises ``OptionInvalid``."""
    try:
        found = hours_of("hours", text) if text else None
    except CellInvalid as exc:
        raise OptionInvalid(reason=exc.message.en) from exc
    problems = check_hours(found) if found is not None else []
    if problems:
        raise OptionInvalid(reason=problems[0].message.en)
    return found


def _check_services(options: Options) -> None:
    for service in options.services:
        if service not in get_args(Service):
            raise OptionInvalid(reason=f"{service!r} is no service; there are {', '.join(get_args(Service))}")


def _chain_export(row: Row) -> dict[str, str]:
    """Name the cells of a chain export as ours. Its zone is written ``GMT+08:00 Asia/Macau``."""
    zone = row.get("Timezone").rpartition(" ")[2]
    return {
        "code": row.get("Store Number"),
        "name": row.get("Store Name"),
        "kind": _KINDS.get(row.get("Ownership Type").lower(), row.get("Ownership Type")),
        "province": _PROVINCES.get(row.get("State/Province"), row.get("State/Province")),
        "city": row.get("City"),
        "address": row.get("Street Address"),
        "postcode": row.get("Postcode"),
        "phone": row.get("Phone Number"),
        "lng": row.get("Longitude"),
        "lat": row.get("Latitude"),
        "zone": _ZONES.get(zone, zone),
    }


def _own(row: Row) -> dict[str, str]:
    return {column: row.get(column) for column in OWN_COLUMNS}


def _draft(cells: dict[str, str], row: Row, options: Options, hours: WeeklyHours | None) -> StoreDraft:
    values: dict[str, Any] = {
        "code": needed("code", cells["code"]),
        "name": needed("name", cells["name"]),
        "services": _services(cells.get("services", ""), options),
    }
    for column in ("province", "city", "district", "address", "postcode", "phone", "zone", "notice"):
        if cells.get(column):
            values[column] = cells[column]
    if cells.get("kind"):
        values["kind"] = _one_of("kind", cells["kind"], get_args(StoreKind))
    if cells.get("lat") or cells.get("lng"):
        values["lat"] = degrees("lat", cells.get("lat", ""), limit=90)
        values["lng"] = degrees("lng", cells.get("lng", ""), limit=180)
        system = cells.get("coord_sys") or options.coord_sys
        values["coord_sys"] = _one_of("coord_sys", system, get_args(CoordSys))
    own_hours = hours_of("hours", cells["hours"]) if cells.get("hours") else hours
    if own_hours is not None:
        values["hours"] = own_hours
    return StoreDraft(**values)


def _services(text: str, options: Options) -> tuple[str, ...]:
    wanted = tuple(part.strip() for part in text.split(",") if part.strip()) or options.services
    return tuple(_one_of("services", service, get_args(Service)) for service in wanted)


def _one_of(column: str, text: str, allowed: tuple[str, ...]) -> str:
    if text not in allowed:
        listed = ", ".join(allowed)
        raise CellInvalid(
            column, "imports.not_one_of", f"“{text}”应为以下之一:{listed}。", f"{text!r} should be one of: {listed}."
        )
    return text


def hours_of(column: str, text: str) -> WeeklyHours:
    """Read ``07:00-22:00`` (every day), or ``mon=08:00-12:00,13:00-22:00;sat=10:00-02:00``."""
    if "=" not in text:
        spans = _spans(column, text)
        return dict.fromkeys(DAYS, spans)
    hours: WeeklyHours = {}
    for part in text.split(";"):
        day, _, spans = part.strip().partition("=")
        hours[_one_of(column, day.strip().lower(), DAYS)] = _spans(column, spans)
    return hours


def _spans(column: str, text: str) -> tuple[tuple[str, str], ...]:
    spans: list[tuple[str, str]] = []
    for part in text.split(","):
        match = _SPAN.fullmatch(part.strip())
        if match is None:
            raise CellInvalid(
                column,
                "imports.not_hours",
                f"“{text}”不是营业时间,应写作 07:00-22:00。",
                f"{text!r} are not hours; write 07:00-22:00.",
            )
        spans.append((match.group(1), match.group(2)))
    return tuple(spans)
