"""A file of stores through the admin API: upload, progress, report; and again, changing nothing."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.e2e.live import ADMIN, Live, ok, until

pytestmark = pytest.mark.timeout(120)
LINES = 300
BAD = {57: "hours", 120: "lat", 301: "name"}  # line of the file (the header is line 1) and the column that is wrong


def _file() -> str:
    rows = ["code,name,province,city,address,lng,lat,services,hours"]
    for line in range(2, LINES + 2):
        wrong = BAD.get(line)
        cells = [
            f"K{line:03d}", "" if wrong == "name" else f"喀什 {line} 店",
            "新疆维吾尔自治区", "喀什市", f"人民东路 {line} 号",
            f"{75.9 + line / 10_000:.4f}", "north" if wrong == "lat" else "39.4704", "pickup",
            "always" if wrong == "hours" else "08:00-22:00",
        ]  # fmt: skip
        rows.append(",".join(cells))
    return "\n".join(rows) + "\n"


async def _import(staff: httpx.AsyncClient) -> tuple[dict[str, Any], list[tuple[int, int]]]:
    """Upload the file and follow it to its end; return the job and the progress that was seen."""
    upload = {"file": ("喀什.csv", _file().encode(), "text/csv")}
    job = ok(await staff.post(f"{ADMIN}/imports/stores", files=upload), 202)
    assert (job["state"], job["filename"]) == ("waiting", "喀什.csv")
    progress: list[tuple[int, int]] = []

    async def ended() -> dict[str, Any] | None:
        now = ok(await staff.get(f"{ADMIN}/imports/{job['id']}"))
        progress.append((now["done"], now["total"]))
        return now if now["state"] in ("done", "failed") else None

    return await until(ended, within_s=30), progress


async def test_stores_are_imported_once_with_a_report_of_rejected_lines(live: Live) -> None:
    state_of_stores = "SELECT md5(string_agg(s::text, '|' ORDER BY id)) FROM store s"
    async with live.staff() as staff:
        job, progress = await _import(staff)

        assert (job["state"], job["error"]) == ("done", None)
        report = job["report"]
        assert (report["created"], report["changed"], report["unchanged"]) == (LINES - len(BAD), 0, 0)
        assert {r["line"]: r["column"] for r in report["rejected"]} == BAD
        assert all(r["message"]["zh"] and r["message"]["en"] for r in report["rejected"])
        assert progress == sorted(progress)
        assert progress[-1] == (LINES, LINES)

        before = await live.value(state_of_stores)
        events = await live.value("SELECT count(*) FROM event WHERE name LIKE 'store.%'")
        job, _ = await _import(staff)

        report = job["report"]
        assert (report["created"], report["changed"], report["unchanged"]) == (0, 0, LINES - len(BAD))
        assert {r["line"]: r["column"] for r in report["rejected"]} == BAD
        assert await live.value(state_of_stores) == before
        assert await live.value("SELECT count(*) FROM event WHERE name LIKE 'store.%'") == events

        listed = ok(await staff.get(f"{ADMIN}/imports?limit=2"))["items"]
        assert [one["state"] for one in listed] == ["done", "done"]

    async def told() -> bool:
        return await live.value("SELECT count(*) FROM event_delivery WHERE state = 'due'") == 0

    await until(told, within_s=30)
    assert await live.value("SELECT count(*) FROM event_delivery WHERE state = 'dead'") == 0
    async with live.client() as client:
        near = ok(await client.get("/storefront/v1/x/nearby_stores/stores?lat=39.4704&lng=75.93&limit=5"))["items"]
        assert all(store["code"].startswith("K") for store in near)
