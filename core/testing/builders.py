"""Data for tests: one call makes one plain, valid thing; every detail can be given.

Written straight to the tables, so that the tests of one domain do not stand on the services of another, and no event
is emitted. Each returns the domain's own view where it has one.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from core import db
from core.kernel.ids import new_token, token_hash
from core.members.types import MemberView
from core.staff.types import StaffSessionView
from core.stores.types import StoreView

if TYPE_CHECKING:
    from core.kernel.mall import Mall

ALWAYS_OPEN = {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
PASSWORD_HASH = "!"  # noqa: S105 - matches no password: builders' staff sign in with a token
_next = itertools.count(1)


class ASku(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    product_id: int
    code: str
    price_fen: int


class AProduct(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    handle: str
    title: str
    skus: tuple[ASku, ...]

    @property
    def sku(self) -> ASku:
        """The first SKU, for tests in which one is enough."""
        return self.skus[0]


async def a_store(mall: Mall, **over: Any) -> StoreView:
    """Make an active store in Shanghai that never closes, with its stock location; ``over`` sets columns."""
    number = next(_next)
    now = mall.clock.now()
    values: dict[str, Any] = {
        "code": f"S{number:04d}",
        "name": f"Store {number}",
        "province": "上海市",
        "city": "上海市",
        "address": "南京东路 1 号",
        "lat": 31.2304,
        "lng": 121.4737,
        "services": ["pickup"],
        "hours": ALWAYS_OPEN,
        "exceptions": {},
        "extra": {},
        "created_at": now,
        "updated_at": now,
        **over,
    }
    made = db.to_struct(StoreView, await _insert("store", values, json=("hours", "exceptions", "extra")))
    await _insert("location", {"kind": "store", "store_id": made.id, "code": f"store-{made.code}", "name": made.name})
    return made


async def location_of(store: StoreView | int) -> int:
    """Return the id of the store's stock location."""
    store_id = store if isinstance(store, int) else store.id
    found: int = await db.value("SELECT id FROM location WHERE store_id = $1", store_id)
    return found


async def a_product(
    mall: Mall, skus: Sequence[Mapping[str, Any]] | int = 1, *, price_fen: int = 1000, **over: Any
) -> AProduct:
    """Make an active product. ``skus`` is how many, or the columns of each; ``over`` sets columns of the product."""
    number = next(_next)
    now = mall.clock.now()
    wanted: list[Mapping[str, Any]] = [{}] * skus if isinstance(skus, int) else list(skus)
    values: dict[str, Any] = {
        "handle": f"product-{number}",
        "title": f"Product {number}",
        "tags": [],
        "options": [] if len(wanted) == 1 else [{"name": "Size", "values": [f"O{i}" for i in range(len(wanted))]}],
        "images": [],
        "state": "active",
        "extra": {},
        "min_price_fen": min(s.get("price_fen", price_fen) for s in wanted),
        "max_price_fen": max(s.get("price_fen", price_fen) for s in wanted),
        "created_at": now,
        "updated_at": now,
        **over,
    }
    values.setdefault("search_text", str(values["title"]).lower())
    product = await _insert("product", values, json=("options", "images", "extra"))
    made: list[ASku] = []
    for position, given in enumerate(wanted):
        sku = await _insert(
            "sku",
            {
                "product_id": product["id"],
                "code": f"SKU-{number}-{position}",
                "options": [] if len(wanted) == 1 else [f"O{position}"],
                "price_fen": price_fen,
                "position": position,
                "extra": {},
                **given,
            },
            json=("options", "extra"),
        )
        made.append(ASku(id=sku["id"], product_id=sku["product_id"], code=sku["code"], price_fen=sku["price_fen"]))
    return AProduct(id=product["id"], handle=product["handle"], title=product["title"], skus=tuple(made))


async def stock(mall: Mall, sku_id: int, location_id: int, n: int) -> None:
    """Put ``n`` more units on hand, with the move that says so."""
    after: int = await db.value(
        "INSERT INTO stock (sku_id, location_id, on_hand, reserved, backorder, version)"
        " SELECT $1, $2, $3, 0, backorder, 1 FROM sku WHERE id = $1"
        " ON CONFLICT (sku_id, location_id) DO UPDATE SET on_hand = stock.on_hand + excluded.on_hand RETURNING on_hand",
        sku_id, location_id, n,
    )  # fmt: skip
    move = {
        "sku_id": sku_id,
        "location_id": location_id,
        "kind": "receive",
        "qty": n,
        "before": after - n,
        "after": after,
    }
    await _insert("stock_move", {**move, "reason": "a test", "actor_kind": "system", "at": mall.clock.now()})


async def a_member(mall: Mall, **over: Any) -> MemberView:
    """Make a member who joined in the mini-program; ``over`` sets columns."""
    number = next(_next)
    values: dict[str, Any] = {
        "number": f"U{number:09d}",
        "nickname": f"Member {number}",
        "phone": f"+86138{number:08d}",
        "source_channel": "miniprogram",
        "extra": {},
        "created_at": mall.clock.now(),
        **over,
    }
    return db.to_struct(MemberView, await _insert("member", values, json=("extra",)))


async def a_staff(
    mall: Mall, permissions: Sequence[str] = (), stores: Sequence[int] | None = (), **over: Any
) -> StaffSessionView:
    """Make a signed-in member of staff with these permissions in these stores (``None``: all); ``over`` as above."""
    number = next(_next)
    now = mall.clock.now()
    values = {"login": f"staff{number}", "name": f"Staff {number}", "password_hash": PASSWORD_HASH, "created_at": now}
    staff = await _insert("staff", {**values, "all_stores": stores is None, **over})
    if permissions:
        role = await _insert(
            "staff_role", {"code": f"role-{number}", "name": "a role", "permissions": list(permissions)}
        )
        await _insert("staff_role_member", {"staff_id": staff["id"], "role_id": role["id"]})
    for store_id in stores or ():
        await _insert("staff_store", {"staff_id": staff["id"], "store_id": store_id})
    token = token_hash(new_token())
    until = now.replace(year=now.year + 1)
    session = {"staff_id": staff["id"], "token_hash": token, "created_at": now, "expires_at": until}
    return StaffSessionView(
        session_id=(await _insert("staff_session", session))["id"],
        staff_id=staff["id"],
        login=staff["login"],
        name=staff["name"],
        permissions=frozenset(permissions),
        all_stores=staff["all_stores"],
        store_ids=frozenset(stores or ()),
    )


async def _insert(table: str, values: Mapping[str, Any], *, json: Sequence[str] = ()) -> db.Row:
    """Insert one row and return it; columns that are not given get the defaults of the table."""
    places = ", ".join(f"${i}::jsonb" if name in json else f"${i}" for i, name in enumerate(values, 1))
    args = [db.json(value) if name in json else value for name, value in values.items()]
    sql = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places}) RETURNING *"  # noqa: S608 - names are ours
    found = await db.row(sql, *args)
    assert found is not None
    return found
