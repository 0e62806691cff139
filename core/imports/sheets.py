"""Read a table from a CSV or .xlsx file: a header and numbered rows of text, nothing of what it means."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import msgspec

from core.imports.errors import FileUnreadable

MAX_ROWS = 200_000
MAX_CELL = 200_000
_XLSX = b"PK\x03\x04"


class Row(msgspec.Struct, frozen=True):
    """One row. ``line`` is where it starts in the file; the header is line 1. ``cells`` are stripped, by column."""

    line: int
    cells: dict[str, str]

    def get(self, *columns: str) -> str:
        """Return the first of ``columns`` that is there and not empty, or an empty string."""
        return next((self.cells[c] for c in columns if self.cells.get(c)), "")


class Sheet(msgspec.Struct, frozen=True):
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read(content: bytes) -> Sheet:
    """Read a whole file; .xlsx is recognised by its content. Empty rows are left out.

    CSV is UTF-8 (with or without BOM), else GB 18030, which spreadsheets in China write. Raises ``FileUnreadable``.
    """
    if not content.strip():
        raise FileUnreadable(reason="it is empty")
    raw = list(_xlsx(content) if content.startswith(_XLSX) else _csv(content))
    if not raw:
        raise FileUnreadable(reason="it has no header")
    _, header = raw[0]
    columns = tuple(name.strip() for name in header)
    named = [c for c in columns if c]
    if len(set(named)) < len(named):
        twice = next(c for c in named if named.count(c) > 1)
        raise FileUnreadable(reason=f"the column {twice!r} comes twice")
    if len(raw) - 1 > MAX_ROWS:
        raise FileUnreadable(reason=f"it has more than {MAX_ROWS} rows")
    rows = tuple(
        Row(line, {c: v.strip() for c, v in zip(columns, values, strict=False) if c})
        for line, values in raw[1:]
        if any(v.strip() for v in values)
    )
    return Sheet(tuple(named), rows)


def _csv(content: bytes) -> Iterator[tuple[int, list[str]]]:
    text = _decoded(content)
    if "\x00" in text:
        raise FileUnreadable(reason="it is not a text file")
    csv.field_size_limit(MAX_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    start = 1
    try:
        for values in reader:
            yield start, values
            start = reader.line_num + 1
    except csv.Error as exc:
        raise FileUnreadable(reason=f"line {start}: {exc}") from exc


def _decoded(content: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise FileUnreadable(reason="its text is neither UTF-8 nor GB 18030")


def _xlsx(content: bytes) -> Iterator[tuple[int, list[str]]]:
    from python_calamine import CalamineError, CalamineWorkbook  # noqa: PLC0415 - only imports of sheets need it

    try:
        sheet = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0)
        rows = sheet.to_python(skip_empty_area=False)
    except (CalamineError, IndexError, OSError) as exc:
        raise FileUnreadable(reason=f"not a usable .xlsx file ({exc})") from exc
    for line, values in enumerate(rows, start=1):
        yield line, [_cell(value) for value in values]


def _cell(value: object) -> str:
    """Write a cell as a person sees it: 5.0 is 5, true is true."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
