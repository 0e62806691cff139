"""``mall demo --tour``: one purchase against the running mall, each call with its answer."""

from __future__ import annotations

import json
import secrets
import sys
import time
from pathlib import Path
from typing import Any, cast

import httpx
from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from core.kernel.errors import MallError, Unavailable

HERE = (31.2304, 121.4737)  # People's Square, Shanghai, GCJ-02
LOGIN_FILE = "demo.json"
OUTBOX = "outbox.jsonl"
MOST = 2  # items shown of a list
WIDEST = 100
_PAUSE_S = 0.05


class NoDemo(Unavailable):
    code = "demo.not_running"
    zh = "没有正在运行的演示商城({reason})。请先在另一个终端运行 make demo。"
    en = "No demo is running here ({reason}). Start one with `make demo` in another terminal."


class TourFailed(MallError):
    code = "demo.tour_failed"
    status = 500
    zh = "第 {step} 步失败:{answer}"
    en = "Step {step} failed: {answer}"


class Tour:
    """Make calls, print them, and stop at the first that is refused."""

    def __init__(self, client: httpx.Client, console: Console) -> None:
        self.client = client
        self.console = console
        self.step = 0

    def call(
        self,
        what: str,
        method: str,
        path: str,
        *,
        token: str = "",
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        self.step += 1
        sent = dict(headers or {})
        if token:
            sent["Authorization"] = f"Bearer {token}"
        began = time.perf_counter()
        answer = self.client.request(method, path, json=body, headers=sent)
        took = (time.perf_counter() - began) * 1000
        self.console.print()
        self.console.print(Text.assemble((f"{self.step}. {what}", "bold")))
        self.console.print(Text.assemble(("→ ", "cyan"), (method, "cyan bold"), f" {path}"))
        if body is not None:
            self._json(body)
        colour = "green" if answer.is_success else "red"
        self.console.print(
            Text.assemble(("← ", colour), (str(answer.status_code), f"{colour} bold"), (f"  {took:.0f} ms", "dim"))
        )
        given = answer.json() if answer.content else None
        if given is not None:
            self._json(_short(given))
        if not answer.is_success:
            raise TourFailed(step=self.step, answer=answer.text[:300])
        return given

    def _json(self, value: object) -> None:
        text = json.dumps(value, ensure_ascii=False, indent=2)
        if self.console.is_terminal:
            self.console.print(Syntax(text, "json", background_color="default", word_wrap=True))
        else:
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)


def _short(value: Any) -> Any:
    """Cut lists and long texts: a person reads this."""
    if isinstance(value, dict):
        found = cast("dict[str, Any]", value)
        return {k: "•••" if k == "token" else _short(v) for k, v in found.items()}
    if isinstance(value, list):
        items = cast("list[Any]", value)
        shown = [_short(v) for v in items[:MOST]]
        return [*shown, f"… {len(items) - MOST} more"] if len(items) > MOST else shown
    return value if not isinstance(value, str) or len(value) < WIDEST else value[:WIDEST] + "…"


def run(base_url: str, home: Path) -> None:
    """Walk from sign-in to the completed order. Raises ``NoDemo`` or ``TourFailed``."""
    try:
        login = json.loads((home / LOGIN_FILE).read_text())
    except (OSError, ValueError) as exc:
        raise NoDemo(reason=f"{home / LOGIN_FILE} is not there") from exc
    console = Console(highlight=False)
    with httpx.Client(base_url=base_url, timeout=20, trust_env=False, headers={"Accept-Language": "zh-CN"}) as client:
        try:
            client.get("/healthz").raise_for_status()
        except httpx.HTTPError as exc:
            raise NoDemo(reason=str(exc)) from exc
        _walk(Tour(client, console), home, login)
        console.print("\n[bold green]Done:[/] signed in, ordered, paid at the counter, picked up, completed.")


def _walk(tour: Tour, home: Path, login: dict[str, str]) -> None:
    shop, admin = "/storefront/v1", "/admin/v1"
    phone = f"138{secrets.randbelow(10**8):08d}"
    tour.call("The shopper asks for a code", "POST", f"{shop}/auth/codes", body={"phone": phone})
    code = _code_sent_to(home, phone)
    signed_in = tour.call(
        "… and signs in with it (the console channel of the demo printed it)", "POST", f"{shop}/auth/sessions",
        body={"provider": "phone", "credentials": {"phone": phone, "code": code}},
    )  # fmt: skip
    me = signed_in["token"]
    near = tour.call(
        "Nearest stores that are open", "GET",
        f"{shop}/x/nearby_stores/stores?lat={HERE[0]}&lng={HERE[1]}&open_now=true&service=pickup&limit=3",
    )  # fmt: skip
    store = near["items"][0]
    store_id = store["id"]
    menu = tour.call("The menu", "GET", f"{shop}/products?store_id={store_id}&limit=5")
    product = tour.call("One drink", "GET", f"{shop}/products/{menu['items'][0]['id']}?store_id={store_id}")
    sku = product["skus"][0]
    tour.call("Into the cart", "POST", f"{shop}/cart/lines", token=me, body={"sku_id": sku["id"], "qty": 2})
    wish = {"from_cart": True, "store_id": store_id, "contact": {"name": "小满", "phone": phone}, "note": "少冰"}
    quote = tour.call("What does it cost?", "POST", f"{shop}/quotes", token=me, body=wish)
    order = tour.call(
        "Order it, at the price that was shown", "POST", f"{shop}/orders", token=me,
        body={**wish, "expected_total_fen": quote["payable_fen"]}, headers={"Idempotency-Key": secrets.token_hex(8)},
    )  # fmt: skip
    number = order["number"]
    tour.call("How can it be paid?", "GET", f"{shop}/orders/{number}/payment-methods", token=me)
    tour.call(
        "Pay at the counter", "POST", f"{shop}/orders/{number}/payments", token=me, body={"provider": "pay_at_store"}
    )
    staff = tour.call(
        "Staff sign in", "POST", f"{admin}/auth/sessions", body={"login": login["login"], "password": login["password"]}
    )["token"]
    tour.call(
        "… take the money and confirm it", "POST", f"{admin}/x/pay_at_store/orders/{number}/confirm", token=staff,
        body={"amount_fen": order["payable_fen"], "method": "cash"},
    )  # fmt: skip
    pickup = tour.call("The shopper shows the pick-up code", "GET", f"{shop}/orders/{number}/pickup-code", token=me)
    tour.call(
        "Staff verify it and hand over", "POST", f"{admin}/pickups/verify", token=staff, body={"code": pickup["code"]}
    )
    done = tour.call("The order is completed", "GET", f"{shop}/orders/{number}", token=me)
    if done["status"] != "completed":
        raise TourFailed(step=tour.step, answer=f"the order is {done['status']}")


def _code_sent_to(home: Path, phone: str) -> str:
    """Read the code from the outbox of the console channel, where a phone would get an SMS."""
    for _ in range(100):
        lines = (home / OUTBOX).read_text().splitlines() if (home / OUTBOX).exists() else []
        for line in reversed(lines):
            message = json.loads(line)
            if message["to"].endswith(phone):
                return str(message["values"]["code"])
        time.sleep(_PAUSE_S)  # the tour is a script of its own, not part of a server
    sys.stderr.write("no code arrived\n")
    raise NoDemo(reason=f"no code in {home / OUTBOX}")
