"""A plugin from outside of the mall: it writes down which events of orders reached it, and can be made slow."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable

from core.sdk import (
    Event,
    EventHandler,
    Mall,
    OrderCancelled,
    OrderCompleted,
    OrderFulfilled,
    OrderPaid,
    OrderPlaced,
    Plugin,
    Text,
    hookimpl,
)

PLUGIN = Plugin(
    id="witness",
    version="1.0.0",
    core_api=">=1.0,<2",
    title=Text("证人", "Witness"),
    summary=Text("记录订单事件。", "Writes down the events of orders."),
)
EVENTS = (OrderPlaced, OrderPaid, OrderCancelled, OrderFulfilled, OrderCompleted)


@hookimpl
def register_event_handlers(mall: Mall) -> Iterable[EventHandler]:
    return [EventHandler(f"witness.{event.name.replace('.', '_')}", event, _see) for event in EVENTS]


async def _see(mall: Mall, event: Event) -> None:
    """Append one line before and one after; take ten seconds while the file ``slow`` is there."""
    home = mall.settings.home

    def write(moment: str) -> None:
        line = json.dumps({"event": event.name, "number": getattr(event, "number", ""), "moment": moment})
        with (home / "witness.jsonl").open("a") as file:
            file.write(line + "\n")

    write("begin")
    if (home / "slow").exists():
        await asyncio.sleep(10)
    write("end")
