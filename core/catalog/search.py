"""Find products by name: what contains the words first, then what looks like them (typing mistakes)."""

from __future__ import annotations

from core import db
from core.catalog.drafts import plain
from core.catalog.queries import LISTED, patterns
from core.catalog.types import ProductHit
from core.kernel.mall import Mall

_COLUMNS = """p.id, p.handle, p.title, p.brand, coalesce(p.images->0->>'url', '') AS image_url,
    p.min_price_fen, p.max_price_fen"""
_SIMILAR = 0.45  # "expresso" finds espresso, "lemon" does not find melon
_SIMILAR_FROM = 3  # characters: a trigram of fewer says nothing


async def search_products(mall: Mall, q: str, *, limit: int = 20, store_id: int | None = None) -> list[ProductHit]:
    """Return active products that contain every word of ``q``, best first, then similar ones up to ``limit``.

    Chinese and Latin, width and case folded. With a store, only what is listed there.
    """
    text, words = plain(q), patterns(q)
    if not words:
        return []
    listed = "" if store_id is None else "AND " + LISTED.replace("$s", "$3")
    store: tuple[object, ...] = () if store_id is None else (store_id,)
    likes = " AND ".join(f"p.search_text LIKE ${n}" for n in range(len(store) + 3, len(store) + 3 + len(words)))
    found = await db.fetch(
        ProductHit,
        f"""SELECT {_COLUMNS} FROM product p WHERE p.state = 'active' {listed} AND {likes}
            ORDER BY coalesce(nullif(strpos(lower(p.title), $1), 0), 1000), length(p.title), p.sort, p.id LIMIT $2""",  # noqa: S608 - constants and names of parameters
        text, limit, *store, *words,
    )  # fmt: skip
    if len(found) == limit or len(text) < _SIMILAR_FROM:
        return found
    listed = listed.replace("$3", "$4")
    async with db.transaction():  # the threshold of <% is a setting, and must not outlive this search
        await db.execute(f"SET LOCAL pg_trgm.word_similarity_threshold = {_SIMILAR}")
        return found + await db.fetch(
            ProductHit,
            f"""SELECT {_COLUMNS} FROM product p
                WHERE p.state = 'active' {listed} AND $1 <% p.search_text AND p.id <> ALL($3::bigint[])
                ORDER BY word_similarity($1, p.search_text) DESC, p.sort, p.id LIMIT $2""",  # noqa: S608 - constants and names of parameters
            text, limit - len(found), [hit.id for hit in found], *store,
        )  # fmt: skip
