"""A plugin's settings: deployment values from the environment, business values from ``plugin_setting``.

The environment pins a field: what is set there cannot be edited by staff. Secrets come from the environment only.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from core import db
from core.kernel.secrets import Secret
from core.plugin_host.errors import PluginSettingsChanged, PluginSettingsInvalid
from core.settings import plugin_environment

if TYPE_CHECKING:
    from core.kernel.mall import Mall
    from core.kernel.origin import Actor
    from core.plugin_host.manifest import Plugin
    from core.plugin_host.states import PluginStates


class PluginSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What staff can see and edit. ``pinned`` fields are set by the deployment; secrets appear in neither."""

    version: int
    values: dict[str, Any]
    pinned: tuple[str, ...]
    schema: dict[str, Any]


def build(plugin: Plugin, stored: dict[str, Any], environ: dict[str, str] | None) -> Any:
    """Return the config struct of a plugin; raises ``PluginSettingsInvalid`` with the field and what is wrong."""
    if plugin.config is None:
        return None
    pinned = plugin_environment(plugin.id, environ)
    kinds: dict[str, Any] = {f.name: f.type for f in msgspec.structs.fields(plugin.config)}
    values = {k: v for k, v in stored.items() if k in kinds}
    try:
        values |= {k: _from_text(kinds.get(k), v, environ) for k, v in pinned.items()}
        return msgspec.convert(values, plugin.config, strict=False, dec_hook=_decode)
    except (msgspec.MsgspecError, OSError, KeyError) as exc:
        raise PluginSettingsInvalid(plugin=plugin.id, reason=str(exc)) from exc


def plugin_config(mall: Mall, plugin_id: str) -> Any:
    """Return the settings of a plugin as its config struct, as this process knows them (at most 30 s old). No I/O."""
    states: PluginStates = mall.plugins
    _, stored = states.settings.get(plugin_id, (0, {}))
    return build(states.get(plugin_id).manifest, stored, states.environ)


def plugin_settings(mall: Mall, plugin_id: str) -> PluginSettings:
    """Return what staff may see of a plugin's settings: never a secret."""
    states: PluginStates = mall.plugins
    plugin = states.get(plugin_id).manifest
    version, stored = states.settings.get(plugin_id, (0, {}))
    if plugin.config is None:
        return PluginSettings(version=0, values={}, pinned=(), schema={})
    secrets = _secrets(plugin.config)
    whole = msgspec.structs.asdict(build(plugin, stored, states.environ))
    pinned = tuple(sorted(k for k in plugin_environment(plugin_id, states.environ) if k not in secrets))
    return PluginSettings(
        version=version,
        values={k: msgspec.to_builtins(v) for k, v in whole.items() if k not in secrets},
        pinned=pinned,
        schema=msgspec.json.schema(_without(plugin.config, secrets)),
    )


async def save(
    mall: Mall, plugin_id: str, *, values: dict[str, Any], expected_version: int, actor: Actor, reason: str = ""
) -> int:
    """Store business settings as the next version and return it. Must run in a transaction.

    Raises ``PluginSettingsInvalid``, or ``PluginSettingsChanged`` when ``expected_version`` is not the newest.
    """
    db.assert_transaction()
    states: PluginStates = mall.plugins
    plugin = states.get(plugin_id).manifest
    if plugin.config is None:
        raise PluginSettingsInvalid(plugin=plugin_id, reason="this plugin has no settings")
    pinned = plugin_environment(plugin_id, states.environ)
    refused = sorted(set(values) & (_secrets(plugin.config) | set(pinned)))
    if refused:
        raise PluginSettingsInvalid(plugin=plugin_id, reason=f"set by the deployment: {', '.join(refused)}")
    unknown = sorted(set(values) - set(plugin.config.__struct_fields__))
    if unknown:
        raise PluginSettingsInvalid(plugin=plugin_id, reason=f"unknown: {', '.join(unknown)}")
    build(plugin, values, states.environ)
    version = await db.value(
        """INSERT INTO plugin_setting (plugin_id, version, settings, staff_id, reason, changed_at)
           SELECT $1::varchar, $2::int, $3::jsonb, $4::bigint, $5, $6
           WHERE $2::int - 1 = (SELECT coalesce(max(version), 0) FROM plugin_setting WHERE plugin_id = $1)
           ON CONFLICT (plugin_id, version) DO NOTHING RETURNING version""",
        plugin_id, expected_version + 1, db.json(values), actor.id if actor.kind == "staff" else None, reason,
        mall.clock.now(),
    )  # fmt: skip
    if version is None:
        raise PluginSettingsChanged(plugin=plugin_id)
    return int(version)


def _secrets(config: type[Any]) -> set[str]:
    return {f.name for f in msgspec.structs.fields(config) if f.type is Secret or Secret in get_args(f.type)}


def _without(config: type[Any], names: set[str]) -> type[Any]:
    """Return ``config`` without the fields ``names``: what staff may edit, for the schema of the form."""
    kept: list[tuple[str, Any, Any]] = []
    for f in msgspec.structs.fields(config):
        if f.name not in names:
            given: dict[str, Any] = {"default": f.default, "default_factory": f.default_factory}
            kept.append((f.name, f.type, msgspec.field(**given)))
    return msgspec.defstruct(config.__name__, kept, kw_only=True, forbid_unknown_fields=True)


def _from_text(kind: Any, text: str, environ: dict[str, str] | None) -> Any:
    if text.startswith("env:"):
        return (os.environ if environ is None else environ)[text.removeprefix("env:")]
    if text.startswith("file:"):
        return Path(text.removeprefix("file:")).read_text(encoding="utf-8").strip()
    return msgspec.json.decode(text) if kind is not str and text[:1] in ("[", "{") else text


def _decode(kind: type[Any], value: Any) -> Any:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise NotImplementedError(f"a setting cannot be of type {kind!r}")
