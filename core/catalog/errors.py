"""Refusals of the catalog."""

from __future__ import annotations

from core.kernel.errors import Conflict, Invalid, MallError, NotFound


class AllStoresNeeded(MallError):
    """403: products and categories belong to the brand, not to a store."""

    code = "catalog.all_stores_needed"
    status = 403
    zh = "只有管理全部门店的员工才能修改商品和分类。"
    en = "Only staff of all stores can change products and categories."


class ProductNotFound(NotFound):
    code = "catalog.product_not_found"
    zh = "没有找到该商品。"
    en = "There is no such product."


class SkuNotFound(NotFound):
    code = "catalog.sku_not_found"
    zh = "没有找到规格 {sku}。"
    en = "There is no SKU {sku}."


class CategoryNotFound(NotFound):
    code = "catalog.category_not_found"
    zh = "没有找到分类 {category}。"
    en = "There is no category {category}."


class StoreUnknown(NotFound):
    code = "catalog.store_unknown"
    zh = "没有找到该门店。"
    en = "There is no such store."


class ProductInvalid(Invalid):
    """The draft breaks a rule of the catalog; ``problems`` names every one."""

    code = "catalog.product_invalid"
    zh = "商品 {handle} 无法保存，请查看 problems 中的原因。"
    en = "The product {handle} cannot be saved; problems names every reason."


class CategoryInvalid(Invalid):
    code = "catalog.category_invalid"
    zh = "分类无法保存：{reason}"
    en = "The category cannot be saved: {reason}"


class HandleTaken(Conflict):
    code = "catalog.handle_taken"
    zh = "商品标识 {handle} 已被使用。"
    en = "The handle {handle} is already used by another product."


class SkuCodeTaken(Conflict):
    code = "catalog.sku_code_taken"
    zh = "规格编码 {sku} 已被其他商品使用。"
    en = "The SKU code {sku} is already used by another product."


class ChangedMeanwhile(Conflict):
    """Someone else saved the product first: read it again and repeat the edit."""

    code = "catalog.changed_meanwhile"
    zh = "商品已被他人修改，请刷新后重试。"
    en = "The product was changed meanwhile; read it again and repeat the edit."


class StateRefused(Conflict):
    code = "catalog.state_refused"
    zh = "商品不能从“{source}”变为“{to}”。"
    en = "A product cannot go from {source} to {to}."


class NothingToSell(Conflict):
    code = "catalog.nothing_to_sell"
    zh = "商品没有可售规格，不能上架。"
    en = "The product has no active SKU, so it cannot be put on sale."


class NotOnSale(Conflict):
    """A SKU that cannot be bought in this store: off sale, not listed there, or gone."""

    code = "catalog.not_on_sale"
    zh = "“{title}”在该门店暂不销售。"
    en = "“{title}” is not on sale here."


class LimitExceeded(Conflict):
    code = "catalog.limit_exceeded"
    zh = "“{title}”每单最多购买 {limit} 件。"
    en = "At most {limit} of “{title}” can be bought in one order."


class MemberLimitExceeded(Conflict):
    code = "catalog.member_limit_exceeded"
    zh = "“{title}”每人最多购买 {limit} 件，还可购买 {left} 件。"
    en = "Each member can buy at most {limit} of “{title}”; {left} are left."


class BelowMinimum(Conflict):
    code = "catalog.below_minimum"
    zh = "“{title}”每单至少购买 {limit} 件。"
    en = "At least {limit} of “{title}” must be bought in one order."


class CategoryCodeTaken(Conflict):
    code = "catalog.category_code_taken"
    zh = "分类编码 {category} 已被使用。"
    en = "The category code {category} is already used."


class CategoryNameTaken(Conflict):
    code = "catalog.category_name_taken"
    zh = "同级已有名为“{name}”的分类。"
    en = "A category named “{name}” already exists at this level."


class CategoryCycle(Conflict):
    code = "catalog.category_cycle"
    zh = "不能把分类移到它自己的下级。"
    en = "A category cannot be moved below itself."


class CategoryNotEmpty(Conflict):
    code = "catalog.category_not_empty"
    zh = "分类下还有商品或子分类，不能删除。"
    en = "The category still holds products or categories, so it cannot be deleted."
