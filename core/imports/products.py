"""Products from a table, in three shapes: Shopify's product CSV, the mall's own columns, and a plain menu.

A menu has the columns Category and Beverage (or Product), option columns (Size, Milk, …) and facts (Calories, …): one
product per category and name, one SKU per combination. Source of Shopify's columns:
https://help.shopify.com/en/manual/products/import-export/using-csv
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Any

import msgspec

from core.catalog.types import Image, Option, ProductDraft, SkuDraft
from core.imports.errors import FormatUnknown
from core.imports.pricerule import PriceRule
from core.imports.sheets import Row, Sheet
from core.imports.types import Options, Rejection
from core.imports.values import CellInvalid, count, flag, needed, price, whole

OWN_COLUMNS = (
    "handle", "title", "category", "brand", "tags", "description", "state", "option1_name", "option1_value",
    "option2_name", "option2_value", "option3_name", "option3_value", "sku", "price", "compare_at", "stock", "tracked",
    "backorder", "barcode", "weight_g", "image", "max_per_order", "max_per_member",
)  # fmt: skip
_MENU_OPTIONS = ("Size", "Milk", "Temperature", "Sweetness")
_SHOPIFY_DEFAULT = "Default Title"


class Parsed(msgspec.Struct, frozen=True, kw_only=True):
    """One product of the file: what it should be, its lines, its category path and the stock of its SKUs by code."""

    lines: tuple[int, ...]
    draft: ProductDraft
    category: tuple[str, ...]
    stock: dict[str, int]


def parse(sheet: Sheet, options: Options, rule: PriceRule | None) -> tuple[list[Parsed], list[Rejection]]:
    """Return the usable products, and a rejection for every line of the others: a product is taken whole or not at all.

    Raises ``FormatUnknown``.
    """
    columns = set(sheet.columns)
    if {"Handle", "Option1 Value"} <= columns:
        key, make = _shopify_key, _shopify
    elif {"handle", "price"} <= columns:
        key, make = _own_key, _own
    elif "Category" in columns and columns & {"Beverage", "Product"}:
        key, make = _menu_key, _menu
    else:
        raise FormatUnknown(columns=", ".join(sheet.columns)[:200])
    groups: dict[str, list[Row]] = {}
    for row in sheet.rows:
        groups.setdefault(key(row), []).append(row)
    parsed: list[Parsed] = []
    rejected: list[Rejection] = []
    for name, rows in groups.items():
        at = rows[0]
        try:
            needed("Handle", name)
            parsed.append(make(name, _Rows(rows), options, rule))
        except _At as exc:
            at, refusal = exc.row, exc.cause
        except CellInvalid as exc:
            refusal = exc
        else:
            continue
        rejected += _rejections(name, rows, at, refusal)
    return parsed, rejected


def _rejections(name: str, rows: list[Row], at: Row, refusal: CellInvalid) -> list[Rejection]:
    """Name the line at fault with its reason, and the product's other lines as going with it."""
    found: list[Rejection] = []
    for row in rows:
        if row is at:
            found.append(
                Rejection(
                    line=row.line, subject=name, column=refusal.column, code=refusal.code, message=refusal.message
                )
            )
            continue
        with_it = CellInvalid(
            "", "imports.with_product", f"同一商品的第 {at.line} 行无效,整个商品未导入。",
            f"line {at.line} of the same product cannot be used, so none of it was imported.",
        )  # fmt: skip
        found.append(Rejection(line=row.line, subject=name, column="", code=with_it.code, message=with_it.message))
    return found


class _At(Exception):
    """A refusal with the row that it is about."""

    def __init__(self, row: Row, cause: CellInvalid) -> None:
        self.row, self.cause = row, cause
        super().__init__(str(cause))


class _Rows(list[Row]):
    """The rows of one product."""

    def skus(self, one: Any) -> list[SkuDraft]:
        """Make a SKU of each row, naming the row at fault."""
        made: list[SkuDraft] = []
        for row in self:
            try:
                made.append(one(row))
            except CellInvalid as exc:
                raise _At(row, exc) from exc
        return made


