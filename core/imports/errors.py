"""What imports refuse as a whole; single lines are in the report."""

from __future__ import annotations

from core.kernel.errors import Invalid, NotFound


class FileUnreadable(Invalid):
    code = "imports.file_unreadable"
    zh = "无法读取文件:{reason}"
    en = "The file cannot be read: {reason}"


class FormatUnknown(Invalid):
    code = "imports.format_unknown"
    zh = "认不出文件的列:{columns}。请参照文档使用支持的格式。"
    en = "The columns of the file are of no known format: {columns}. See the documentation for those that are."


class PriceRuleInvalid(Invalid):
    code = "imports.price_rule_invalid"
    zh = "价格规则无效:{reason}。示例:base=28;Size.Grande=+3;Milk.Soy Milk=+3"
    en = "The price rule cannot be used: {reason}. Example: base=28;Size.Grande=+3;Milk.Soy Milk=+3"


class OptionInvalid(Invalid):
    code = "imports.option_invalid"
    zh = "导入选项无效:{reason}"
    en = "An import option cannot be used: {reason}"


class LocationMissing(NotFound):
    code = "imports.location_missing"
    zh = "没有库存地点“{location}”。"
    en = "There is no stock location {location}."


class JobMissing(NotFound):
    code = "imports.job_missing"
    zh = "没有这个导入任务。"
    en = "There is no such import."
