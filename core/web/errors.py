"""What the web layer itself refuses. Business refusals live with their domains."""

from __future__ import annotations

from core.kernel.errors import MallError, Unavailable


class AuthRequired(MallError):
    """401: the call carries no bearer token."""

    code = "auth.required"
    status = 401
    zh = "请先登录。"
    en = "Sign in first."


class Forbidden(MallError):
    """403: the role of the caller lacks a permission."""

    code = "auth.forbidden"
    status = 403
    zh = "没有权限:{permission}。"
    en = "Your roles do not allow this; it needs the permission {permission}."


class AllStoresNeeded(MallError):
    """403: the caller may do this, but works for some stores only and this concerns all of them."""

    code = "auth.all_stores_needed"
    status = 403
    zh = "此操作涉及整个商城,需要有权管理所有门店。"
    en = "This concerns the whole mall; it needs the right to all stores."


class OutOfScope(MallError):
    """403: the caller may do this, but not in this store."""

    code = "auth.out_of_scope"
    status = 403
    zh = "您无权管理门店 {store_id}。"
    en = "Your store scope does not include store {store_id}."


class PluginDisabled(MallError):
    """404: the plugin that serves this address is off."""

    code = "plugin.disabled"
    status = 404
    zh = "此功能未启用(插件 {plugin})。"
    en = "This feature is switched off (plugin {plugin})."


class RequestInvalid(MallError):
    """400: the request was understood but its values cannot be used; ``problems`` has one entry per field."""

    code = "request.invalid"
    status = 400
    zh = "请求内容有误,请检查标出的字段。"
    en = "The request has values that cannot be used; see problems."


class ValueUnusable(MallError):
    """400: one of several reasons: a value that no field of the mall can hold."""

    code = "request.value_unusable"
    status = 400
    zh = "请求中有无法使用的值(例如过大的编号或不可见字符)。"
    en = "A value cannot be used at all: a number that is far too large, or a NUL character in a text."


class RequestUnreadable(MallError):
    """400: the body is not JSON in UTF-8, or not the form that its Content-Type says."""

    code = "request.unreadable"
    status = 400
    zh = "无法读取请求内容,请发送 UTF-8 编码的 JSON。"
    en = "The body cannot be read; send JSON in UTF-8."


class BadCursor(MallError):
    """400: the cursor was not made by this list."""

    code = "request.bad_cursor"
    status = 400
    zh = "分页游标无效,请从第一页重新开始。"
    en = "The cursor cannot be used; start again from the first page."


class KeyRequired(MallError):
    """400: a creating write came without a usable Idempotency-Key."""

    code = "request.key_required"
    status = 400
    zh = "缺少请求头 Idempotency-Key(8 到 64 个可见 ASCII 字符)。"
    en = "Send the header Idempotency-Key, 8 to 64 visible ASCII characters."


class NoRoute(MallError):
    """404: nothing is served at this address."""

    code = "request.no_route"
    status = 404
    zh = "地址不存在:{path}"
    en = "Nothing is served at {path}."


class MethodNotAllowed(MallError):
    """405: the address exists, but not for this method."""

    code = "request.method"
    status = 405
    zh = "该地址不支持 {method} 方法。"
    en = "This address does not support {method}."


class TooLarge(MallError):
    """413: the body is larger than this operation takes."""

    code = "request.too_large"
    status = 413
    zh = "请求内容过大,上限为 {limit_bytes} 字节。"
    en = "The body is too large; the limit is {limit_bytes} bytes."


class RequestRefused(MallError):
    """Any other refusal of the HTTP layer; ``status`` is that of the answer."""

    code = "request.refused"
    zh = "请求无法处理。"
    en = "The request cannot be processed."


class Defect(MallError):
    """500: something is wrong with the mall. The log has the cause under the request id."""

    code = "mall.defect"
    status = 500
    zh = "系统出错了,请稍后再试。如需帮助请提供请求编号。"
    en = "Something went wrong on our side. Quote the request id when you ask for help."


class DatabaseAway(Unavailable):
    """503: the database cannot be reached for the moment."""

    code = "mall.database_away"
    zh = "系统繁忙,请稍后再试。"
    en = "The mall is busy; try again shortly."
