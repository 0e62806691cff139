"""The yardstick of the catalog: a bare Litestar handler that returns bytes, on the mall's server settings."""

from __future__ import annotations

import os
from pathlib import Path

from litestar import Litestar, MediaType, Response, get


def create_app() -> Litestar:
    """Serve the files of ``BENCH_BYTES`` (a folder with ``list`` and ``detail``) from memory."""
    folder = Path(os.environ["BENCH_BYTES"])
    listed, detail = (folder / "list").read_bytes(), (folder / "detail").read_bytes()

    @get("/list", media_type=MediaType.JSON)
    async def get_list() -> Response[bytes]:
        return Response(listed, media_type=MediaType.JSON)

    @get("/detail", media_type=MediaType.JSON)
    async def get_detail() -> Response[bytes]:
        return Response(detail, media_type=MediaType.JSON)

    return Litestar(route_handlers=[get_list, get_detail], openapi_config=None)
