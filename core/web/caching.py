"""Send cached bytes as they are: no encoding, no header work, 304 where the caller has them already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Response

if TYPE_CHECKING:
    from litestar.types import Receive, Scope, Send

    from core.cache import CachedBody

encode = msgspec.json.encode


class _Ready(Response[Any]):
    """A response that is its own ASGI application; the parent's constructor would only prepare what is ready."""

    __slots__ = ("ready",)

    def __init__(self, ready: CachedBody) -> None:
        self.ready = ready

    def to_asgi_response(self, *_args: Any, **_kwargs: Any) -> Any:
        return self.send

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        ready = self.ready
        if _has(scope, ready.etag_bytes):
            await send({"type": "http.response.start", "status": 304, "headers": ready.headers_304})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        await send({"type": "http.response.start", "status": 200, "headers": ready.headers})
        await send({"type": "http.response.body", "body": ready.body, "more_body": False})


def cached_response(body: CachedBody) -> Response[Any]:
    """Answer with ``body``, or 304 when the caller's ``If-None-Match`` has its ETag (RFC 9110, 13.1.2)."""
    return _Ready(body)


def _has(scope: Scope, etag: bytes) -> bool:
    for name, value in scope["headers"]:
        if name == b"if-none-match":
            if value in (etag, b"*"):
                return True
            return any(tag.strip().removeprefix(b"W/") == etag for tag in value.split(b","))
    return False
