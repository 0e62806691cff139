"""A plugin's settings: the environment pins, staff edit the rest, secrets stay out of the database."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from core import db
from core.kernel.i18n import Text
from core.kernel.mall import Mall
from core.kernel.origin import Actor
from core.kernel.secrets import Secret
from core.plugin_host import Plugin, boot, plugin_config, plugin_settings, save_settings
from core.plugin_host.errors import PluginNotFound, PluginSettingsChanged, PluginSettingsInvalid
from core.settings import Settings
from core.testing.races import run_together

STAFF = Actor(kind="staff", id=7, name="Lin")


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    loudness: int = 5
    words: tuple[str, ...] = ()
    key: Secret = Secret("")


class Needy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    key: Secret


def a_mall(environ: dict[str, str] | None = None, config: type[Any] | None = Config) -> Mall:
    manifest = Plugin(
        id="bells", version="1.0.0", core_api=">=1.0", title=Text("", ""), summary=Text("", ""), config=config
    )
    plugin = SimpleNamespace(PLUGIN=manifest, plugin=object())
    return boot(Settings(), plugin_ids=(), extra={"bells": plugin}, environ=environ or {})


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"MALL_BELLS__LOUDNESS": "very"}, "loudness"),
        ({"MALL_BELLS__COLOUR": "red"}, "colour"),
        ({"MALL_BELLS__KEY": "env:NOT_SET"}, "NOT_SET"),
        ({"MALL_BELLS__KEY": "file:/no/such/file"}, "No such file"),
    ],
)
def test_a_deployment_value_that_does_not_fit_makes_the_plugin_faulty(environ: dict[str, str], reason: str) -> None:
    [info] = a_mall(environ).plugins.info()

    assert info.state == "faulty"
    assert reason in info.reason


def test_a_required_value_that_is_missing_makes_the_plugin_faulty() -> None:
    [info] = a_mall(config=Needy).plugins.info()
    assert "required field `key`" in info.reason


def test_deployment_values_are_read_by_type(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cret\n", encoding="utf-8")
    mall = a_mall(
        {
            "MALL_BELLS__LOUDNESS": "7",
            "MALL_BELLS__WORDS": '["ding","dong"]',
            "MALL_BELLS__KEY": f"file:{tmp_path / 'key'}",
        }
    )

    assert plugin_config(mall, "bells") == Config(loudness=7, words=("ding", "dong"), key=Secret("s3cret"))


def test_the_settings_of_an_unknown_plugin_are_not_found() -> None:
    with pytest.raises(PluginNotFound):
        plugin_config(a_mall(), "gongs")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"loudness": "very"}, "loudness"),
        ({"colour": "red"}, "unknown: colour"),
        ({"key": "s3cret"}, "set by the deployment: key"),
        ({"words": ["x"]}, "set by the deployment: words"),
    ],
)
async def test_values_that_staff_may_not_set_are_refused(database: str, values: dict[str, Any], reason: str) -> None:
    mall = a_mall({"MALL_BELLS__WORDS": '["ding"]'})

    with pytest.raises(PluginSettingsInvalid) as refused:
        await save_settings(mall, "bells", values=values, expected_version=0, actor=STAFF)

    assert reason in refused.value.details["reason"]
    assert await db.value("SELECT count(*) FROM plugin_setting") == 0


async def test_staff_settings_count_at_once_and_keep_their_history(database: str) -> None:
    mall = a_mall()

    assert (
        await save_settings(mall, "bells", values={"loudness": 8}, expected_version=0, actor=STAFF, reason="feast") == 1
    )
    assert await save_settings(mall, "bells", values={"loudness": 3}, expected_version=1, actor=STAFF) == 2

    assert plugin_config(mall, "bells").loudness == 3
    rows = await db.rows("SELECT version, staff_id, reason FROM plugin_setting ORDER BY version")
    assert [tuple(r) for r in rows] == [(1, 7, "feast"), (2, 7, "")]
    assert await db.value("SELECT count(*) FROM audit_entry WHERE action = 'plugins.settings'") == 2


async def test_of_two_editors_the_second_is_told(database: str) -> None:
    mall = a_mall()
    outcomes = await run_together(
        4, lambda n: save_settings(mall, "bells", values={"loudness": n}, expected_version=0, actor=STAFF)
    )

    assert sum(o.ok for o in outcomes) == 1
    assert all(isinstance(o.error, PluginSettingsChanged) for o in outcomes if not o.ok)


async def test_a_secret_is_never_shown(database: str) -> None:
    mall = a_mall({"MALL_BELLS__KEY": "s3cret", "MALL_BELLS__LOUDNESS": "4"})

    shown = plugin_settings(mall, "bells")

    assert shown.values == {"loudness": 4, "words": ()}
    assert shown.pinned == ("loudness",)
    assert b"s3cret" not in msgspec.json.encode(shown)
    assert "s3cret" not in repr(plugin_config(mall, "bells"))
    assert set(shown.schema["$defs"]["Config"]["properties"]) == {"loudness", "words"}
