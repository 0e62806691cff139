"""Imports over HTTP: files and options that cannot be used, then upload, job, progress and report."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import msgspec
import pytest
import xlsxwriter

from core import db
from core.kernel.mall import Mall
from core.testing import builders

Admin = Callable[[object], httpx.AsyncClient]
RunJob = Callable[..., Awaitable[None]]
IMPORTS = "/admin/v1/imports"
KINDS = pytest.mark.parametrize("kind", ["stores", "products"])
STORES = "code,name,lat,lng\nS1,南京路店,31.23,121.47\nS2,,31.2,121.4\n".encode()
PRODUCTS = b"handle,title,option1_name,option1_value,price,stock\ncake,Cake,,,8.50,3\ntea,Tea,,,twelve,\n"
GOOD = {"stores": STORES, "products": PRODUCTS}


async def upload(
    who: httpx.AsyncClient, kind: str, content: bytes | None = None, name: str = "file.csv", **options: str
) -> httpx.Response:
    file = (name, GOOD[kind] if content is None else content, "application/octet-stream")
    return await who.post(f"{IMPORTS}/{kind}", files={"file": file}, data=options)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def queued() -> list[dict[str, Any]]:
    """Return the payloads that wait in the queue for the job worker."""
    found = await db.rows("SELECT payload FROM pgqueuer WHERE entrypoint = 'imports.run' ORDER BY id")
    return [msgspec.json.decode(bytes(r["payload"])) for r in found]


async def counts(*tables: str) -> list[int]:
    return [await db.value(f"SELECT count(*) FROM {table}") for table in tables]


@pytest.fixture
async def clerk(mall: Mall, admin: Admin) -> httpx.AsyncClient:
    return admin(await builders.a_staff(mall, ["imports.run"], None))


# refused --------------------------------------------------------------------------------------------------------------


async def test_imports_need_their_permission(mall: Mall, client: httpx.AsyncClient, admin: Admin) -> None:
    others = admin(await builders.a_staff(mall, ["stores.write", "catalog.write", "inventory.write"], None))

    for who, expected in ((client, (401, "auth.required")), (others, (403, "auth.forbidden"))):
        assert refusal(await upload(who, "stores")) == expected
        assert refusal(await upload(who, "products")) == expected
        assert refusal(await who.get(IMPORTS)) == expected
        assert refusal(await who.get(f"{IMPORTS}/1")) == expected
    assert await counts("import_job", "pgqueuer") == [0, 0]


@KINDS
@pytest.mark.parametrize(
    "content", [b"", b"  ", b"\xff\xfe\x00bad", b"PK\x03\x04 no zip", b'code,name\n"open', b"a,a\n1,2\n", b"\x00\x01"]
)
async def test_a_file_that_is_no_table_is_400(clerk: httpx.AsyncClient, kind: str, content: bytes) -> None:
    answer = await upload(clerk, kind, content)

    assert refusal(answer) == (400, "imports.file_unreadable")
    assert answer.json()["details"]["reason"]
    assert await counts("import_job", "pgqueuer") == [0, 0]


@KINDS
async def test_columns_of_no_known_format_are_400_and_named(clerk: httpx.AsyncClient, kind: str) -> None:
    answer = await upload(clerk, kind, b"foo,bar\n1,2\n")

    assert refusal(answer) == (400, "imports.format_unknown")
    assert answer.json()["details"] == {"columns": "foo, bar"}
    assert await counts("import_job", "pgqueuer") == [0, 0]


@pytest.mark.parametrize(
    ("kind", "option", "code"),
    [
        ("stores", {"hours": "always"}, "imports.option_invalid"),
        ("stores", {"coord_sys": "mars"}, "request.invalid"),
        ("products", {"price_rule": "free"}, "imports.price_rule_invalid"),
        ("products", {"dry_run": "perhaps"}, "request.invalid"),
    ],
)
async def test_options_that_make_no_sense_are_400(
    clerk: httpx.AsyncClient, kind: str, option: dict[str, str], code: str
) -> None:
    assert refusal(await upload(clerk, kind, **option)) == (400, code)
    assert await counts("import_job", "pgqueuer") == [0, 0]


@KINDS
async def test_a_form_without_a_file_is_400(clerk: httpx.AsyncClient, kind: str) -> None:
    answer = await clerk.post(f"{IMPORTS}/{kind}", data={"publish": "true"}, files={"other": ("x.csv", b"a\n")})

    assert refusal(answer) == (400, "request.invalid")


async def test_an_unknown_import_is_404(clerk: httpx.AsyncClient) -> None:
    assert refusal(await clerk.get(f"{IMPORTS}/999999")) == (404, "imports.job_missing")


async def test_a_list_that_cannot_be_made_is_400(clerk: httpx.AsyncClient) -> None:
    assert refusal(await clerk.get(IMPORTS, params={"cursor": "nonsense"})) == (400, "request.bad_cursor")


# imported -------------------------------------------------------------------------------------------------------------


async def test_an_upload_waits_for_the_worker_and_is_audited(mall: Mall, admin: Admin) -> None:
    staff = await builders.a_staff(mall, ["imports.run"], None)

    answer = await upload(admin(staff), "stores", name="门店.csv")

    job = answer.json()
    assert answer.status_code == 202
    assert (job["kind"], job["filename"], job["state"]) == ("stores", "门店.csv", "waiting")
    assert (job["done"], job["total"], job["report"], job["error"], job["finished_at"]) == (0, 2, None, None, None)
    assert [p["job_id"] for p in await queued()] == [job["id"]]
    assert await counts("store") == [0]
    (entry,) = await db.rows("SELECT action, actor_id, subject_id FROM audit_entry")
    assert tuple(entry) == ("import.submit", staff.staff_id, str(job["id"]))


async def test_the_job_imports_stores_and_reports_line_by_line(
    mall: Mall, clerk: httpx.AsyncClient, run_job: RunJob
) -> None:
    job_id = (await upload(clerk, "stores", hours="07:00-22:00", services="pickup, delivery")).json()["id"]

    await run_job(mall, "imports.run", (await queued())[0])

    job = (await clerk.get(f"{IMPORTS}/{job_id}")).json()
    assert (job["state"], job["done"], job["total"], job["error"]) == ("done", 2, 2, None)
    report = job["report"]
    assert (report["created"], report["changed"], report["unchanged"], report["rejected_count"]) == (1, 0, 0, 1)
    assert [(r["line"], r["column"], r["code"]) for r in report["rejected"]] == [(3, "name", "imports.missing")]
    made = await db.row("SELECT name, services, hours FROM store")
    assert made is not None
    assert (made["name"], sorted(made["services"])) == ("南京路店", ["delivery", "pickup"])
    assert msgspec.json.decode(made["hours"])["mon"] == [["07:00", "22:00"]]
    assert await db.value("SELECT content FROM import_job") is None  # the file is not kept


async def test_a_sheet_is_imported_like_its_csv(mall: Mall, clerk: httpx.AsyncClient, run_job: RunJob) -> None:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True})
    page = book.add_worksheet()
    for line, cells in enumerate([("handle", "title", "price", "stock"), ("cake", "Cake", 8.5, 3)]):
        page.write_row(line, 0, cells)
    book.close()

    job_id = (await upload(clerk, "products", file.getvalue(), "menu.xlsx")).json()["id"]
    await run_job(mall, "imports.run", (await queued())[0])

    job = (await clerk.get(f"{IMPORTS}/{job_id}")).json()
    assert (job["state"], job["report"]["created"], job["report"]["rejected_count"]) == ("done", 1, 0)
    assert await db.value("SELECT price_fen FROM sku") == 850
    assert await db.value("SELECT on_hand FROM stock") == 3


async def test_the_options_of_the_form_reach_the_job(mall: Mall, clerk: httpx.AsyncClient, run_job: RunJob) -> None:
    store = await builders.a_store(mall)
    menu = b"Category,Beverage,Size\nTea,Green,Tall\nTea,Green,Grande\n"
    stocked = b"handle,title,price,stock\ncake,Cake,8.50,3\n"

    await upload(clerk, "products", menu, price_rule="base=28;Size.Grande=+3", publish="false")
    await upload(clerk, "products", stocked, location=f"store:{store.code}")
    for payload in await queued():
        await run_job(mall, "imports.run", payload)

    made = await db.rows(
        "SELECT s.price_fen, p.state FROM sku s JOIN product p ON p.id = s.product_id ORDER BY s.price_fen"
    )
    assert [tuple(m) for m in made] == [(850, "active"), (2800, "draft"), (3100, "draft")]
    assert await db.value("SELECT location_id FROM stock") == await builders.location_of(store)


@KINDS
async def test_a_dry_run_reports_and_writes_nothing(
    mall: Mall, clerk: httpx.AsyncClient, run_job: RunJob, kind: str
) -> None:
    job_id = (await upload(clerk, kind, dry_run="true")).json()["id"]

    await run_job(mall, "imports.run", (await queued())[0])

    job = (await clerk.get(f"{IMPORTS}/{job_id}")).json()
    assert (job["dry_run"], job["state"], job["report"]["dry_run"]) == (True, "done", True)
    assert (job["report"]["created"], job["report"]["rejected_count"]) == (1, 1)
    assert await counts("store", "product", "sku", "stock", "event") == [0, 0, 0, 0, 0]


async def test_what_only_the_job_finds_out_ends_it_as_failed(
    mall: Mall, clerk: httpx.AsyncClient, run_job: RunJob
) -> None:
    job_id = (await upload(clerk, "products", location="nowhere")).json()["id"]

    await run_job(mall, "imports.run", (await queued())[0])

    job = (await clerk.get(f"{IMPORTS}/{job_id}")).json()
    assert (job["state"], job["done"], job["report"]) == ("failed", 0, None)
    assert job["error"] == "imports.location_missing: 没有库存地点“nowhere”。"
    assert await counts("product", "stock") == [0, 0]


async def test_a_finished_import_is_not_run_again(mall: Mall, clerk: httpx.AsyncClient, run_job: RunJob) -> None:
    await upload(clerk, "stores")
    (payload,) = await queued()
    await run_job(mall, "imports.run", payload)
    await db.execute("UPDATE store SET name = '改名'")

    await run_job(mall, "imports.run", payload)

    assert await db.value("SELECT name FROM store") == "改名"


async def test_imports_are_listed_newest_first_in_pages(clerk: httpx.AsyncClient) -> None:
    made = [(await upload(clerk, "stores", name=f"{n}.csv")).json()["id"] for n in range(3)]

    first = (await clerk.get(IMPORTS, params={"limit": 2})).json()
    rest = (await clerk.get(IMPORTS, params={"limit": 2, "cursor": first["next_cursor"]})).json()

    assert [job["id"] for job in (*first["items"], *rest["items"])] == made[::-1]
    assert rest["next_cursor"] is None
