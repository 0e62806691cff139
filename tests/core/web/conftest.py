"""A small app on a real mall: the handlers of ``sample_faces`` behind everything that stands before the real ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import httpx
import pytest_asyncio

from app import assemble
from core.testing import builders, harness
from tests.core.web import sample_faces

if TYPE_CHECKING:
    from litestar import Litestar

    from core.kernel.mall import Mall

Call = Callable[[str], httpx.AsyncClient]


@pytest_asyncio.fixture
async def small_app(mall: Mall) -> Litestar:
    sample_faces.builds.clear()
    return assemble(mall, sample_faces.shoppers, sample_faces.staff)


@pytest_asyncio.fixture
async def api(small_app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(small_app, raise_app_exceptions=False, client=("10.9.9.9", 5))
    async with httpx.AsyncClient(transport=transport, base_url="http://mall.test") as client:
        yield client


@pytest_asyncio.fixture
async def member_headers(mall: Mall) -> dict[str, str]:
    """The headers of a signed-in shopper."""
    return {"Authorization": f"Bearer {await harness.member_token(mall, await builders.a_member(mall))}"}


async def staff_headers(mall: Mall, *permissions: str, stores: tuple[int, ...] | None = None) -> dict[str, str]:
    """The headers of a signed-in staff member; ``stores=None`` is all stores."""
    person = await builders.a_staff(mall, permissions=permissions, stores=stores)
    return {"Authorization": f"Bearer {await harness.staff_token(mall, person)}"}
