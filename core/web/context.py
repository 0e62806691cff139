"""What surrounds every HTTP call: its id, its language, the caller's address, one line in the log.

Plain ASGI around the whole app, so that 404s have an id too; written to cost a few microseconds.
"""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

from core.kernel import request as request_info
from core.kernel.i18n import DEFAULT_LANG, Lang, negotiate

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Message, Receive, Scope, Send

    from core.web.access import AccessLog

_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")


class RequestContext:
    """Wrap ``app``. ``trusted_proxies`` is how many proxies of ours stand in front (``MALL_TRUSTED_PROXIES``)."""

    __slots__ = ("access", "app", "default_lang", "trusted_proxies")

    def __init__(
        self,
        app: ASGIApp,
        *,
        trusted_proxies: int = 0,
        default_lang: Lang = DEFAULT_LANG,
        access: AccessLog | None = None,
    ) -> None:
        self.app = app
        self.trusted_proxies = trusted_proxies
        self.default_lang: Lang = default_lang
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        given_id = language = forwarded = None
        for name, value in scope["headers"]:
            if name == b"accept-language":
                language = value
            elif name == b"x-request-id":
                given_id = value
            elif name == b"x-forwarded-for":
                forwarded = value if forwarded is None else forwarded + b"," + value
        request_id = given_id.decode() if given_id and _SANE_ID.fullmatch(given_id) else os.urandom(8).hex()
        lang = negotiate(language.decode("latin-1"), self.default_lang) if language else self.default_lang
        ip = client_ip(scope.get("client"), forwarded, self.trusted_proxies)
        id_header = (b"x-request-id", request_id.encode())
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], id_header]
            await send(message)

        token = request_info.current.set(request_info.RequestInfo(request_id=request_id, ip=ip, lang=lang))
        try:
            await self.app(scope, receive, send_with_id)
        finally:
            if self.access is not None:
                ms = round((time.perf_counter() - started) * 1000, 1)
                self.access.add(scope["method"], scope["path"], status, ms, ip, request_id)
            request_info.current.reset(token)


def client_ip(client: tuple[str, int] | None, forwarded: bytes | None, trusted_proxies: int) -> str:
    """Return the caller's address: each trusted proxy appended one, anything further left is the caller's own claim."""
    if trusted_proxies and forwarded:
        hops = forwarded.decode("latin-1").split(",")
        return hops[max(len(hops) - trusted_proxies, 0)].strip()[:45]
    return client[0] if client else ""


def current_lang() -> Lang:
    """Return the language of the running request."""
    return request_info.current.get().lang
