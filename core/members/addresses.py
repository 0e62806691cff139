"""Members' delivery addresses. Every statement names the member: another's address does not exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core import db
from core.members.errors import AddressNotFound, TooManyAddresses
from core.members.phones import normal_phone
from core.members.types import AddressInput, AddressView

if TYPE_CHECKING:
    from core.kernel.mall import Mall

LIMIT = 20
_COLUMNS = "id, name, phone, province, city, district, street, postcode, is_default, created_at"
_ADD = f"""
INSERT INTO member_address (member_id, name, phone, province, city, district, street, postcode, is_default, created_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
 WHERE (SELECT count(*) FROM member_address WHERE member_id = $1) < {LIMIT}
RETURNING {_COLUMNS}
"""  # noqa: S608 - constants
_CHANGE = f"""
UPDATE member_address
   SET name = $3, phone = $4, province = $5, city = $6, district = $7, street = $8, postcode = $9, is_default = $10
 WHERE member_id = $1 AND id = $2
RETURNING {_COLUMNS}
"""  # noqa: S608


async def list_addresses(mall: Mall, member_id: int) -> list[AddressView]:
    """List the member's addresses, the default one first."""
    return await db.fetch(
        AddressView,
        f"SELECT {_COLUMNS} FROM member_address WHERE member_id = $1 ORDER BY is_default DESC, id DESC",  # noqa: S608
        member_id,
    )


async def get_address(mall: Mall, member_id: int, *, address_id: int) -> AddressView:
    """Return one address of this member; raises ``AddressNotFound``."""
    found = await db.fetch_one(
        AddressView,
        f"SELECT {_COLUMNS} FROM member_address WHERE member_id = $1 AND id = $2",  # noqa: S608
        member_id, address_id,
    )  # fmt: skip
    if found is None:
        raise AddressNotFound
    return found


async def add_address(mall: Mall, member_id: int, *, address: AddressInput) -> AddressView:
    """Keep an address; as default, it takes that over. Raises ``TooManyAddresses``, ``PhoneInvalid``."""
    phone = normal_phone(address.phone)
    async with db.transaction():
        await _one_at_a_time(member_id)
        if address.is_default:
            await _no_default(member_id)
        found = await db.fetch_one(
            AddressView, _ADD, member_id, address.name, phone, address.province, address.city, address.district,
            address.street, address.postcode, address.is_default, mall.clock.now(),
        )  # fmt: skip
        if found is None:
            raise TooManyAddresses(limit=LIMIT)
    return found


async def change_address(mall: Mall, member_id: int, *, address_id: int, address: AddressInput) -> AddressView:
    """Write an address anew. Raises ``AddressNotFound``, ``PhoneInvalid``."""
    phone = normal_phone(address.phone)
    async with db.transaction():
        await _one_at_a_time(member_id)
        if address.is_default:
            await _no_default(member_id)
        found = await db.fetch_one(
            AddressView, _CHANGE, member_id, address_id, address.name, phone, address.province, address.city,
            address.district, address.street, address.postcode, address.is_default,
        )  # fmt: skip
        if found is None:
            raise AddressNotFound
    return found


async def remove_address(mall: Mall, member_id: int, *, address_id: int) -> None:
    """Forget an address; raises ``AddressNotFound``. Orders keep their own copy."""
    if not await db.execute("DELETE FROM member_address WHERE member_id = $1 AND id = $2", member_id, address_id):
        raise AddressNotFound


async def _one_at_a_time(member_id: int) -> None:
    """Lock the member's row, so that counting and the default are not raced. Must run in a transaction."""
    db.assert_transaction()
    await db.execute("SELECT 1 FROM member WHERE id = $1 FOR NO KEY UPDATE", member_id)


async def _no_default(member_id: int) -> None:
    await db.execute("UPDATE member_address SET is_default = false WHERE member_id = $1 AND is_default", member_id)
