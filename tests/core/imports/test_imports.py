"""Imports of real files and of broken ones."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
import xlsxwriter

from core import db
from core.imports import pricerule, products, sheets, values
from core.imports.errors import FileUnreadable, FormatUnknown, OptionInvalid, PriceRuleInvalid
from core.imports.service import run
from core.imports.types import Options, Report
from core.kernel.mall import Mall
from core.kernel.origin import SYSTEM

DATA = Path(__file__).parents[4] / "shared" / "data"
RULE = "base=28;Size.Grande=+3;Size.Venti=+6;Milk.Soy Milk=+3"
real = pytest.mark.skipif(not DATA.is_dir(), reason="the real files are not beside this checkout")


async def load(mall: Mall, kind, name: str, **options) -> Report:
    return await run(mall, kind, (DATA / name).read_bytes(), Options(**options), actor=SYSTEM)


def own(*lines: str) -> bytes:
    return "\n".join(("handle,title,option1_name,option1_value,price,stock", *lines)).encode()


async def count(table: str) -> int:
    return await db.value(f"SELECT count(*) FROM {table}")


@real
async def test_the_real_stores_are_imported_and_again_change_nothing(mall: Mall) -> None:
    began = time.monotonic()
    first = await load(mall, "stores", "stores-cn.csv", hours="07:00-22:00")
    took = time.monotonic() - began

    again = await load(mall, "stores", "stores-cn.csv", hours="07:00-22:00")

    assert (first.created, first.rejected_count) == (2734, 0)
    assert took < 60, took  # a hang, not a speed; the speed is in bench/
    assert (again.created, again.changed, again.unchanged) == (0, 0, 2734)
    assert (await count("store"), await count("location")) == (2734, 2734)
    assert await db.value("SELECT max(version) FROM store") == 1
    assert await db.value("SELECT count(*) FROM store WHERE zone = 'Asia/Macau'") == 4
    assert await db.value("SELECT count(*) FROM store WHERE province = '上海市'") == 551


@real
async def test_the_real_menu_is_one_product_a_beverage_and_one_sku_a_combination(mall: Mall) -> None:
    report = await load(mall, "products", "drinks.csv", price_rule=RULE)
    again = await load(mall, "products", "drinks.csv", price_rule=RULE)

    assert (report.lines, report.created, report.rejected_count) == (234, 32, 0)
    assert (await count("product"), await count("sku")) == (32, 234)
    assert (again.created, again.changed, again.unchanged) == (0, 0, 32)
    latte = await db.rows(
        "SELECT s.options, s.price_fen FROM sku s JOIN product p ON p.id = s.product_id WHERE p.title = 'Caffè Latte'"
    )
    prices = {tuple(msgspec.json.decode(r["options"])): r["price_fen"] for r in latte}
    assert len(prices) == 12
    assert prices["Venti", "Soy Milk"] == 3700
    assert prices["Short", "2% Milk"] == 2800


@real
@pytest.mark.parametrize(("name", "made", "skus"), [("apparel.csv", 20, 22), ("home-and-garden.csv", 20, 21)])
async def test_the_real_shop_exports_are_imported(mall: Mall, name: str, made: int, skus: int) -> None:
    report = await load(mall, "products", name)
    again = await load(mall, "products", name)

    assert (report.created, report.rejected_count) == (made, 0)
    assert (await count("product"), await count("sku")) == (made, skus)
    assert again.unchanged == made


@real
async def test_without_a_price_rule_a_menu_is_rejected_line_by_line(mall: Mall) -> None:
    report = await load(mall, "products", "drinks.csv")

    assert (report.created, report.rejected_count) == (0, 234)
    assert report.rejected[0].line == 2
    assert report.rejected[0].code == "imports.no_price"
    assert await count("product") == 0


async def test_one_bad_line_rejects_its_product_whole_and_no_other(mall: Mall) -> None:
    content = own("tea,Tea,Size,S,12,", "tea,,,M,twelve,", "cake,Cake,,,8.50,3")

    report = await run(mall, "products", content, Options(), actor=SYSTEM)

    assert report.created == 1
    assert [(r.line, r.column, r.code) for r in report.rejected] == [
        (2, "", "imports.with_product"),
        (3, "price", "imports.not_money"),
    ]
    assert [r["handle"] for r in await db.rows("SELECT handle FROM product")] == ["cake"]
    assert await db.value("SELECT on_hand FROM stock") == 3


async def test_a_dry_run_reports_the_same_and_writes_nothing(mall: Mall) -> None:
    content = own("cake,Cake,,,8.50,3")

    report = await run(mall, "products", content, Options(dry_run=True), actor=SYSTEM)

    assert (report.created, report.dry_run) == (1, True)
    for table in ("product", "sku", "stock", "event", "audit_entry", "category", "location"):
        assert await count(table) == 0, table


async def test_importing_again_does_not_bring_sold_stock_back(mall: Mall) -> None:
    content = own("cake,Cake,,,8.50,3")
    await run(mall, "products", content, Options(), actor=SYSTEM)
    await db.execute("UPDATE stock SET on_hand = 1")

    await run(mall, "products", content, Options(), actor=SYSTEM)

    assert await db.value("SELECT on_hand FROM stock") == 1


async def test_a_sheet_is_read_like_its_csv(mall: Mall) -> None:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True})
    page = book.add_worksheet()
    for line, cells in enumerate([("code", "name", "lat", "lng"), ("S1", "南京路店", 31.23, 121.47), ("S2", "", 0, 0)]):
        page.write_row(line, 0, cells)
    book.close()

    report = await run(mall, "stores", file.getvalue(), Options(), actor=SYSTEM)

    assert report.created == 1
    assert [(r.line, r.column, r.code) for r in report.rejected] == [(3, "name", "imports.missing")]
    assert await db.value("SELECT name FROM store") == "南京路店"


async def test_chinese_spreadsheet_encodings_are_read(mall: Mall) -> None:
    content = "code,name\nS1,南京路店\n".encode("gb18030")

    await run(mall, "stores", content, Options(), actor=SYSTEM)

    assert await db.value("SELECT name FROM store") == "南京路店"


@pytest.mark.parametrize(
    "content",
    [b"", b"   ", b"\xff\xfe\x00bad", b"PK\x03\x04 not a zip", b'code,name\n"open', b"a,a\n1,2\n", b"\x00\x01\x02"],
)
async def test_files_that_are_no_tables_are_refused(mall: Mall, content: bytes) -> None:
    with pytest.raises((FileUnreadable, FormatUnknown)):
        await run(mall, "stores", content, Options(), actor=SYSTEM)


async def test_unknown_columns_are_named(mall: Mall) -> None:
    with pytest.raises(FormatUnknown) as refused:
        await run(mall, "products", b"foo,bar\n1,2\n", Options(), actor=SYSTEM)

    assert refused.value.details["columns"] == "foo, bar"


@pytest.mark.parametrize("rule", ["28", "base=x", "Size.Grande=+3", "base=-1", "base=28;Grande=+3", "base=28.001"])
def test_bad_price_rules_are_refused(rule: str) -> None:
    with pytest.raises(PriceRuleInvalid):
        pricerule.parse(rule)


def test_line_numbers_count_lines_inside_quotes() -> None:
    sheet = sheets.read(b'code,name\n"a","two\nlines"\nb,x\n')

    assert [row.line for row in sheet.rows] == [2, 4]


def test_handles_of_any_script_are_stable_and_apart() -> None:
    assert products.slug("Tea") == "tea"
    assert products.slug("红茶") == products.slug("红茶")
    assert products.slug("红茶") != products.slug("绿茶")
    assert products.slug("Caffè Latte") != products.slug("Caffe Latte")


@pytest.mark.parametrize(
    ("text", "amount"), [("9.99", 999), ("\u00a51,200", 120000), ("\uffe58", 800), ("0", 0), ("5.10", 510)]
)
def test_yuan_are_read_as_fen(text: str, amount: int) -> None:
    assert values.fen("price", text) == amount


@pytest.mark.parametrize("text", ["", "x", "1e999999", "NaN", "Infinity", "9.999", "1e12", "--5"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(values.CellInvalid):
        values.fen("price", text)


@pytest.mark.parametrize("options", [{"hours": "25:00-26:00"}, {"hours": "always"}, {"services": ("dine_in",)}])
async def test_a_wrong_option_is_refused_as_a_whole(mall: Mall, options: dict[str, Any]) -> None:
    with pytest.raises(OptionInvalid):
        await run(mall, "stores", b"code,name\nS1,A\n", Options(**options), actor=SYSTEM)
