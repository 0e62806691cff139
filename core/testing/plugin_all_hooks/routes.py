"""One route for each face, and one for outside servers."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from litestar import Request, get, post

from core.sdk import Mall, MemberSessionView, StaffSessionView, problems
from core.testing.plugin_all_hooks import service
from core.testing.plugin_all_hooks.errors import SignatureWrong
from core.testing.plugin_all_hooks.types import Note, Said


@get("/hello", operation_id="all_hooks_hello", summary="Greet anyone", opt={"public": True})
async def hello() -> Said:
    return Said(greeting="hello")


@get("/hello/me", operation_id="all_hooks_hello_me", summary="Greet the member")
async def hello_me(member: MemberSessionView) -> Said:
    return Said(greeting=f"hello {member.member_number}")


@get("/notes", operation_id="all_hooks_notes", summary="See the notes", opt={"permission": "all_hooks.read"})
async def list_notes(mall: Mall, staff: StaffSessionView) -> list[Note]:
    return await service.notes()


@post("/ping", operation_id="all_hooks_ping", status_code=204, responses=problems(SignatureWrong))
async def ping(mall: Mall, request: Request[Any, Any, Any]) -> None:
    """Take a signed message: HMAC-SHA256 of the raw body in ``x-signature``."""
    body = await request.body()
    key = service.config(mall).callback_key.reveal().encode()
    wanted = hmac.new(key, body, hashlib.sha256).hexdigest()
    if not key or not hmac.compare_digest(wanted, request.headers.get("x-signature", "")):
        raise SignatureWrong
    await service.note_once(mall, "ping", 0, body.decode(errors="replace")[:200])
