"""What concerns the whole mall is not for staff of single stores, whatever their permissions."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from core import db
from core.kernel.mall import Mall
from core.testing import builders

FILE = {"file": ("a.csv", b"code,name\nD001,taken over\n", "text/csv")}


@pytest.mark.parametrize(
    ("method", "path", "files"),
    [
        ("POST", "imports/stores", FILE), ("POST", "imports/products", FILE), ("GET", "imports", None),
        ("POST", "plugins/nobody/disable", None), ("POST", "plugins/nobody/enable", None),
    ],
)  # fmt: skip
async def test_staff_of_one_store_are_refused(
    mall: Mall, admin: Callable[[object], httpx.AsyncClient], method: str, path: str, files: dict[str, object] | None
) -> None:
    store = await builders.a_store(mall)
    staff = await builders.a_staff(mall, ["imports.run", "plugins.write"], [store.id])

    answer = await admin(staff).request(method, f"/admin/v1/{path}", files=files)  # pyright: ignore[reportArgumentType]

    assert (answer.status_code, answer.json()["code"]) == (403, "auth.all_stores_needed")
    assert await db.value("SELECT count(*) FROM import_job") == 0
