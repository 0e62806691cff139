"""Make a draft ready to be stored, and say everything that is wrong with it. Pure: no database here."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from typing import TypeVar

import msgspec
import nh3

from core.catalog.errors import ProductInvalid
from core.catalog.types import MAX_OPTIONS, MAX_PRICE_FEN, MAX_SKUS, Attributes, Image, Option, ProductDraft, SkuDraft
from core.kernel.errors import Problem
from core.kernel.i18n import Text

T = TypeVar("T", bound=Hashable)
MAX_ATTRIBUTES_BYTES = 16_384
_HANDLE = re.compile(r"[\w.~-]+")
_URL_SCHEMES = {"http", "https", "mailto", "tel"}
_SPACES = re.compile(r"\s+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def clean(draft: ProductDraft) -> ProductDraft:
    """Return ``draft`` as it is stored: spaces trimmed, tags without doubles, description sanitised.

    Raises ``ProductInvalid`` with every reason as a problem. Cleaning twice changes nothing.
    """
    options = tuple(Option(line(o.name), tuple(line(v) for v in o.values)) for o in draft.options)
    cleaned = msgspec.structs.replace(
        draft,
        handle=line(draft.handle).lower(),
        title=line(draft.title),
        brand=line(draft.brand),
        tags=tuple(dict.fromkeys(t for t in map(line, draft.tags) if t)),
        options=options,
        images=tuple(Image(line(i.url), line(i.alt)) for i in draft.images),
        description_html=sanitise(draft.description_html),
        skus=tuple(_clean_sku(s) for s in draft.skus),
        attributes=_as_json(draft.attributes),
    )
    problems = list(_problems(cleaned))
    if problems:
        raise ProductInvalid(handle=cleaned.handle, problems=problems)
    return cleaned


def sanitise(html: str) -> str:
    """Return ``html`` without scripts, styles, event handlers and foreign addresses (nh3's list of safe tags)."""
    return nh3.clean(_CONTROL.sub("", html), url_schemes=_URL_SCHEMES).strip()


def plain(text: str) -> str:
    """Fold ``text`` for search: full-width to half-width (NFKC), lower case, single spaces."""
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", _CONTROL.sub(" ", text))).strip().lower()


def search_text(draft: ProductDraft) -> str:
    """Return what a search for this product may match: title, brand, tags and the codes of its SKUs."""
    return plain(" ".join([draft.title, draft.brand, *draft.tags, *(s.code for s in draft.skus)]))


def price_range(skus: Iterable[SkuDraft]) -> tuple[int, int]:
    """Return the lowest and highest price of the SKUs on sale, in fen; (0, 0) when there is none."""
    prices = [s.price_fen for s in skus if s.active]
    return (min(prices), max(prices)) if prices else (0, 0)


def line(text: str) -> str:
    """Return ``text`` as one line without control characters (PostgreSQL refuses NUL in text)."""
    return _SPACES.sub(" ", _CONTROL.sub("", text)).strip()


def _clean_sku(sku: SkuDraft) -> SkuDraft:
    return msgspec.structs.replace(
        sku,
        code=line(sku.code),
        options=tuple(map(line, sku.options)),
        barcode=line(sku.barcode),
        image_url=line(sku.image_url),
        attributes=_as_json(sku.attributes),
    )


def _as_json(attributes: Attributes) -> Attributes:
    """Return what will come back from the database, so that an unchanged draft compares equal."""
    return msgspec.json.decode(msgspec.json.encode(attributes).replace(rb"\u0000", b""), type=Attributes)


def _problems(draft: ProductDraft) -> Iterator[Problem]:
    # Lengths are checked here as well as at the faces: importers build drafts without decoding them.
    if not _HANDLE.fullmatch(draft.handle) or len(draft.handle) > 128:  # noqa: PLR2004 - the column's length
        yield _problem("catalog.handle_invalid", "商品标识只能包含文字、数字、-._~,最长 128 个字符",
                       "the handle is at most 128 letters, digits and -._~", handle=draft.handle)  # fmt: skip
    if not 1 <= len(draft.title) <= 200:  # noqa: PLR2004
        yield _problem("catalog.title_invalid", "商品名称为 1 至 200 个字符", "the title has 1 to 200 characters")
    if len(draft.brand) > 64 or any(len(t) > 64 for t in draft.tags):  # noqa: PLR2004
        yield _problem("catalog.text_too_long", "品牌和标签最长 64 个字符", "brand and tags have at most 64 characters")
    for url in {*(i.url for i in draft.images), *(s.image_url for s in draft.skus if s.image_url)}:
        if not url.startswith(("https://", "http://", "/")) or " " in url:
            yield _problem("catalog.image_invalid", f"图片地址无效:{url[:80]}", f"not an image address: {url[:80]}")
    limits = (draft.min_per_order, draft.max_per_order, draft.max_per_member)
    if min(limits) < 0 or any(0 < most < draft.min_per_order for most in limits[1:]):
        yield _problem("catalog.limits_invalid", "限购数量互相矛盾", "the purchase limits contradict each other")
    if any(
        len(msgspec.json.encode(a)) > MAX_ATTRIBUTES_BYTES
        for a in (draft.attributes, *(s.attributes for s in draft.skus))
    ):
        yield _problem("catalog.attributes_too_big", "附加属性过大", "the attributes are too big")
    yield from _option_problems(draft)
    yield from _sku_problems(draft)


def _option_problems(draft: ProductDraft) -> Iterator[Problem]:
    if len(draft.options) > MAX_OPTIONS:
        yield _problem("catalog.too_many_options", f"最多 {MAX_OPTIONS} 个选项", f"at most {MAX_OPTIONS} options")
    texts = [o.name for o in draft.options] + [v for o in draft.options for v in o.values]
    if not all(1 <= len(text) <= 64 for text in texts) or not all(o.values for o in draft.options):  # noqa: PLR2004
        yield _problem("catalog.option_invalid", "选项名和选项值为 1 至 64 个字符",
                       "options and their values have 1 to 64 characters")  # fmt: skip
    for what in _doubles(o.name for o in draft.options):
        yield _problem("catalog.option_twice", f"选项“{what}”重复", f"the option “{what}” is there twice")
    for option in draft.options:
        for what in _doubles(option.values):
            yield _problem("catalog.option_twice", f"选项值“{what}”重复", f"the value “{what}” is there twice")


def _sku_problems(draft: ProductDraft) -> Iterator[Problem]:
    # The rules of options bind SKUs on sale: those taken off keep the options they were sold with.
    on_sale = [s for s in draft.skus if s.active]
    if not draft.skus or len(on_sale) > MAX_SKUS:
        yield _problem("catalog.sku_count", f"规格数量为 1 至 {MAX_SKUS}", f"a product has 1 to {MAX_SKUS} SKUs")
    values = [set(o.values) for o in draft.options]
    for sku in draft.skus:
        if not 1 <= len(sku.code) <= 64 or len(sku.barcode) > 64:  # noqa: PLR2004
            yield _problem("catalog.sku_code_invalid", "规格编码为 1 至 64 个字符", "a SKU code has 1 to 64 characters",
                           sku=sku.code)  # fmt: skip
        fits = len(sku.options) == len(values) and all(v in known for v, known in zip(sku.options, values, strict=True))
        if sku.active and not fits:
            yield _mismatch(sku)
        if (
            not 0 <= sku.price_fen <= MAX_PRICE_FEN
            or not 0 <= (sku.compare_at_fen or 0) <= MAX_PRICE_FEN
            or sku.weight_g < 0
        ):
            yield _problem("catalog.price_invalid", f"规格 {sku.code} 的价格或重量无效",
                           f"price or weight of the SKU {sku.code} is out of range", sku=sku.code)  # fmt: skip
    for code in _doubles(s.code for s in draft.skus):
        yield _problem("catalog.sku_twice", f"规格编码 {code} 重复", f"the SKU code {code} is there twice", sku=code)
    for combination in _doubles(s.options for s in on_sale):
        label = " / ".join(combination)
        yield _problem(
            "catalog.combination_twice", f"选项组合“{label}”重复", f"the combination “{label}” is there twice"
        )


def _mismatch(sku: SkuDraft) -> Problem:
    return _problem(
        "catalog.options_mismatch",
        f"规格 {sku.code} 必须为每个选项各取一个已有的值",
        f"the SKU {sku.code} needs exactly one known value for each option",
        sku=sku.code,
    )


def _doubles(things: Iterable[T]) -> list[T]:
    return [thing for thing, times in Counter(things).items() if times > 1]


def _problem(code: str, zh: str, en: str, **details: object) -> Problem:
    return Problem(code=code, message=Text(zh, en), details=details)
