"""A database that is not there is 503; a missing file of our own is a defect."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest

from core.web.problems import is_database_away


async def test_a_socket_that_is_gone_is_a_database_that_is_away(tmp_path: Path) -> None:
    with pytest.raises(OSError) as gone:  # noqa: PT011 - which of the system's errors is what this is about
        await asyncpg.connect(host=str(tmp_path), database="mall", user="mall")

    assert is_database_away(gone.value)


def test_a_missing_file_of_our_own_is_not() -> None:
    with pytest.raises(FileNotFoundError) as missing:
        Path("/nowhere/at/all").read_text(encoding="utf-8")

    assert not is_database_away(missing.value)
