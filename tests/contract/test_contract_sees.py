"""The negative control of the contract tests: a careless plugin does not pass, and they find something to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from core.sdk import Event, Mall, MemberJoined
from core.testing.contract import PluginContract
from core.testing.plugin_all_hooks.plugin import PLUGIN
from tests.contract import careless

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import httpx

    from core.testing.pytest_plugin import MakeMall


class Careless(PluginContract):
    plugin = careless.PLUGIN
    module = "tests.contract.careless"

    async def events(self, mall: Mall) -> Sequence[Event]:
        return [MemberJoined(member_id=1)]


class Lazy(Careless):
    async def events(self, mall: Mall) -> Sequence[Event]:
        return ()


class AllHooks(PluginContract):
    plugin = PLUGIN
    module = "core.testing.plugin_all_hooks.plugin"


@pytest.mark.parametrize(("prefix", "paths"), [
    ("/storefront/v1/x", {"/storefront/v1/x/all_hooks/hello", "/storefront/v1/x/all_hooks/hello/me"}),
    ("/admin/v1/x", {"/admin/v1/x/all_hooks/notes"}),
    ("/callbacks", {"/callbacks/all_hooks/ping"}),
])  # fmt: skip
async def test_the_routes_of_every_face_are_found(make_mall: MakeMall, prefix: str, paths: set[str]) -> None:
    contract = AllHooks()

    assert {r.path for r in contract._routes(await contract._boot(make_mall), prefix)} == paths


def test_an_empty_summary_is_seen() -> None:
    with pytest.raises(AssertionError):
        Careless().test_people_can_read_what_it_is()


def test_a_missing_readme_is_seen() -> None:
    with pytest.raises(FileNotFoundError):
        Careless().test_the_readme_names_every_setting()


async def test_a_route_that_says_nothing_is_seen(make_mall: MakeMall) -> None:
    with pytest.raises(AssertionError):
        await Careless().test_every_route_says_what_it_does(make_mall)


async def test_a_handler_that_counts_twice_is_seen(make_mall: MakeMall) -> None:
    with pytest.raises(AssertionError, match="careless"):
        await Careless().test_every_event_delivered_twice_changes_nothing_the_second_time(make_mall)


async def test_a_handler_without_an_example_is_seen(make_mall: MakeMall) -> None:
    with pytest.raises(AssertionError, match="override events"):
        await Lazy().test_every_event_delivered_twice_changes_nothing_the_second_time(make_mall)


async def test_a_secret_in_an_answer_is_seen(
    make_mall: MakeMall,
    storefront: Callable[[object], httpx.AsyncClient],
    admin: Callable[[object], httpx.AsyncClient],
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(AssertionError, match="s3cret"):
        await Careless().test_secrets_are_in_no_answer_and_no_log(make_mall, storefront, admin, capfd, caplog)
