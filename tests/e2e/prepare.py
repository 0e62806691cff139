"""Bring a home to where ``mall serve`` and ``mall worker`` can start, as the demo's supervisor does."""

from __future__ import annotations

import asyncio
import json
import logging
import sys

from core import cli_run, home, startup
from core.demo import data, tour
from core.demo.supervisor import LOGIN, _keep
from core.settings import load_settings
from core.staff.service import create_owner


def silent(step: str, done: int, total: int) -> None:
    """No bars: nobody looks."""


async def main(password: str) -> None:
    with home.servers(load_settings()) as settings:
        async with startup.open_mall(settings) as mall:
            await startup.bring_up_to_date(mall)
            await create_owner(mall, LOGIN, password)
            _keep(settings.home / tour.LOGIN_FILE, json.dumps({"login": LOGIN, "password": password}))
            await data.load(mall, silent)
            for _, load in mall.plugins.demo_loaders():
                await load(mall)


cli_run.quiet_logs(logging.WARNING)
asyncio.run(main(sys.argv[1]))
