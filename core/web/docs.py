"""The documents and their pages: ``/<face>/openapi.json`` and ``/<face>/docs``, which load nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import MediaType, Response, get

if TYPE_CHECKING:
    from litestar import Router

    from core.kernel.mall import Mall

_HEADERS = {
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}


def handlers(mall: Mall, storefront: Sequence[Router], admin: Sequence[Router]) -> list[Any]:
    """Make the handlers of both faces' documents and pages."""
    return [*_face(mall, "storefront", storefront), *_face(mall, "admin", admin)]


def _face(mall: Mall, face: str, routers: Sequence[Router]) -> list[Any]:
    written: list[bytes] = []

    @get(f"/{face}/openapi.json", name=f"{face}-openapi", include_in_schema=False, sync_to_thread=False)
    def document() -> Response[bytes]:
        if not written:  # made when it is first asked for: most processes never are
            from core.web import openapi  # noqa: PLC0415

            written.append(msgspec.json.encode(openapi.build(mall, face, routers), enc_hook=str))
        return Response(written[0], media_type=MediaType.JSON, headers=_HEADERS)

    @get(f"/{face}/docs", name=f"{face}-docs", include_in_schema=False, sync_to_thread=False)
    def page() -> Response[bytes]:
        return Response(
            _asset("docs.html").replace(b"{{face}}", face.encode()), media_type=MediaType.HTML, headers=_HEADERS
        )

    @get(f"/{face}/docs/docs.js", name=f"{face}-docs-js", include_in_schema=False, sync_to_thread=False)
    def script() -> Response[bytes]:
        return Response(_asset("docs.js"), media_type="text/javascript", headers=_HEADERS)

    @get(f"/{face}/docs/docs.css", name=f"{face}-docs-css", include_in_schema=False, sync_to_thread=False)
    def style() -> Response[bytes]:
        return Response(_asset("docs.css"), media_type=MediaType.CSS, headers=_HEADERS)

    return [document, page, script, style]


def _asset(name: str) -> bytes:
    return resources.files("core.web").joinpath("assets", name).read_bytes()
