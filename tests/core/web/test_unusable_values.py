"""What no column can hold is the caller's mistake, wherever it comes in."""

from __future__ import annotations

import pytest

from core.testing import builders


@pytest.mark.parametrize(
    "path", ["/admin/v1/tasks/9223372036854775808/done", "/admin/v1/tasks/99999999999999999999999/done"]
)
async def test_an_id_beyond_every_column_is_refused_clearly(mall, admin, path: str) -> None:
    staff = await builders.a_staff(mall, ["tasks.write"], None)

    answer = await admin(staff).post(path, json={"note": "done"})

    assert answer.status_code in {400, 404}
    assert answer.json()["code"].startswith(("request.", "tasks."))


async def test_a_nul_in_a_text_is_refused_clearly(mall, admin) -> None:
    staff = await builders.a_staff(mall, ["orders.read"], None)

    answer = await admin(staff).get("/admin/v1/orders", params={"number": "M\x00"})

    assert (answer.status_code, answer.json()["code"]) == (400, "request.invalid")
    assert [p["code"] for p in answer.json()["problems"]] == ["request.value_unusable"]