def _shopify_key(row: Row) -> str:
    return row.get("Handle")


def _own_key(row: Row) -> str:
    return row.get("handle")


def _menu_key(row: Row) -> str:
    return f"{row.get('Category')} / {row.get('Beverage', 'Product')}"


def slug(*parts: str) -> str:
    """Make a handle of names: Latin letters and digits; other scripts by a short, stable hash."""
    text = "-".join(parts)
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:100]
    if plain == text.lower() and base:
        return base
    mark = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{base}-{mark}" if base else mark


def sku_code(handle: str, chosen: tuple[str, ...]) -> str:
    """Make a code for a SKU that has none in the file: stable, so that importing again finds it."""
    tail = slug(*chosen) if chosen else ""
    code = f"{handle}-{tail}" if tail else handle
    if len(code) <= 64:  # noqa: PLR2004 - the width of sku.code
        return code
    return f"{code[:55]}-{hashlib.sha256(code.encode()).hexdigest()[:8]}"


def _options(names: list[str], skus: list[SkuDraft]) -> tuple[Option, ...]:
    return tuple(
        Option(name, tuple(dict.fromkeys(sku.options[place] for sku in skus))) for place, name in enumerate(names)
    )


def _shopify(handle: str, rows: _Rows, options: Options, rule: PriceRule | None) -> Parsed:
    first = rows[0]
    variants = _Rows(row for row in rows if row.get("Option1 Value") or row.get("Variant Price"))
    names = [n for n in (first.get(f"Option{i} Name") for i in (1, 2, 3)) if n]
    single = all(row.get("Option1 Value") in ("", _SHOPIFY_DEFAULT) for row in variants)
    if single:
        names = []
    stock: dict[str, int] = {}

    def sku(row: Row) -> SkuDraft:
        chosen = tuple(row.get(f"Option{i} Value") for i in range(1, len(names) + 1))
        for place, value in enumerate(chosen, start=1):
            needed(f"Option{place} Value", value)
        tracked = row.get("Variant Inventory Tracker") != ""
        code = row.get("Variant SKU") or sku_code(handle, chosen)
        if tracked:
            stock[code] = max(
                0, whole("Variant Inventory Qty", row.get("Variant Inventory Qty"))
            )  # oversold is none here
        compare = row.get("Variant Compare At Price")
        fallback = rule.price_fen(first.get("Type"), dict(zip(names, chosen, strict=True))) if rule else None
        asked = row.get("Variant Price")
        return SkuDraft(
            code=code, options=chosen,
            price_fen=price("Variant Price", asked) if asked or fallback is None else fallback,
            compare_at_fen=price("Variant Compare At Price", compare) if compare else None,
            barcode=row.get("Variant Barcode").lstrip("'"), weight_g=count("Variant Grams", row.get("Variant Grams")),
            image_url=row.get("Variant Image"), tracked=tracked,
            backorder=row.get("Variant Inventory Policy").lower() == "continue",
        )  # fmt: skip

    skus = variants.skus(sku)
    published = flag("Published", first.get("Published")) if "Published" in first.cells else True
    status = first.get("Status").lower()
    on_sale = options.publish and published and status in ("", "active")
    images = (Image(r.get("Image Src"), r.get("Image Alt Text")) for r in rows if r.get("Image Src"))
    draft = _checked(
        handle=handle, title=needed("Title", first.get("Title")), skus=tuple(skus), options=_options(names, skus),
        description_html=first.get("Body (HTML)"), brand=first.get("Vendor"), tags=_tags(first.get("Tags")),
        images=tuple(dict.fromkeys(images)), state="active" if on_sale else "draft",
    )  # fmt: skip
    category = first.get("Type") or first.get("Product Category")
    return Parsed(lines=tuple(r.line for r in rows), draft=draft, category=_path(category), stock=stock)


