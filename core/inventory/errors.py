"""What inventory refuses, and how it says it."""

from __future__ import annotations

from core.kernel.errors import Conflict, Invalid, MallError, NotFound


class OutOfStock(Conflict):
    """One problem for each short SKU; ``details`` of a problem: sku_id, sku, title, location_id, wanted, available."""

    code = "inventory.out_of_stock"
    zh = "“{title}”库存不足,只剩 {available} 件。"
    en = "Out of stock: {available} left of {title}."


class BelowReserved(Conflict):
    """One problem for each SKU; nothing was changed."""

    code = "inventory.below_reserved"
    zh = "{sku} 有 {reserved} 件已被订单占用,库存不能调整为 {wanted} 件。"
    en = "{reserved} of {sku} are reserved by orders, so the stock cannot become {wanted}."


class ReasonMissing(Invalid):
    code = "inventory.reason_missing"
    zh = "调整库存必须填写原因。"
    en = "An adjustment of stock needs a reason."


class QuantityInvalid(Invalid):
    code = "inventory.quantity_invalid"
    zh = "数量无效:{qty}。"
    en = "This quantity cannot be used: {qty}."


class RequestKeyReused(Conflict):
    """The same idempotency key came with another change of stock."""

    code = "inventory.key_reused"
    zh = "这个幂等键已用于另一次库存变动,请换一个新的键。"
    en = "This idempotency key was used for a different change of stock; use a new key."


class StockUnknown(NotFound):
    """The SKU or the location is not there."""

    code = "inventory.not_found"
    zh = "没有找到商品规格 {sku_id} 或库存地点 {location_id}。"
    en = "There is no SKU {sku_id} or no location {location_id}."


class LocationUnknown(NotFound):
    code = "inventory.location_not_found"
    zh = "没有找到库存地点。"
    en = "There is no such location."


class NotCommitted(Conflict):
    """More units come back than the order was given."""

    code = "inventory.not_committed"
    zh = "退回数量超过了已交付的数量:{sku_id} 最多还能退 {left} 件。"
    en = "More comes back than was handed over: at most {left} of SKU {sku_id}."


class CodeTaken(Conflict):
    code = "inventory.code_taken"
    zh = "库存地点编码“{location}”已被使用。"
    en = "The location code “{location}” is taken."


class PlaceUnclear(Invalid):
    code = "inventory.place_unclear"
    zh = "请填写 store_id 或 location_id 其中一个。"
    en = "Give either store_id or location_id."


class NeedsAllStores(MallError):
    """403: warehouses belong to no store, so a store scope does not reach them."""

    code = "inventory.needs_all_stores"
    status = 403
    zh = "只有管理全部门店的员工可以管理仓库。"
    en = "Only staff with all stores in their scope can manage warehouses."
