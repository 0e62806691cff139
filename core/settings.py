"""Settings: one typed tree, read from the environment and ``.env``. Importing this module does no I/O."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

Env = Literal["development", "production", "test"]


class SettingsInvalid(Exception):
    """A setting has a value that cannot be used; the sentence names the variable."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a deployment decides. Every field is the environment variable of its upper-cased name.

    ``database_url`` and ``redis_url`` empty mean: use the embedded servers under ``mall_home``.
    """

    database_url: str = ""
    redis_url: str = ""
    mall_env: Env = "development"
    mall_home: str = ".mall"
    mall_host: str = "127.0.0.1"
    mall_port: Annotated[int, Meta(ge=1, le=65535)] = 8000
    mall_base_url: str = ""
    mall_name: str = "Minimall"
    mall_zone: str = "Asia/Shanghai"
    mall_locale: Literal["zh-CN", "en"] = "zh-CN"
    mall_plugins: str = "nearby_stores,pay_at_store"
    mall_secret: str = ""
    mall_notification_channel: str = "console"
    mall_pool_size: Annotated[int, Meta(ge=1, le=500)] = 10
    mall_log_level: str = "INFO"
    mall_pay_minutes: Annotated[int, Meta(ge=1, le=60 * 24 * 30)] = 30
    mall_trusted_proxies: Annotated[int, Meta(ge=0, le=10)] = 0

    @property
    def home(self) -> Path:
        return Path(self.mall_home).resolve()

    @property
    def plugin_ids(self) -> tuple[str, ...]:
        """The allow-list: only these entry points are looked at (architecture.md, "found")."""
        return tuple(p.strip() for p in self.mall_plugins.split(",") if p.strip())

    @property
    def base_url(self) -> str:
        return self.mall_base_url or f"http://{self.mall_host}:{self.mall_port}"


def load_settings(environ: dict[str, str] | None = None, *, dotenv: Path | None = None, **overrides: Any) -> Settings:
    """Read the settings: overrides win over the environment, the environment over ``.env``.

    Raises ``SettingsInvalid`` with the name of the variable that cannot be read.
    """
    from dotenv import dotenv_values  # noqa: PLC0415 - only a process start reads a file

    source: dict[str, Any] = {}
    path = dotenv if dotenv is not None else Path(".env")
    if environ is None and path.is_file():
        source.update({k: v for k, v in dotenv_values(path).items() if v is not None})
    source.update(os.environ if environ is None else environ)
    known = {name: source[name.upper()] for name in Settings.__struct_fields__ if source.get(name.upper())}
    known.update(overrides)
    try:
        found = msgspec.convert(known, Settings, strict=False)
    except msgspec.ValidationError as exc:
        what, _, where = str(exc).partition(" - at `$.")
        raise SettingsInvalid(f"{where.rstrip('`').upper() or 'a setting'} cannot be used: {what}") from exc
    try:
        ZoneInfo(found.mall_zone)
    except (OSError, ValueError, KeyError) as exc:  # ZoneInfoNotFoundError is a KeyError
        raise SettingsInvalid(f"MALL_ZONE cannot be used: there is no time zone {found.mall_zone!r}") from exc
    return found


def plugin_environment(plugin_id: str, environ: dict[str, str] | None = None) -> dict[str, str]:
    """Return the deployment values ``MALL_<ID>__<FIELD>`` of one plugin, keyed by lower-cased field."""
    prefix = f"MALL_{plugin_id.upper()}__"
    source = os.environ if environ is None else environ
    return {key.removeprefix(prefix).lower(): value for key, value in source.items() if key.startswith(prefix)}
