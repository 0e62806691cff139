"""The permissions of the core. A plugin's stand in its manifest; both are found through ``known``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from core.kernel.contracts import Permission
from core.kernel.i18n import Text
from core.staff.types import ALL

if TYPE_CHECKING:
    from core.kernel.mall import Mall

CORE_PERMISSIONS: tuple[Permission, ...] = tuple(
    Permission(name, Text(zh, en))
    for name, zh, en in (
        ("orders.read", "查看订单", "See orders"),
        ("orders.write", "修改和取消订单", "Change and cancel orders"),
        ("orders.fulfil", "核销与交付", "Verify pick-up codes and hand over goods"),
        ("payments.read", "查看支付", "See payments"),
        ("payments.confirm", "确认收款", "Confirm money taken"),
        ("catalog.read", "查看商品", "See products"),
        ("catalog.write", "编辑商品", "Edit products"),
        ("inventory.read", "查看库存", "See stock"),
        ("inventory.write", "调整库存", "Adjust stock"),
        ("stores.read", "查看门店", "See stores"),
        ("stores.write", "编辑门店", "Edit stores"),
        ("members.read", "查看会员", "See members"),
        ("members.write", "管理会员", "Manage members"),
        ("staff.read", "查看员工与角色", "See staff and roles"),
        ("staff.write", "管理员工与角色", "Manage staff and roles"),
        ("audit.read", "查看操作记录", "See the audit trail"),
        ("plugins.read", "查看插件", "See plugins"),
        ("plugins.write", "启停与设置插件", "Switch and configure plugins"),
        ("imports.run", "导入数据", "Run imports"),
        ("tasks.read", "查看任务与事件投递", "See tasks, jobs and event deliveries"),
        ("tasks.write", "处理任务与重新投递", "Handle tasks, run deliveries again"),
    )
)


def known(mall: Mall) -> dict[str, Permission]:
    """Return every permission that has an effect now, by name: the core's, and those of plugins that are on."""
    return {name: permission for name, _owner, permission in mall.objects.all(Permission)}


def unknown(mall: Mall, names: Iterable[str]) -> tuple[str, ...]:
    """Return the names that no code knows at present (kept in roles, without effect)."""
    there = known(mall)
    return tuple(n for n in names if n != ALL and n not in there)