def _own(handle: str, rows: _Rows, options: Options, rule: PriceRule | None) -> Parsed:
    first = rows[0]
    names = [n for n in (first.get(f"option{i}_name") for i in (1, 2, 3)) if n]
    stock: dict[str, int] = {}

    def sku(row: Row) -> SkuDraft:
        chosen = tuple(needed(f"option{i}_value", row.get(f"option{i}_value")) for i in range(1, len(names) + 1))
        code = row.get("sku") or sku_code(handle, chosen)
        if row.get("stock"):
            stock[code] = count("stock", row.get("stock"))
        asked = row.get("price")
        fallback = rule.price_fen(first.get("category"), dict(zip(names, chosen, strict=True))) if rule else None
        compare = row.get("compare_at")
        return SkuDraft(
            code=code, options=chosen, price_fen=price("price", asked) if asked or fallback is None else fallback,
            compare_at_fen=price("compare_at", compare) if compare else None, barcode=row.get("barcode"),
            weight_g=count("weight_g", row.get("weight_g")), image_url=row.get("image"),
            tracked=flag("tracked", row.get("tracked") or "true"), backorder=flag("backorder", row.get("backorder")),
        )  # fmt: skip

    skus = rows.skus(sku)
    state = first.get("state") or ("active" if options.publish else "draft")
    draft = _checked(
        handle=handle, title=needed("title", first.get("title")), skus=tuple(skus), options=_options(names, skus),
        description_html=first.get("description"), brand=first.get("brand"), tags=_tags(first.get("tags")),
        images=tuple(dict.fromkeys(Image(r.get("image")) for r in rows if r.get("image"))), state=state,
        max_per_order=count("max_per_order", first.get("max_per_order")),
        max_per_member=count("max_per_member", first.get("max_per_member")),
    )  # fmt: skip
    return Parsed(lines=tuple(r.line for r in rows), draft=draft, category=_path(first.get("category")), stock=stock)


def _menu(name: str, rows: _Rows, options: Options, rule: PriceRule | None) -> Parsed:
    first = rows[0]
    title = needed("Beverage", first.get("Beverage", "Product"))
    category = first.get("Category")
    names = [n for n in _MENU_OPTIONS if any(row.get(n) for row in rows)]
    facts = [c for c in first.cells if c not in ("Category", "Beverage", "Product", "Price", "SKU", *_MENU_OPTIONS)]
    handle = slug(category, title)

    def sku(row: Row) -> SkuDraft:
        chosen = tuple(needed(n, row.get(n)) for n in names)
        asked = row.get("Price")
        if not asked and rule is None:
            raise CellInvalid(
                "Price", "imports.no_price", "文件没有价格,请提供价格规则(price_rule,命令行为 --price-rule)。",
                "the file has no price; give a price rule (price_rule, on the command line --price-rule).",
            )  # fmt: skip
        computed = rule.price_fen(category, dict(zip(names, chosen, strict=True))) if rule else 0
        return SkuDraft(
            code=row.get("SKU") or sku_code(handle, chosen), options=chosen,
            price_fen=price("Price", asked) if asked else computed, tracked=False,
            attributes={fact: row.cells[fact] for fact in facts if row.cells.get(fact)},
        )  # fmt: skip

    skus = rows.skus(sku)
    draft = _checked(
        handle=handle, title=title, skus=tuple(skus), options=_options(names, skus),
        state="active" if options.publish else "draft",
    )  # fmt: skip
    return Parsed(lines=tuple(r.line for r in rows), draft=draft, category=_path(category), stock={})


def _tags(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tag.strip() for tag in text.split(",") if tag.strip()))


def _path(text: str) -> tuple[str, ...]:
    """Read ``Drinks > Coffee`` as a category path."""
    return tuple(part.strip() for part in text.split(">") if part.strip())


def _checked(**values: Any) -> ProductDraft:
    """Make a draft and check it by its own struct, so that a long title is a line of the report and not a crash."""
    draft = ProductDraft(**values)
    try:
        return msgspec.convert(msgspec.to_builtins(draft), ProductDraft)
    except msgspec.ValidationError as exc:
        raise CellInvalid("", "imports.not_valid", f"商品信息无效:{exc}", f"the product cannot be used: {exc}") from exc
