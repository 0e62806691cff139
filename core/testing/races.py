"""Races: start several calls at one moment and see who wins.

A race test proves something only if the same race, run against a version without the guard, goes wrong. Write that
version in the test, as the code that someone would write who had not thought of it, with a ``gap`` where two of them
overlap, and run both::

    async def naive() -> None:
        left = await db.value("SELECT on_hand FROM stock WHERE id = $1", stock_id)
        await gap()
        if left > 0:
            await db.execute("UPDATE stock SET on_hand = $2 WHERE id = $1", stock_id, left - 1)

    outcomes = await races.run_together(2, lambda i: naive())
    assert races.won(outcomes) == 2  # the negative control: this setup can oversell
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one of the calls: its value, or what it raised."""

    value: Any = None
    error: BaseException | None = None

    @property
    def ok(self) -> bool:
        return self.error is None


async def run_together(n: int, call: Callable[..., Awaitable[Any]]) -> list[Outcome]:
    """Start ``call`` ``n`` times from one barrier, each in a task of its own; return the outcomes in order.

    ``call`` takes its number (0 … n-1) or nothing. No call may be inside a transaction of the caller.
    """
    barrier = asyncio.Barrier(n)
    numbered = bool(inspect.signature(call).parameters)

    async def one(number: int) -> Outcome:
        await barrier.wait()
        try:
            return Outcome(value=await (call(number) if numbered else call()))
        except Exception as exc:  # noqa: BLE001 - the outcome is the point
            return Outcome(error=exc)

    return list(await asyncio.gather(*(one(i) for i in range(n))))


async def gap(seconds: float = 0.05) -> None:
    """Wait between reading and writing in a naive version, long enough for the other call to do the same."""
    await asyncio.sleep(seconds)


def won(outcomes: Sequence[Outcome]) -> int:
    return sum(o.ok for o in outcomes)


def errors(outcomes: Sequence[Outcome]) -> list[BaseException]:
    return [o.error for o in outcomes if o.error is not None]
