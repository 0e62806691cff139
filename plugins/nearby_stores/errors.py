"""Why nearby_stores refuses something."""

from __future__ import annotations

from core.sdk import Conflict, Invalid, NotFound


class AreaInvalid(Invalid):
    code = "nearby_stores.area_invalid"
    zh = "配送范围无效:{zh}"
    en = "The delivery area cannot be used: {en}"


class AreaNotFound(NotFound):
    code = "nearby_stores.area_not_found"
    zh = "这家门店没有配送范围。"
    en = "This store has no delivery area."


class StorePositionMissing(Conflict):
    code = "nearby_stores.position_missing"
    zh = "这家门店还没有坐标,请先补充门店位置。"
    en = "This store has no position yet; set the position of the store first."
