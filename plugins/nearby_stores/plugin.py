"""nearby_stores: the nearest stores, and which of them deliver to an address (behaviour.md 5.9 rules 1 to 6)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import click

from core.sdk import (
    EventHandler,
    FulfilmentOption,
    Job,
    Mall,
    OrderDraft,
    Permission,
    Plugin,
    StoreChanged,
    StoreCreated,
    Text,
    hookimpl,
)
from plugins.nearby_stores import admin, areas, demo, index, storefront
from plugins.nearby_stores.types import IndexReport, NearbyStoresConfig

PLUGIN = Plugin(
    id="nearby_stores",
    version="1.0.0",
    core_api=">=1.0,<2",
    title=Text("附近门店", "Nearby stores"),
    summary=Text(
        "按距离查找门店,判断门店能否送达某个地址。", "Find stores by distance, and those that deliver to an address."
    ),
    config=NearbyStoresConfig,
    piccolo_app="plugins.nearby_stores",
    permissions=(
        Permission("nearby_stores.read", Text("查看配送范围", "See delivery areas")),
        Permission("nearby_stores.write", Text("编辑配送范围", "Edit delivery areas")),
    ),
)
NIGHTLY = "30 19 * * *"  # UTC: half past three at night in China


@hookimpl
def register_storefront_routes() -> Sequence[Any]:
    return storefront.handlers


@hookimpl
def register_admin_routes() -> Sequence[Any]:
    return admin.handlers


@hookimpl
def register_event_handlers() -> Iterable[EventHandler]:
    return (
        EventHandler("nearby_stores.index_created", StoreCreated, _on_store, in_transaction=False),
        EventHandler("nearby_stores.index_changed", StoreChanged, _on_store, in_transaction=False),
    )


@hookimpl
def register_jobs() -> Iterable[Job]:
    return (Job(index.REBUILD, _rebuild, cron=NIGHTLY),)


@hookimpl
def register_commands(group: Any) -> None:
    group.add_command(_command("rebuild", "Build the index anew from the database.", index.rebuild))
    group.add_command(_command("check", "Compare the index with the database and repair it.", index.check))


@hookimpl
def register_demo_data() -> Any:
    return demo.add


@hookimpl
async def fulfilment_options(mall: Mall, draft: OrderDraft) -> Sequence[FulfilmentOption] | None:
    option = await areas.delivery_option(mall, draft)
    return None if option is None else (option,)


@hookimpl
async def extend_stores(mall: Mall, ids: Sequence[int]) -> Mapping[int, Any]:
    return await areas.summaries(mall, ids)


async def _on_store(mall: Mall, event: StoreCreated | StoreChanged) -> None:
    await index.put(mall, [event.store_id])


async def _rebuild(mall: Mall, _payload: dict[str, Any]) -> None:
    await index.rebuild(mall)


def _command(name: str, summary: str, work: Callable[[Mall], Awaitable[IndexReport]]) -> click.Command:
    @click.command(name, help=summary)
    @click.pass_obj
    def command(runner: Any) -> None:
        report: IndexReport = runner.run(work)
        was = f"{report.missing} missing, {report.misplaced} misplaced, {report.surplus} surplus"
        click.echo(f"{report.stores} stores{', rebuilt' if report.rebuilt else ''}; {was}, repaired.")

    return command
