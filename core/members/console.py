"""The notification channel of the demo: what would be an SMS goes to the log and to ``<MALL_HOME>/outbox.jsonl``."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import structlog

from core import db
from core.members.errors import ConsoleChannelInProduction

if TYPE_CHECKING:
    from core.kernel.mall import Mall

log = structlog.get_logger("mall.console_channel")
OUTBOX = "outbox.jsonl"


class ConsoleChannel:
    """A ``NotificationChannel``. Anyone who reads the log could sign in as anyone: it refuses to work in production."""

    code = "console"

    async def send(self, mall: Mall, *, to: str, template: str, values: dict[str, str]) -> None:
        """Print the message and, in development, append it to the outbox; raises ``ConsoleChannelInProduction``."""
        db.assert_no_transaction()
        if mall.settings.mall_env == "production":
            raise ConsoleChannelInProduction
        log.info("message", to=to, template=template, **values)
        if mall.settings.mall_env == "development":
            line = {"at": mall.clock.now(), "to": to, "template": template, "values": values}
            await asyncio.to_thread(_append, mall.settings.home / OUTBOX, msgspec.json.encode(line) + b"\n")


def _append(path: Path, line: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # One write of one line to a file opened for appending: several workers do not mix their lines.
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, line)
    finally:
        os.close(fd)
