"""Every ``register_*`` hook, used by the test plugin and seen from outside."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from core.kernel.contracts import Job, NotificationChannel
from core.members import service as members
from core.members.types import JoinSource
from core.orders import service as orders
from core.orders.errors import ExtensionInvalid
from core.payments.types import PaymentProvider
from core.testing import builders, harness
from core.testing.plugin_all_hooks import plugin, service
from core.testing.shop import a_shop

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from core.kernel.mall import Mall
    from core.testing.pytest_plugin import MakeMall

    Clients = Callable[[object], httpx.AsyncClient]

KEY = "the-key-of-the-callback"


@pytest.fixture
async def all_hooks(make_mall: MakeMall) -> Mall:
    return await make_mall(extra={"all_hooks": plugin}, environ={"MALL_ALL_HOOKS__CALLBACK_KEY": KEY})


async def test_hook_register_storefront_routes(all_hooks: Mall, client: httpx.AsyncClient, storefront: Clients) -> None:
    member = await builders.a_member(all_hooks)

    anyone = await client.get("/storefront/v1/x/all_hooks/hello")
    refused = await client.get("/storefront/v1/x/all_hooks/hello/me")
    greeted = await storefront(member).get("/storefront/v1/x/all_hooks/hello/me")

    assert anyone.json() == {"greeting": "hello"}
    assert refused.status_code == 401
    assert greeted.json() == {"greeting": f"hello {member.number}"}


async def test_hook_register_admin_routes(all_hooks: Mall, admin: Clients) -> None:
    await service.note_once(all_hooks, "seen", 7, "a note")
    reader = admin(await builders.a_staff(all_hooks, ["all_hooks.read"]))
    other = admin(await builders.a_staff(all_hooks, ["orders.read"]))

    found = await reader.get("/admin/v1/x/all_hooks/notes")

    assert found.json() == [{"kind": "seen", "subject_id": 7, "text": "a note", "times": 1}]
    assert (await other.get("/admin/v1/x/all_hooks/notes")).status_code == 403


async def test_hook_register_callback_routes(all_hooks: Mall, client: httpx.AsyncClient) -> None:
    body = '{"你好": 1}'.encode()
    signature = hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()

    forged = await client.post("/callbacks/all_hooks/ping", content=body, headers={"x-signature": "0" * 64})
    genuine = await client.post("/callbacks/all_hooks/ping", content=body, headers={"x-signature": signature})

    assert (forged.status_code, forged.json()["code"]) == (401, "all_hooks.signature_wrong")
    assert genuine.status_code == 204, "the signature is of the raw body, byte by byte"
    assert [n.text for n in await service.notes()] == [body.decode()]


async def test_hook_register_payment_providers(all_hooks: Mall) -> None:
    shop = await a_shop(all_hooks)
    order = await shop.order()

    offered = await orders.methods(all_hooks, order)

    assert [code for code, _ in offered] == ["all_hooks_pay"]
    assert all_hooks.objects.owner(PaymentProvider, "all_hooks_pay") == "all_hooks"


async def test_hook_register_identity_providers(all_hooks: Mall) -> None:
    credentials = {"word": "open sesame", "name": "ali"}

    token, session, joined = await members.sign_in(
        all_hooks, "all_hooks_word", credentials=credentials, source=JoinSource(channel="web")
    )

    assert joined
    assert (await members.session(all_hooks, token)).member_id == session.member_id


async def test_hook_register_fulfilment_methods(all_hooks: Mall) -> None:
    shop = await a_shop(all_hooks, price_fen=1000)
    draft = replace(shop.draft(), fulfilment_method="all_hooks_courier")

    quoted = await orders.quote(all_hooks, draft)

    assert (quoted.quote.freight_fen, quoted.quote.payable_fen, quoted.problems) == (300, 1300, ())


async def test_hook_register_notification_channels(all_hooks: Mall) -> None:
    channel = all_hooks.objects.get(NotificationChannel, "all_hooks_letterbox")

    await channel.send(all_hooks, to="+8613800000000", template="login_code", values={"code": "1"})

    assert channel.sent == [("+8613800000000", "login_code", {"code": "1"})]  # pyright: ignore[reportAttributeAccessIssue]


async def test_hook_register_event_handlers(all_hooks: Mall) -> None:
    order = await (await a_shop(all_hooks)).order()

    assert "event_order" not in {n.kind for n in await service.notes()}, "an event is delivered after the commit"
    await harness.deliver_events(all_hooks)

    assert ("event_order", order.id, order.number) in {(n.kind, n.subject_id, n.text) for n in await service.notes()}


async def test_hook_register_jobs(all_hooks: Mall) -> None:
    await harness.run_job(all_hooks, "all_hooks.remind", {"order_id": 5})

    assert [(n.kind, n.subject_id) for n in await service.notes()] == [("remind", 5)]
    assert all_hooks.objects.get(Job, "all_hooks.sweep").cron == "0 4 * * *"


async def test_hook_register_order_extensions(all_hooks: Mall) -> None:
    shop = await a_shop(all_hooks)
    wrong = replace(shop.draft(), extensions={"all_hooks": {"card": 1}})
    right = replace(shop.draft(), extensions={"all_hooks": {"card": "for you"}})

    with pytest.raises(ExtensionInvalid):
        await orders.quote(all_hooks, wrong)
    order = await orders.place_order(all_hooks, right, expected_total_fen=1000, request_key="key-00001")

    assert order.extensions == {"all_hooks": {"card": "for you"}}


async def test_hook_register_commands(all_hooks: Mall) -> None:
    group = click.Group("all_hooks")
    for owner, add in all_hooks.plugins.commands():
        assert owner == "all_hooks"
        add(group)

    assert CliRunner().invoke(group, ["hello"]).output == "hello\n"


async def test_hook_register_demo_data(all_hooks: Mall) -> None:
    for _owner, load in [*all_hooks.plugins.demo_loaders(), *all_hooks.plugins.demo_loaders()]:
        await load(all_hooks)

    assert [(n.kind, n.times) for n in await service.notes()] == [("demo", 1)]
