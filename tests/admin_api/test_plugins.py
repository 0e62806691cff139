"""Plugins over HTTP: who may switch, what cannot be switched, and what a switch means for the next call."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from core import db
from core.kernel.i18n import Text
from core.kernel.mall import Mall
from core.plugin_host import Plugin
from core.testing import builders
from core.testing.plugin_all_hooks import plugin as all_hooks
from core.testing.pytest_plugin import MakeMall

Admin = Callable[[object], httpx.AsyncClient]
PLUGINS = "/admin/v1/plugins"
BOTH = ("plugins.read", "plugins.write")


def a_plugin(plugin_id: str, **over: Any) -> Any:
    facts: dict[str, Any] = {"version": "1.0.0", "core_api": ">=1.0", "summary": Text("", ""), **over}
    manifest = Plugin(id=plugin_id, title=Text(f"{plugin_id}插件", plugin_id.title()), **facts)
    return SimpleNamespace(PLUGIN=manifest, plugin=object())


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def states(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 200, answer.text
    return {p["id"]: p["state"] for p in answer.json()}


def state(mall: Mall, plugin_id: str) -> str:
    return mall.plugins.state(plugin_id)


async def test_each_operation_needs_its_permission(
    make_mall: MakeMall, client: httpx.AsyncClient, admin: Admin
) -> None:
    mall = await make_mall(extra={"bells": a_plugin("bells")})
    reader = admin(await builders.a_staff(mall, ["plugins.read"], None))
    writer = admin(await builders.a_staff(mall, ["plugins.write"], None))

    assert refusal(await client.get(PLUGINS)) == (401, "auth.required")
    assert refusal(await writer.get(PLUGINS)) == (403, "auth.forbidden")
    for switch in ("enable", "disable"):
        assert refusal(await client.post(f"{PLUGINS}/bells/{switch}")) == (401, "auth.required")
        assert refusal(await reader.post(f"{PLUGINS}/bells/{switch}")) == (403, "auth.forbidden")
    assert state(mall, "bells") == "enabled"


@pytest.mark.parametrize("switch", ["enable", "disable"])
async def test_an_unknown_plugin_is_404(mall: Mall, admin: Admin, switch: str) -> None:
    boss = admin(await builders.a_staff(mall, BOTH, None))

    answer = await boss.post(f"{PLUGINS}/ghosts/{switch}")

    assert refusal(answer) == (404, "plugin.not_found")
    assert answer.json()["detail"] == "没有名为“ghosts”的插件。"
    assert await db.value("SELECT count(*) FROM audit_entry") == 0


async def test_a_plugin_that_does_not_fit_is_listed_with_its_reason_and_stays_off(
    make_mall: MakeMall, admin: Admin
) -> None:
    mall = await make_mall(extra={"future": a_plugin("future", core_api=">=99")})
    boss = admin(await builders.a_staff(mall, BOTH, None))

    (seen,) = (await boss.get(PLUGINS)).json()
    answer = await boss.post(f"{PLUGINS}/future/enable")

    assert (seen["id"], seen["state"]) == ("future", "incompatible")
    assert ">=99" in seen["reason"]
    assert refusal(answer) == (409, "plugin.not_usable")
    assert seen["reason"] in answer.json()["detail"]


async def test_tables_come_before_the_switch(make_mall: MakeMall, admin: Admin) -> None:
    mall = await make_mall(extra={"all_hooks": all_hooks})
    boss = admin(await builders.a_staff(mall, BOTH, None))
    await boss.post(f"{PLUGINS}/all_hooks/disable")
    run = await db.rows("DELETE FROM migration WHERE app_name = 'mall_all_hooks' RETURNING name, app_name")

    try:
        answer = await boss.post(f"{PLUGINS}/all_hooks/enable")
        assert refusal(answer) == (409, "plugin.needs_migration")
        assert states(await boss.get(PLUGINS)) == {"all_hooks": "needs_migration"}
    finally:  # the record of migrations outlives the tests
        for row in run:
            await db.execute("INSERT INTO migration (name, app_name) VALUES ($1, $2)", row["name"], row["app_name"])


async def test_plugins_that_others_stand_on_stay_on(make_mall: MakeMall, admin: Admin) -> None:
    mall = await make_mall(extra={"base": a_plugin("base"), "roof": a_plugin("roof", requires=("base>=1",))})
    boss = admin(await builders.a_staff(mall, BOTH, None))

    needed = await boss.post(f"{PLUGINS}/base/disable")
    assert refusal(needed) == (409, "plugin.required")
    assert needed.json()["details"] == {"plugin": "base", "by": "roof"}
    assert state(mall, "base") == "enabled"

    await boss.post(f"{PLUGINS}/roof/disable")
    assert states(await boss.post(f"{PLUGINS}/base/disable")) == {"base": "disabled", "roof": "disabled"}
    lacking = await boss.post(f"{PLUGINS}/roof/enable")
    assert refusal(lacking) == (409, "plugin.requires")
    assert lacking.json()["details"] == {"plugin": "roof", "missing": "base"}
    assert state(mall, "roof") == "disabled"


async def test_the_list_says_what_each_plugin_is(make_mall: MakeMall, admin: Admin) -> None:
    mall = await make_mall(plugins=["pay_at_store"], extra={"bells": a_plugin("bells", requires=("pay_at_store",))})
    boss = admin(await builders.a_staff(mall, BOTH, None))

    found = {p["id"]: p for p in (await boss.get(PLUGINS)).json()}

    assert list(found) == ["pay_at_store", "bells"]
    pay = found["pay_at_store"]
    assert (pay["title"], pay["state"], pay["reason"]) == (
        {"zh": "到店付款", "en": "Pay at the store"}, "enabled", "",
    )  # fmt: skip
    assert pay["permissions"] == ["pay_at_store.confirm"]
    assert found["bells"]["requires"] == ["pay_at_store"]


async def test_a_switch_counts_for_the_next_call_and_is_audited_once(make_mall: MakeMall, admin: Admin) -> None:
    mall = await make_mall(plugins=["nearby_stores"])
    staff = await builders.a_staff(mall, BOTH, None)
    boss = admin(staff)
    url = "/storefront/v1/x/nearby_stores/stores"
    params = {"lat": 31.23, "lng": 121.47}
    before = await boss.get(url, params=params)

    off = [states(await boss.post(f"{PLUGINS}/nearby_stores/disable")) for _ in range(2)]
    closed = await boss.get(url, params=params)
    on = [states(await boss.post(f"{PLUGINS}/nearby_stores/enable")) for _ in range(2)]
    open_again = await boss.get(url, params=params)

    assert off == [{"nearby_stores": "disabled"}] * 2
    assert on == [{"nearby_stores": "enabled"}] * 2
    assert refusal(closed) == (404, "plugin.disabled")
    assert before.status_code == open_again.status_code == 200
    written = await db.rows("SELECT action, actor_id, subject_id FROM audit_entry ORDER BY id")
    assert [tuple(w) for w in written] == [
        ("plugins.disable", staff.staff_id, "nearby_stores"),
        ("plugins.enable", staff.staff_id, "nearby_stores"),
    ]


async def test_a_plugin_that_finishes_old_work_is_shown_as_draining(make_mall: MakeMall, admin: Admin) -> None:
    mall = await make_mall(plugins=["pay_at_store"])
    boss = admin(await builders.a_staff(mall, BOTH, None))

    assert states(await boss.post(f"{PLUGINS}/pay_at_store/disable")) == {"pay_at_store": "draining"}
