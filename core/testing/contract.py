"""The plugin contract as tests. A plugin's own suite needs four lines::

    from core.testing.contract import PluginContract
    from my_plugin.plugin import PLUGIN


    class TestContract(PluginContract):
        plugin = PLUGIN

The plugin is found by its entry point, or is the module that ``module`` names. ``environ`` holds deployment values
that it cannot start without. ``events`` returns one example of every event that it handles, on a mall it may prepare.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import pytest

from core import db, plugin_host
from core.db import migrate
from core.events import Event, emit
from core.hookspecs import MallSpec
from core.kernel.contracts import EventHandler, Job
from core.kernel.secrets import Secret
from core.plugin_host import Plugin, checks, discovery
from core.testing import builders, harness

if TYPE_CHECKING:
    import httpx
    from piccolo.conf.apps import AppConfig

    from core.kernel.mall import Mall
    from core.testing.pytest_plugin import MakeClient, MakeMall

Clients = Callable[[object], "httpx.AsyncClient"]
_MARK = "s3cret-of-a-contract-test-0123456789abcdef"  # a value that no answer may contain


@dataclass(frozen=True, slots=True)
class Route:
    """One mounted operation of the plugin, with a path that can be called."""

    method: str
    path: str
    public: bool
    handler: Any


class PluginContract:
    """Subclass it, set ``plugin``: what every plugin owes the mall is tested."""

    plugin: ClassVar[Plugin]
    module: ClassVar[str] = ""
    environ: ClassVar[Mapping[str, str]] = {}

    async def events(self, mall: Mall) -> Sequence[Event]:
        """Return an example of every event that the plugin handles; prepare what the handlers look up."""
        return ()

    # What the tests stand on --------------------------------------------------------------------------------------

    def _module_name(self) -> str:
        return self.module or discovery.entry_points()[self.plugin.id]

    async def _boot(self, make_mall: MakeMall) -> Mall:
        environ = {**{f"MALL_{self.plugin.id.upper()}__{f.upper()}": _MARK for f in self._secrets()}, **self.environ}
        needed = [re.split(r"[^a-z0-9_]", r)[0] for r in self.plugin.requires]
        if self.module:
            extra = {self.plugin.id: importlib.import_module(self.module)}
            return await make_mall(plugins=needed, extra=extra, environ=environ)
        return await make_mall(plugins=[*needed, self.plugin.id], environ=environ)

    def _secrets(self) -> list[str]:
        config = self.plugin.config
        return [f.name for f in msgspec.structs.fields(config) if _holds(f.type, Secret)] if config else []

    def _app(self) -> AppConfig | None:
        return checks.tables(self.plugin)

    def _routes(self, mall: Mall, prefix: str) -> list[Route]:
        base = f"{prefix}/{self.plugin.id}"
        found: list[Route] = []
        for route in harness.make_app(mall).routes:
            if not route.path.startswith(f"{base}/"):
                continue
            for handler in getattr(route, "route_handlers", ()):
                path = "".join(f"/{_sample(part)}" for part in route.path_components)
                public = bool(handler.opt.get("public"))
                methods = sorted(m for m in handler.http_methods if m not in ("OPTIONS", "HEAD"))
                found += [Route(method, path, public, handler) for method in methods]
        return found

    # Manifest and hooks -------------------------------------------------------------------------------------------

    def test_the_manifest_can_be_used(self) -> None:
        module = importlib.import_module(self._module_name().partition(":")[0])

        assert checks.manifest(module, self.plugin.id) is self.plugin

    def test_people_can_read_what_it_is(self) -> None:
        texts = [self.plugin.title, self.plugin.summary, *(p.title for p in self.plugin.permissions)]

        assert all(t.zh.strip() and t.en.strip() for t in texts)

    def test_hooks_take_only_known_arguments(self) -> None:
        module = importlib.import_module(self._module_name().partition(":")[0])

        checks.hooks(self.plugin.id, getattr(module, "plugin", module))

    async def test_it_starts_and_is_on(self, make_mall: MakeMall) -> None:
        mall = await self._boot(make_mall)

        listed = {p.id: (p.state, p.reason) for p in plugin_host.list_plugins(mall)}
        assert listed[self.plugin.id] == ("enabled", "")

    async def test_its_jobs_and_handlers_carry_its_name(self, make_mall: MakeMall) -> None:
        mall = await self._boot(make_mall)

        for kind in (Job, EventHandler):
            names = [name for name, owner, _ in mall.objects.all(kind) if owner == self.plugin.id]
            assert all(name.startswith(f"{self.plugin.id}.") for name in names)

    async def test_periodic_jobs_run_on_an_empty_mall_and_run_again(self, make_mall: MakeMall) -> None:
        mall = await self._boot(make_mall)

        for name, owner, job in mall.objects.all(Job):
            if owner == self.plugin.id and job.cron:
                await harness.run_job(mall, name)
                once = await _everything(mall)
                await harness.run_job(mall, name)
                assert await _everything(mall) == once, name

    async def test_demo_data_can_be_loaded_twice(self, make_mall: MakeMall) -> None:
        mall = await self._boot(make_mall)
        loaders = [load for owner, load in mall.plugins.demo_loaders() if owner == self.plugin.id]

        for load in loaders:
            await load(mall)
            once = await _everything(mall)
            await load(mall)
            assert await _everything(mall) == once

    async def test_its_commands_fit_into_the_command_line(self, make_mall: MakeMall) -> None:
        import click  # noqa: PLC0415 - only here

        mall = await self._boot(make_mall)

        for owner, add in mall.plugins.commands():
            group = click.Group(owner)
            add(group)
            assert all(command.get_short_help_str() for command in group.commands.values())

    # Tables -------------------------------------------------------------------------------------------------------

    def test_tables_and_migration_files_carry_its_name(self) -> None:
        app = self._app()  # raises Unfit where one does not

        assert app is None or migrate.files(app)

    async def test_migrations_agree_with_the_tables(self, database: str) -> None:
        app = self._app()

        assert app is None or await migrate.differences(app) == []

    async def test_migrations_go_there_and_back_and_there(self, own_database: str) -> None:
        app = self._app()
        if app is None:
            return
        await migrate.forwards([app])
        before = await _structure(self.plugin.id)

        await migrate.backwards(app)
        gone = await _structure(self.plugin.id)
        await migrate.forwards([app])

        assert gone == []
        assert await _structure(self.plugin.id) == before

    async def test_foreign_keys_hold_core_rows_and_no_other_plugins(self, database: str) -> None:
        keys = await db.rows(
            "SELECT conname, confrelid::regclass::text AS target, confdeltype::text AS on_delete FROM pg_constraint"
            " WHERE contype = 'f' AND conrelid::regclass::text LIKE $1",
            f"{self.plugin.id}\\_%",
        )
        tables: list[Any] = [t for a in plugin_host.core_apps() for t in a.table_classes]
        core = {t._meta.tablename for t in tables}  # noqa: SLF001 - Piccolo's documented place for it

        for key in keys:
            own = key["target"].startswith(f"{self.plugin.id}_")
            assert own or key["target"] in core, f"{key['conname']}: plugins do not point at each other"
            assert own or key["on_delete"] in ("r", "a"), f"{key['conname']}: core rows are kept by RESTRICT"

    async def test_nothing_of_the_core_points_at_its_tables(self, database: str) -> None:
        found = await db.rows(
            "SELECT conname FROM pg_constraint WHERE contype = 'f' AND confrelid::regclass::text LIKE $1"
            " AND conrelid::regclass::text NOT LIKE $1",
            f"{self.plugin.id}\\_%",
        )

        assert found == []

    # Routes -------------------------------------------------------------------------------------------------------

    async def test_every_route_says_what_it_does(self, make_mall: MakeMall) -> None:
        mall = await self._boot(make_mall)

        for route in [*self._routes(mall, "/storefront/v1/x"), *self._routes(mall, "/admin/v1/x")]:
            assert route.handler.operation_id, route.path
            assert route.handler.summary or route.handler.description or route.handler.fn.__doc__, route.path

    async def test_storefront_routes_ask_for_a_member(self, make_mall: MakeMall, make_client: MakeClient) -> None:
        mall = await self._boot(make_mall)
        nobody = make_client(None)

        for route in self._routes(mall, "/storefront/v1/x"):
            answer = await nobody.request(route.method, route.path)
            assert (answer.status_code == 401) is not route.public, (route.path, answer.text)

    async def test_admin_routes_name_a_declared_permission(self, make_mall: MakeMall) -> None:
        mall = await self._boot(make_mall)
        declared = {p.name for p in self.plugin.permissions}

        named = {route.handler.opt.get("permission") for route in self._routes(mall, "/admin/v1/x")}

        assert named <= declared

    async def test_admin_routes_ask_for_staff(self, make_mall: MakeMall, make_client: MakeClient) -> None:
        mall = await self._boot(make_mall)
        nobody = make_client(None)

        for route in self._routes(mall, "/admin/v1/x"):
            assert (await nobody.request(route.method, route.path)).status_code == 401, route.path

    async def test_admin_routes_ask_for_the_permission(self, make_mall: MakeMall, admin: Clients) -> None:
        mall = await self._boot(make_mall)
        others = admin(await builders.a_staff(mall, ["orders.read"], stores=None))

        for route in self._routes(mall, "/admin/v1/x"):
            answer = await others.request(route.method, route.path)
            assert answer.status_code == 403, route.path
            assert answer.json()["code"] == "auth.forbidden"

    async def test_garbage_is_refused_and_never_a_crash(self, make_mall: MakeMall, admin: Clients) -> None:
        mall = await self._boot(make_mall)
        owner = admin(await builders.a_staff(mall, ["*"], stores=None))
        routes = [*self._routes(mall, "/admin/v1/x"), *self._routes(mall, "/callbacks")]

        for route in routes:
            if route.method != "GET":
                answer = await owner.request(route.method, route.path, content=b"\x00{garbage")
                assert 400 <= answer.status_code < 500, (route.path, answer.text)

    # Life cycle ---------------------------------------------------------------------------------------------------

    async def test_disabled_means_closed_and_silent(
        self, make_mall: MakeMall, storefront: Clients, admin: Clients
    ) -> None:
        mall = await self._boot(make_mall)
        shopper = storefront(await builders.a_member(mall))
        owner = admin(await builders.a_staff(mall, ["*"], stores=None))

        await plugin_host.disable(mall, self.plugin.id, force=True)

        for prefix, caller in (("/storefront/v1/x", shopper), ("/admin/v1/x", owner), ("/callbacks", owner)):
            for route in self._routes(mall, prefix):
                answer = await caller.request(route.method, route.path)
                assert (answer.status_code, answer.json()["code"]) == (404, "plugin.disabled"), route.path
        asked = [h for h in vars(MallSpec) if not h.startswith(("_", "register_")) and mall.hooks.has(h)]
        assert asked == []

    async def test_it_can_be_switched_off_and_on_again(self, make_mall: MakeMall, storefront: Clients) -> None:
        mall = await self._boot(make_mall)
        shopper = storefront(await builders.a_member(mall))

        await plugin_host.disable(mall, self.plugin.id, force=True)
        await plugin_host.enable(mall, self.plugin.id)

        assert mall.plugins.state(self.plugin.id) == "enabled"
        for route in self._routes(mall, "/storefront/v1/x"):
            answer = await shopper.request(route.method, route.path)
            assert "plugin.disabled" not in answer.text, route.path

    async def test_every_event_delivered_twice_changes_nothing_the_second_time(self, make_mall: MakeMall) -> None:
        mall = await self._boot(make_mall)
        own = {name: h for name, owner, h in mall.objects.all(EventHandler) if owner == self.plugin.id}
        examples = await self.events(mall) if own else ()
        missing = {h.event.__name__ for h in own.values()} - {type(e).__name__ for e in examples}
        assert not missing, f"override events() to return an example of {', '.join(sorted(missing))}"

        async with db.transaction():
            for event in examples:
                emit(mall, event)
        await harness.deliver_events(mall)
        once = await _everything(mall)
        await db.execute("UPDATE event_delivery SET state = 'due', done_at = NULL WHERE handler = ANY($1)", list(own))
        await harness.deliver_events(mall)

        failed = await db.rows("SELECT handler, last_error FROM event_delivery WHERE last_error IS NOT NULL")
        assert [dict(r) for r in failed] == []
        assert await _everything(mall) == once

    # Settings and secrets -----------------------------------------------------------------------------------------

    def test_the_readme_names_every_setting(self) -> None:
        module = importlib.import_module(self._module_name().partition(":")[0])
        readme = Path(inspect.getfile(module)).parent / "README.md"

        text = readme.read_text(encoding="utf-8")
        fields = [f.name for f in msgspec.structs.fields(self.plugin.config)] if self.plugin.config else []

        assert [name for name in fields if f"`{name}`" not in text] == []

    async def test_secrets_are_in_no_answer_and_no_log(
        self, make_mall: MakeMall, storefront: Clients, admin: Clients, capfd: pytest.CaptureFixture[str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:  # fmt: skip
        mall = await self._boot(make_mall)
        shopper = storefront(await builders.a_member(mall))
        owner = admin(await builders.a_staff(mall, ["*"], stores=None))

        said = [repr(plugin_host.plugin_config(mall, self.plugin.id))]
        said.append(str(msgspec.to_builtins(plugin_host.plugin_settings(mall, self.plugin.id), enc_hook=repr)))
        for prefix, caller in (("/storefront/v1/x", shopper), ("/admin/v1/x", owner), ("/callbacks", owner)):
            for route in self._routes(mall, prefix):
                answer = await caller.request(
                    route.method, route.path, content=None if route.method == "GET" else b"{}"
                )
                said += [answer.text, str(answer.headers)]
        captured = capfd.readouterr()
        said += [captured.out, captured.err, caplog.text]

        assert [text for text in said if _MARK in text] == []


def _holds(kind: Any, wanted: type[Any]) -> bool:
    return kind is wanted or any(_holds(part, wanted) for part in getattr(kind, "__args__", ()))


def _sample(part: Any) -> str:
    """Fill one path parameter with a value of its type that no row has."""
    if isinstance(part, str):
        return part
    return {"int": "999999999", "uuid": "00000000-0000-0000-0000-000000000000"}.get(
        part.type.__name__.lower(), "nothing"
    )


async def _structure(plugin_id: str) -> list[str]:
    found = await db.rows(
        "SELECT table_name || '.' || column_name || ' ' || data_type AS thing FROM information_schema.columns"
        " WHERE table_name LIKE $1 UNION ALL"
        " SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)"
        " FROM pg_constraint WHERE conrelid::regclass::text LIKE $1"
        " UNION ALL SELECT indexdef FROM pg_indexes WHERE tablename LIKE $1 ORDER BY 1",
        f"{plugin_id}\\_%",
    )
    return [r["thing"] for r in found]


async def _everything(mall: Mall) -> dict[str, Any]:
    """Return all that is stored, except the deliveries themselves: tables by name, and Redis by key."""
    own = "pgqueuer%", "event%", "migration", "plugin_state"
    tables = await db.rows(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE ALL($1)", own
    )
    found: dict[str, Any] = {}
    for record in tables:
        name = record["tablename"]
        rows = await db.rows(f'SELECT to_jsonb(t)::text AS row FROM "{name}" t ORDER BY 1')  # noqa: S608 - catalog names
        if rows:
            found[name] = [json.loads(r["row"]) for r in rows]
    redis: Any = mall.redis  # its types are partly unknown
    found["redis"] = {key: await redis.dump(key) for key in sorted(await redis.keys())}
    return found
