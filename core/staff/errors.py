"""Why the mall refuses something about staff, roles and their sign-in."""

from __future__ import annotations

from core.kernel.errors import Conflict, Invalid, MallError, NotFound


class StaffSignInFailed(MallError):
    """Wrong password, unknown login and disabled account look the same."""

    code = "auth.login_failed"
    status = 401
    zh = "账号或密码不正确。"
    en = "The login or the password is not right."


class StaffSessionInvalid(MallError):
    """The same refusal as the web layer's: the token is unknown, revoked or too old."""

    code = "auth.expired"
    status = 401
    zh = "登录已失效,请重新登录。"
    en = "The session is over; sign in again."


class StaffNotFound(NotFound):
    code = "staff.not_found"
    zh = "没有这位员工。"
    en = "There is no such staff member."


class RoleNotFound(NotFound):
    code = "staff.role_not_found"
    zh = "没有这个角色:{role}。"
    en = "There is no such role: {role}."


class StaffStoreNotFound(NotFound):
    code = "staff.store_not_found"
    zh = "没有这些门店:{stores}。"
    en = "There are no such stores: {stores}."


class LoginTaken(Conflict):
    code = "staff.login_taken"
    zh = "登录名“{login}”已被使用。"
    en = "The login “{login}” is taken."


class RoleCodeTaken(Conflict):
    code = "staff.role_code_taken"
    zh = "角色代码“{role}”已被使用。"
    en = "The role code “{role}” is taken."


class RoleInUse(Conflict):
    code = "staff.role_in_use"
    zh = "角色“{role}”仍有员工使用,请先收回。"
    en = "The role “{role}” is still held by staff; take it from them first."


class LastOwner(Conflict):
    code = "staff.last_owner"
    zh = "这是最后一位所有者,不能移除;请先指定另一位。"
    en = "This would remove the last owner; name another one first."


class NotYoursToGrant(MallError):
    """A person can neither give what they lack, nor change someone who has more than they."""

    code = "staff.not_yours_to_grant"
    status = 403
    zh = "这超出了您自己的权限范围:{missing}。"
    en = "This is beyond your own rights: {missing}."


class PasswordTooWeak(Invalid):
    code = "staff.password_too_weak"
    zh = "密码至少需要 {least} 个字符,且不能与登录名相同。"
    en = "A password has at least {least} characters and is not the login."


class PasswordWrong(Invalid):
    code = "staff.password_wrong"
    zh = "当前密码不正确。"
    en = "The present password is not right."


class LoginInvalid(Invalid):
    code = "staff.login_invalid"
    zh = "登录名只能由 3 到 64 个小写字母、数字、点、横线或下划线组成。"
    en = "A login is 3 to 64 lower-case letters, digits, dots, dashes or underscores."
