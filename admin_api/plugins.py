"""Plugins: what is there, why something is off, and the switch."""

from __future__ import annotations

from litestar import get, post
from litestar.handlers import HTTPRouteHandler

from core.kernel.mall import Mall
from core.plugin_host import service
from core.plugin_host.errors import (
    PluginNeedsMigration,
    PluginNotFound,
    PluginNotUsable,
    PluginRequired,
    PluginRequires,
)
from core.plugin_host.states import PluginInfo
from core.staff.types import StaffSessionView
from core.web import problems

TAGS = ["plugins"]


@get(
    "/plugins", operation_id="list_plugins", tags=TAGS, summary="Plugins and their states",
    opt={"permission": "plugins.read"},
    description="Also those that could not be loaded, each with the reason and what to do.",
)  # fmt: skip
async def list_plugins(mall: Mall) -> list[PluginInfo]:
    return mall.plugins.info()


@post(
    "/plugins/{plugin_id:str}/enable", operation_id="enable_plugin", tags=TAGS, summary="Switch a plugin on",
    status_code=200, opt={"permission": "plugins.write", "all_stores": True},
    description="Counts in every worker within a second; on already is harmless.",
    responses=problems(PluginNotFound, PluginNotUsable, PluginNeedsMigration, PluginRequires),
)  # fmt: skip
async def enable_plugin(mall: Mall, staff: StaffSessionView, plugin_id: str) -> list[PluginInfo]:
    await service.enable(mall, plugin_id, staff.actor)
    return mall.plugins.info()


@post(
    "/plugins/{plugin_id:str}/disable", operation_id="disable_plugin", tags=TAGS, summary="Switch a plugin off",
    status_code=200, opt={"permission": "plugins.write", "all_stores": True},
    description="Counts in every worker within a second: its routes answer 404 `plugin.disabled`, its hooks and jobs "
    "are skipped. One that drains finishes old work first.",
    responses=problems(PluginNotFound, PluginRequired),
)  # fmt: skip
async def disable_plugin(mall: Mall, staff: StaffSessionView, plugin_id: str) -> list[PluginInfo]:
    await service.disable(mall, plugin_id, staff.actor)
    return mall.plugins.info()


handlers: list[HTTPRouteHandler] = [list_plugins, enable_plugin, disable_plugin]
