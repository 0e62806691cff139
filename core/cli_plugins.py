"""``mall plugins`` and ``mall x``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import rich_click as click
from rich.console import Console
from rich.table import Table

from core import plugin_host, startup
from core.cli_run import quiet_logs
from core.kernel.origin import SYSTEM
from core.settings import load_settings

if TYPE_CHECKING:
    from core.kernel.mall import Mall
    from core.plugin_host import PluginStates

_COLOURS = {"enabled": "green", "draining": "yellow", "disabled": "dim", "needs_migration": "yellow"}


async def show(mall: Mall) -> None:
    """Print the plugins of the allow-list, each with its state and, if it cannot be on, the reason."""
    table = Table("plugin", "version", "state", "what it does, or what is wrong", box=None, pad_edge=False)
    for info in plugin_host.list_plugins(mall):
        state = f"[{_COLOURS.get(info.state, 'red')}]{info.state}[/]"
        table.add_row(info.id, info.version, state, info.reason or info.summary.en or info.title.en)
    console = Console(soft_wrap=True)
    console.print(table if table.row_count else "No plugin is allowed here; set MALL_PLUGINS.")
    if await startup.pending(mall):
        console.print("\nThe database is not up to date; run `mall migrate`.")


async def enable(mall: Mall, plugin_id: str) -> None:
    await plugin_host.enable(mall, plugin_id, SYSTEM)
    _say(mall, plugin_id)


async def disable(mall: Mall, plugin_id: str, *, force: bool) -> None:
    await plugin_host.disable(mall, plugin_id, SYSTEM, force=force)
    _say(mall, plugin_id)


def _say(mall: Mall, plugin_id: str) -> None:
    states: PluginStates = mall.plugins
    click.echo(f"{plugin_id} is {states.state(plugin_id)}.")


class _Extra(click.RichGroup):
    """The commands of the usable plugins. Booting touches no server; a command opens a mall when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._load()
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        self._load()
        return super().get_command(ctx, cmd_name)

    def _load(self) -> None:
        if self.commands:
            return
        quiet_logs(logging.ERROR)
        states: PluginStates = plugin_host.boot(load_settings()).plugins
        for plugin_id, add in states.commands():
            part = click.RichGroup(name=plugin_id, help=states.get(plugin_id).manifest.summary.en)
            add(part)
            self.add_command(part)


group = _Extra(name="x")
