"""Read single cells. Each raises ``CellInvalid``, which becomes a line of the report."""

from __future__ import annotations

import re

from core.kernel.i18n import Text

_YUAN = re.compile(r"([+-]?)[\u00a5\uffe5]?(\d{1,9})(?:\.(\d{1,2}0*))?", re.ASCII)
_TRUE = frozenset({"true", "yes", "y", "1", "是"})
_FALSE = frozenset({"false", "no", "n", "0", "否", ""})


class CellInvalid(Exception):
    """One cell cannot be used."""

    def __init__(self, column: str, code: str, zh: str, en: str) -> None:
        self.column, self.code, self.message = column, code, Text(zh, en)
        super().__init__(en)


def needed(column: str, text: str) -> str:
    if not text:
        raise CellInvalid(column, "imports.missing", f"“{column}”不能为空。", f"{column} must not be empty.")
    return text


def fen(column: str, text: str) -> int:
    """Read yuan (``9.99``, ``¥1,200``) as fen; more than two digits after the point are refused, not rounded."""
    match = _YUAN.fullmatch(text.replace(",", "").replace(" ", ""))
    if match is None:
        raise CellInvalid(
            column,
            "imports.not_money",
            f"“{text}”不是有效金额(元,最多两位小数)。",
            f"{text!r} is not an amount in yuan with at most two decimals.",
        )
    sign, whole_yuan, digits = match.groups(default="")
    amount = int(whole_yuan) * 100 + int(digits.rstrip("0").ljust(2, "0") or 0)
    return -amount if sign == "-" else amount


def price(column: str, text: str) -> int:
    amount = fen(column, text)
    if amount < 0:
        raise CellInvalid(column, "imports.negative", f"“{column}”不能为负。", f"{column} must not be negative.")
    return amount


def whole(column: str, text: str) -> int:
    """Read a whole number; ``5.0`` is 5, empty is 0."""
    match = re.fullmatch(r"([+-]?\d{1,9})(?:\.0*)?", text or "0", re.ASCII)
    if match is None:
        raise CellInvalid(column, "imports.not_a_number", f"“{text}”不是整数。", f"{text!r} is not a whole number.")
    return int(match.group(1))


def count(column: str, text: str) -> int:
    """Read how many there are: a whole number that is not negative."""
    number = whole(column, text)
    if number < 0:
        raise CellInvalid(column, "imports.negative", f"“{column}”不能为负。", f"{column} must not be negative.")
    return number


def degrees(column: str, text: str, *, limit: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not -limit <= value <= limit:
        raise CellInvalid(
            column,
            "imports.not_degrees",
            f"“{text}”不是有效坐标。",
            f"{text!r} is not a coordinate in degrees (±{limit}).",
        )
    return value


def flag(column: str, text: str) -> bool:
    lowered = text.lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    raise CellInvalid(
        column, "imports.not_a_flag", f"“{text}”应为 true 或 false。", f"{text!r} should be true or false."
    )
