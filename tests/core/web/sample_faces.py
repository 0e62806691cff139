"""A few handlers in the form of the real faces, for the tests of the web layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Request, Response, get, post, put
from litestar.params import Parameter
from msgspec import Meta

from core import cache
from core.kernel.errors import Conflict, Problem
from core.kernel.i18n import Lang, Text
from core.web import Page, Paged, RequestKey, cached_response, current_lang, encode, need_scope, paged, problems
from core.web.mounts import UPLOAD_LIMIT

if TYPE_CHECKING:
    from core.kernel.mall import Mall
    from core.members.types import MemberSessionView
    from core.staff.types import StaffSessionView

builds: list[str] = []


class CupTaken(Conflict):
    code = "cups.taken"
    zh = "杯子 {cup} 已被占用。"
    en = "The cup {cup} is taken."


class Lid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A lid."""

    colour: Annotated[str, Meta(min_length=2, max_length=10)]
    holes: Annotated[int, Meta(ge=0, le=5)] = 1


class NewCup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A cup to be made."""

    name: Annotated[str, Meta(min_length=1, max_length=20, description="What is written on it.", examples=["拿铁"])]
    size_ml: Annotated[int, Meta(ge=100, le=1000, description="Millilitres.", examples=[350])]
    lids: list[Lid] = []


class Cup(msgspec.Struct, frozen=True, kw_only=True):
    """A cup as it is."""

    id: int
    name: Annotated[str, Meta(description="What is written on it.", examples=["拿铁"])]


@get(
    "/cups/{cup_id:int}", operation_id="get_cup", tags=["cups"], summary="One cup", opt={"public": True, "cached": True}
)
async def get_cup(request: Request[Any, Any, Any], cup_id: int) -> Response[Cup]:
    """The cup, from the cache."""
    mall: Mall = request.app.state.mall

    async def build() -> bytes:
        builds.append(f"cup {cup_id}")
        return encode(Cup(id=cup_id, name=current_lang()))

    key = f"cup:{cup_id}:{current_lang()}"
    return cached_response(await mall.cache.get_or_build(mall, key, (f"cup:{cup_id}",), build))


@get("/cups", operation_id="list_cups", tags=["cups"], summary="Cups", opt={"public": True})
async def list_cups(page: Page, lang: Lang, least: Annotated[int, Parameter(ge=0)] = 0) -> Paged[Cup]:
    after = page.after(tuple[int])
    first = max(least, after[0] + 1 if after else 0)
    return paged([Cup(id=i, name=lang) for i in range(first, 7)][: page.limit + 1], page.limit, lambda c: (c.id,))


@post("/cups", operation_id="make_cup", tags=["cups"], summary="Make a cup", responses=problems(CupTaken))
async def make_cup(member: MemberSessionView, request_key: RequestKey, data: NewCup) -> Cup:
    if data.name == "taken":
        raise CupTaken(cup=data.name, problems=[Problem(code="cups.shelf", message=Text("架子满了", "shelf full"))])
    if data.name == "bug":
        raise RuntimeError("secret-of-the-bug SELECT password")
    if data.name == "database":
        raise ConnectionRefusedError("postgres://user:secret@db")
    return Cup(id=member.member_id, name=f"{data.name} {request_key}")


@post("/open/cups", operation_id="make_open_cup", tags=["cups"], opt={"public": True})
async def make_open_cup(mall: Mall, data: NewCup) -> Cup:
    await cache.rate_limit(mall, "cups", limit=3, per_s=60)
    return Cup(id=1, name=data.name)


@put(
    "/cups/photo", operation_id="upload_photo", tags=["cups"], opt={"public": True}, request_max_body_size=UPLOAD_LIMIT
)
async def upload_photo(request: Request[Any, Any, Any]) -> dict[str, int]:
    return {"bytes": len(await request.body())}


@get("/stores/{store_id:int}/cups", operation_id="count_cups", tags=["cups"], opt={"permission": "cups.read"})
async def count_cups(staff: StaffSessionView, store_id: int) -> dict[str, str]:
    """How many cups a store has."""
    need_scope(staff, store_id)
    return {"by": staff.login}


@get("/me", operation_id="get_me", tags=["me"], opt={"signed_in": True})
async def get_me(staff: StaffSessionView, token: str) -> dict[str, str]:
    return {"login": staff.login, "token": token[:1]}


@get("/naked", operation_id="naked")
async def naked() -> None: ...


shoppers: list[Any] = [get_cup, list_cups, make_cup, make_open_cup, upload_photo]
staff: list[Any] = [count_cups, get_me]
