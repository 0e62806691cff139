"""A mall whose messages go to a list: the phone network is outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from core.hookspecs import hookimpl

if TYPE_CHECKING:
    from core.kernel.contracts import NotificationChannel
    from core.kernel.mall import Mall


class Phones:
    """A notification channel that keeps what it was given; with ``down`` set it fails as a network does."""

    code = "phones"

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, str]]] = []
        self.down = False

    async def send(self, mall: Mall, *, to: str, template: str, values: dict[str, str]) -> None:
        if self.down:
            raise ConnectionError("the gateway does not answer")
        self.sent.append((to, values))

    @property
    def last_code(self) -> str:
        return self.sent[-1][1]["code"]

    @hookimpl
    def register_notification_channels(self) -> Iterable[NotificationChannel]:
        return (self,)


@pytest.fixture
def phones() -> Phones:
    return Phones()


@pytest_asyncio.fixture
async def mall(make_mall: Callable[..., Awaitable[Mall]], phones: Phones) -> Mall:
    return await make_mall(extra={"phones": phones}, mall_notification_channel="phones")
