"""Switch plugins on and off while the mall runs, and follow the switches of others.

The row in ``plugin_state`` is the truth. A change is published on Redis after its commit, so every worker follows
within a second; polling every 30 s is the safety net.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from packaging.requirements import Requirement
from redis.exceptions import RedisError

from core import cache, db
from core.events import audit, outbox
from core.kernel.origin import SYSTEM, Actor
from core.plugin_host import config
from core.plugin_host.errors import PluginNeedsMigration, PluginNotUsable, PluginRequired, PluginRequires
from core.plugin_host.states import PluginInfo, PluginStates

if TYPE_CHECKING:
    from core.kernel.mall import Mall

CHANNEL = "mall:plugins"
POLL_S = 30.0
SUBSCRIBE_S = 2.0
_LOCK = 0x706C7567  # "plug": one change of plugin states at a time, so that requirements hold
log = structlog.get_logger("mall.plugins")


async def attach(mall: Mall) -> None:
    """Read which plugins are on and keep following it. Needs the connection pool; ``detach`` ends it."""
    states: PluginStates = mall.plugins
    await refresh(mall)
    states.tasks.append(asyncio.create_task(_poll(mall), name="plugins-poll"))
    states.tasks.append(asyncio.create_task(asyncio.to_thread(outbox.preload), name="outbox-preload"))
    if mall.redis is not None:
        ready = asyncio.Event()
        states.tasks.append(asyncio.create_task(_listen(mall, ready), name="plugins-listen"))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ready.wait(), timeout=SUBSCRIBE_S)


async def detach(mall: Mall) -> None:
    """Stop following. Closes neither the pool nor Redis: they belong to the caller."""
    states: PluginStates = mall.plugins
    tasks, states.tasks[:] = set(states.tasks), []
    while tasks:
        for task in tasks:
            task.cancel()  # again, if need be: redis-py loses one that comes together with an answer
        _, tasks = await asyncio.wait(tasks, timeout=0.5)


async def refresh(mall: Mall) -> None:
    """Read states, run migrations and settings from the database into this process."""
    states: PluginStates = mall.plugins
    async with states.reading:  # one after the other: an answer that was read earlier must not arrive later
        before = (states.stored, states.unmigrated, states.settings)
        await _read(states)
        changed = before != (states.stored, states.unmigrated, states.settings)
    if changed:
        # Each process once it has switched: what another built before with the old plugins is dropped last of all.
        await cache.invalidate(mall, [cache.EVERY])


async def _read(states: PluginStates) -> None:
    apps = {f"mall_{i}": i for i, p in states.loaded.items() if p.migration_ids and p.fault is None}
    found = await db.rows("SELECT plugin_id, state FROM plugin_state")
    done: dict[str, set[str]] = {}
    if apps:
        for row in await db.rows("SELECT app_name, name FROM migration WHERE app_name = ANY($1)", list(apps)):
            done.setdefault(row["app_name"], set()).add(row["name"])
    settings = await db.rows(
        "SELECT DISTINCT ON (plugin_id) plugin_id, version, settings FROM plugin_setting"
        " ORDER BY plugin_id, version DESC"
    )
    states.stored = {row["plugin_id"]: row["state"] for row in found}
    states.unmigrated = frozenset(
        plugin_id for name, plugin_id in apps.items()
        if not set(states.loaded[plugin_id].migration_ids) <= done.get(name, set())
    )  # fmt: skip
    states.settings = {row["plugin_id"]: (row["version"], _json(row["settings"])) for row in settings}


async def install(mall: Mall) -> list[str]:
    """Enable the plugins that this mall sees for the first time, and note new versions; returns the new ids.

    The last step of ``mall migrate``: a plugin on the allow-list was wanted. One that staff disabled stays disabled.
    """
    states: PluginStates = mall.plugins
    wanted = [(i, p.manifest.version) for i, p in states.loaded.items() if p.fault is None and not p.always_on]
    fresh = await db.rows(
        """INSERT INTO plugin_state (plugin_id, version, state, changed_at)
           SELECT x.id, x.version, 'enabled', $3 FROM unnest($1::text[], $2::text[]) AS x(id, version)
           ON CONFLICT (plugin_id) DO UPDATE SET version = excluded.version
           RETURNING plugin_id, xmax = 0 AS is_new""",
        [i for i, _ in wanted], [v for _, v in wanted], mall.clock.now(),
    )  # fmt: skip
    await _announce(mall)
    return [row["plugin_id"] for row in fresh if row["is_new"]]


async def enable(mall: Mall, plugin_id: str, actor: Actor = SYSTEM) -> None:
    """Switch a plugin on, in every worker; on already is harmless.

    Refuses with ``PluginNotFound``, ``PluginNotUsable``, ``PluginNeedsMigration`` or ``PluginRequires``.
    """
    await refresh(mall)
    states: PluginStates = mall.plugins
    plugin = states.get(plugin_id)
    if plugin.fault is not None:
        raise PluginNotUsable(plugin=plugin_id, reason=plugin.reason)
    if plugin_id in states.unmigrated:
        raise PluginNeedsMigration(plugin=plugin_id)
    async with db.transaction():
        on = await _lock_states(mall)
        missing = [n for n in (Requirement(r).name for r in plugin.manifest.requires) if on.get(n) != "enabled"]
        if missing:
            raise PluginRequires(plugin=plugin_id, missing=", ".join(missing))
        await _set(mall, plugin_id, on, to="enabled", actor=actor)


async def disable(mall: Mall, plugin_id: str, actor: Actor = SYSTEM, *, force: bool = False) -> None:
    """Switch a plugin off, in every worker; one that drains first finishes old work, unless ``force``.

    Off already is harmless. Refuses with ``PluginNotFound``, or ``PluginRequired`` while others stand on it.
    """
    states: PluginStates = mall.plugins
    plugin = states.get(plugin_id)
    async with db.transaction():
        on = await _lock_states(mall)
        working = [other.manifest for i, other in states.loaded.items() if on.get(i) in ("enabled", "draining")]
        by = [other.id for other in working if plugin_id in {Requirement(r).name for r in other.requires}]
        if by:
            raise PluginRequired(plugin=plugin_id, by=", ".join(by))
        drains = plugin.manifest.drains and not force and on.get(plugin_id) in ("enabled", "draining")
        await _set(mall, plugin_id, on, to="draining" if drains else "disabled", actor=actor)


async def save_settings(
    mall: Mall, plugin_id: str, *, values: dict[str, Any], expected_version: int, actor: Actor, reason: str = ""
) -> int:
    """Store business settings as the next version, audited and told to every worker; returns the version.

    Refuses with ``PluginSettingsInvalid`` or ``PluginSettingsChanged``.
    """
    states: PluginStates = mall.plugins
    async with db.transaction():
        version = await config.save(
            mall, plugin_id, values=values, expected_version=expected_version, actor=actor, reason=reason
        )
        audit.record(
            mall, actor, "plugins.settings", subject_kind="plugin", subject_id=plugin_id,
            before=states.settings.get(plugin_id, (0, {}))[1], after=values,
        )  # fmt: skip
        db.after_commit(lambda: _announce(mall))
    return version


def list_plugins(mall: Mall) -> list[PluginInfo]:
    """List the plugins of the allow-list as this process sees them."""
    states: PluginStates = mall.plugins
    return states.info()


async def _lock_states(mall: Mall) -> dict[str, str]:
    """Return the stored states, and keep everybody else from changing them until the transaction ends."""
    states: PluginStates = mall.plugins
    await db.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    on = {i: "enabled" for i, p in states.loaded.items() if p.always_on}
    on.update({row["plugin_id"]: row["state"] for row in await db.rows("SELECT plugin_id, state FROM plugin_state")})
    return on


async def _set(mall: Mall, plugin_id: str, on: dict[str, str], *, to: str, actor: Actor) -> None:
    states: PluginStates = mall.plugins
    before = on.get(plugin_id, "disabled")
    changed = await db.value(
        """INSERT INTO plugin_state (plugin_id, version, state, changed_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT (plugin_id) DO UPDATE SET state = excluded.state, version = excluded.version,
               changed_at = excluded.changed_at
           WHERE plugin_state.state <> excluded.state RETURNING id""",
        plugin_id, states.get(plugin_id).manifest.version, to, mall.clock.now(),
    )  # fmt: skip
    if changed is not None:
        verb = "plugins.enable" if to == "enabled" else "plugins.disable"
        audit.record(
            mall,
            actor,
            verb,
            subject_kind="plugin",
            subject_id=plugin_id,
            before={"state": before},
            after={"state": to},
        )
    db.after_commit(lambda: _announce(mall))


async def _announce(mall: Mall) -> None:
    await refresh(mall)
    redis: Any = mall.redis
    if redis is None:
        return
    try:
        await redis.publish(CHANNEL, "changed")
    except RedisError as exc:
        log.warning("plugin change not published; others follow by polling", error=str(exc))


async def _poll(mall: Mall) -> None:
    while True:
        await asyncio.sleep(POLL_S)
        try:
            await refresh(mall)
        except Exception:
            log.exception("plugin states not read; the last known ones stay")


async def _listen(mall: Mall, ready: asyncio.Event) -> None:
    redis: Any = mall.redis
    while True:
        try:
            async with redis.pubsub() as pubsub:
                await pubsub.subscribe(CHANNEL)
                while True:
                    message = await pubsub.get_message(timeout=POLL_S)
                    if message is None:
                        continue
                    # The first message confirms the subscription: read then too, a change may have been missed.
                    await refresh(mall)
                    if message["type"] == "subscribe":
                        ready.set()
        except asyncio.CancelledError:
            raise
        except Exception as exc:  # noqa: BLE001 - Redis or the database is away; polling goes on meanwhile
            log.warning("plugin changes not followed for the moment", error=str(exc))
            await asyncio.sleep(1.0)


def _json(text: str | dict[str, Any]) -> dict[str, Any]:
    return msgspec.json.decode(text) if isinstance(text, str) else text
