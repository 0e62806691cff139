"""Lists, cursors and cached answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from core import cache
from core.web import BadCursor, Page, decode_cursor, encode_cursor, paged
from tests.core.web import sample_faces

if TYPE_CHECKING:
    from core.kernel.mall import Mall

CUPS = "/storefront/v1/cups"


@pytest.mark.parametrize(
    "cursor", ["", "!", "bm90IGpzb24", "WyJhIl0", "W10", "WzEsMl0", "x" * 501, "WzFd\n", "é", encode_cursor([1.5])]
)
def test_a_foreign_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursor):
        decode_cursor(cursor, tuple[int])


def test_a_cursor_comes_back_with_its_types() -> None:
    at = datetime(2026, 11, 21, 2, 0, 0, 123456, tzinfo=UTC)

    assert decode_cursor(encode_cursor((at, "拿铁", 7)), tuple[datetime, str, int]) == (at, "拿铁", 7)
    assert Page().after(tuple[int]) is None


def test_the_last_page_has_no_next() -> None:
    assert paged([1, 2], 2, lambda i: (i,)).next_cursor is None
    assert paged([], 2, lambda i: (i,)).next_cursor is None

    first = paged([1, 2, 3], 2, lambda i: (i,))

    assert list(first.items) == [1, 2]
    assert decode_cursor(first.next_cursor or "", tuple[int]) == (2,)


async def test_pages_follow_each_other(api: httpx.AsyncClient) -> None:
    seen: list[int] = []
    params: dict[str, Any] = {"limit": 3}
    for _ in range(5):
        page = (await api.get(CUPS, params=params)).json()
        seen += [cup["id"] for cup in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]

    assert seen == list(range(7))


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 101}, {"limit": "x"}, {"cursor": "nonsense"}])
async def test_a_strange_page_is_400(api: httpx.AsyncClient, params: dict[str, Any]) -> None:
    assert (await api.get(CUPS, params=params)).status_code == 400


async def test_a_cached_answer_has_an_etag_and_answers_304(api: httpx.AsyncClient) -> None:
    first = await api.get(f"{CUPS}/3")
    etag = first.headers["etag"]
    assert first.json() == {"id": 3, "name": "zh-CN"}
    assert first.headers["content-type"] == "application/json"

    for match in (etag, f'"other", W/{etag}', "*"):
        again = await api.get(f"{CUPS}/3", headers={"If-None-Match": match})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    for match in ('"other"', "", "nonsense"):
        assert (await api.get(f"{CUPS}/3", headers={"If-None-Match": match})).status_code == 200

    assert sample_faces.builds == ["cup 3"]


async def test_languages_do_not_share_an_answer(api: httpx.AsyncClient) -> None:
    assert (await api.get(f"{CUPS}/3")).json()["name"] == "zh-CN"
    english = await api.get(f"{CUPS}/3", headers={"Accept-Language": "en"})

    assert english.json()["name"] == "en"
    assert english.headers["vary"] == "Accept-Language"


async def test_an_invalidation_shows_in_the_next_answer(api: httpx.AsyncClient, mall: Mall) -> None:
    await api.get(f"{CUPS}/3")
    await api.get(f"{CUPS}/4")

    await cache.invalidate(mall, ["cup:3"])
    await api.get(f"{CUPS}/3")
    await api.get(f"{CUPS}/4")

    assert sample_faces.builds == ["cup 3", "cup 4", "cup 3"]
