"""Lists: ``?limit=&cursor=`` in, ``items`` and ``next_cursor`` out. A cursor is opaque and belongs to one list."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from litestar.params import Parameter

from core.web.errors import BadCursor

T = TypeVar("T")
Keys = TypeVar("Keys")
DEFAULT_LIMIT = 20
MAX_LIMIT = 100
MAX_CURSOR = 500


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What part of a list the caller wants."""

    limit: int = DEFAULT_LIMIT
    cursor: str | None = None

    def after(self, keys: type[Keys]) -> Keys | None:
        """Return the sort keys behind the cursor as ``keys`` (``tuple[datetime, int]``); ``None`` on the first page.

        Raises ``BadCursor``.
        """
        return None if self.cursor is None else decode_cursor(self.cursor, keys)


class Paged(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One page of a list. ``next_cursor`` is null on the last page."""

    items: Sequence[T]
    next_cursor: str | None = None


def paged(found: Sequence[T], limit: int, keys: Callable[[T], Sequence[object]]) -> Paged[T]:
    """Make a page of up to ``limit + 1`` items found: the one too many says that there is a next page.

    ``keys`` gives the sort keys of an item; those of the last item shown become the cursor.
    """
    shown = found[:limit]
    return Paged(items=shown, next_cursor=encode_cursor(keys(shown[-1])) if len(found) > limit else None)


def encode_cursor(keys: Sequence[object]) -> str:
    """Write sort keys as a cursor. They are not secret and go back into SQL as parameters only."""
    return base64.urlsafe_b64encode(msgspec.json.encode(tuple(keys))).rstrip(b"=").decode()


def decode_cursor(cursor: str, keys: type[Keys] = tuple[Any, ...]) -> Keys:
    """Read a cursor as ``keys``, a tuple type. Raises ``BadCursor`` for anything that this list did not write."""
    if len(cursor) > MAX_CURSOR:
        raise BadCursor
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=keys)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as exc:
        raise BadCursor from exc


def provide_page(
    limit: Annotated[int, Parameter(ge=1, le=MAX_LIMIT, description="How many items at most.")] = DEFAULT_LIMIT,
    cursor: Annotated[str | None, Parameter(description="`next_cursor` of the page before.")] = None,
) -> Page:
    return Page(limit=limit, cursor=cursor or None)
