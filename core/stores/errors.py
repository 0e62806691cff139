"""Why the mall refuses something about stores."""

from __future__ import annotations

from core.kernel.errors import Conflict, Invalid, MallError, NotFound, Problem
from core.kernel.i18n import Text


class StoreNotFound(NotFound):
    code = "stores.not_found"
    zh = "没有这家门店。"
    en = "There is no such store."


class StoreCodeTaken(Conflict):
    code = "stores.code_taken"
    zh = "门店编码“{store}”已被使用。"
    en = "The store code “{store}” is taken."


class StoreVersionConflict(Conflict):
    code = "stores.version_conflict"
    zh = "门店已被他人修改,请刷新后再试。"
    en = "The store has been changed by someone else; load it again and repeat your change."


class StoreInvalid(Invalid):
    """Several reasons at once, in ``problems``."""

    code = "stores.invalid"
    zh = "门店资料有 {count} 处错误。"
    en = "The details of the store have {count} mistakes."


class CoordinatesInvalid(Invalid):
    code = "stores.coordinates_invalid"
    zh = "坐标无效:纬度须在 -90 到 90、经度须在 -180 到 180 之间,且两者同时提供。"
    en = "The coordinates cannot be used: latitude is -90 to 90, longitude -180 to 180, and they come together."


class AllStoresNeeded(MallError):
    """403: who works for some stores only cannot make another."""

    code = "stores.all_stores_needed"
    status = 403
    zh = "只有管理全部门店的员工才能新建门店。"
    en = "Only staff of all stores can make a new one."


class CloseInvalid(Invalid):
    code = "stores.close_invalid"
    zh = "临时停业的结束时间必须晚于开始时间,也晚于现在。"
    en = "A temporary close ends after it begins, and after now."


def problem(code: str, zh: str, en: str, **details: object) -> Problem:
    """Make one reason of ``StoreInvalid``; braces in the sentences name details."""
    return Problem(code=code, message=Text(zh.format(**details), en.format(**details)), details=details)
