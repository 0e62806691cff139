"""A plugin with one fault for each promise that the contract tests must be able to see broken."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get

from core.sdk import EventHandler, Mall, MemberJoined, Permission, Plugin, Secret, Text, hookimpl, plugin_config
from core.testing.plugin_all_hooks import service


class CarelessConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    undocumented: int = 0
    key: Secret = Secret("")


PLUGIN = Plugin(
    id="careless",
    version="1.0.0",
    core_api=">=1.0,<2",
    title=Text("粗心", "Careless"),
    summary=Text("", ""),
    config=CarelessConfig,
    permissions=(Permission("careless.read", Text("查看", "See")),),
)


@get("/key", opt={"public": True})
async def key(mall: Mall) -> str:
    config: CarelessConfig = plugin_config(mall, "careless")
    return config.key.reveal()


async def count(mall: Mall, event: MemberJoined) -> None:
    await service.note_again(mall, "careless", event.member_id)


@hookimpl
def register_storefront_routes() -> Any:
    return [key]


@hookimpl
def register_event_handlers() -> Any:
    return [EventHandler(name="careless.count", event=MemberJoined, run=count)]
