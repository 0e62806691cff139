"""Why the mall refuses something about members and their sign-in."""

from __future__ import annotations

from core.kernel.errors import Conflict, Invalid, MallError, NotFound, Unavailable


class MemberSessionInvalid(MallError):
    """The same refusal as the web layer's: the token is unknown, revoked or too old."""

    code = "auth.expired"
    status = 401
    zh = "登录已失效,请重新登录。"
    en = "The session is over; sign in again."


class LoginCodeWrong(MallError):
    """Wrong code, no code, an expired or a used one, and an unknown phone look the same."""

    code = "auth.code_wrong"
    status = 401
    zh = "验证码不正确或已失效,请核对或重新获取。"
    en = "The code is wrong or no longer valid; check it or ask for a new one."


class LoginCodeNotSent(Unavailable):
    code = "auth.code_not_sent"
    zh = "验证码发送失败,请稍后再试。"
    en = "The code could not be sent; try again shortly."


class ConsoleChannelInProduction(Unavailable):
    """The console shows codes to whoever reads the log: production needs a real channel."""

    code = "auth.console_channel_refused"
    retry_after_s = 3600
    zh = "正式环境不能使用控制台通道,请配置短信通道(MALL_NOTIFICATION_CHANNEL)。"
    en = "The console channel is refused in production; set MALL_NOTIFICATION_CHANNEL to a real one."


class CredentialsMissing(Invalid):
    code = "auth.credentials_missing"
    zh = "缺少登录信息:{missing}。"
    en = "The sign-in lacks: {missing}."


class PhoneInvalid(Invalid):
    code = "members.phone_invalid"
    zh = "手机号码无效。"
    en = "This is not a valid phone number."


class MemberBlocked(MallError):
    code = "members.blocked"
    status = 403
    zh = "您的账号已被停用,请联系客服。"
    en = "Your account is blocked; please contact us."


class MemberNotFound(NotFound):
    code = "members.not_found"
    zh = "没有这位会员。"
    en = "There is no such member."


class AddressNotFound(NotFound):
    code = "members.address_not_found"
    zh = "没有这个地址。"
    en = "There is no such address."


class TooManyAddresses(Conflict):
    code = "members.too_many_addresses"
    zh = "最多保存 {limit} 个地址,请先删除一个。"
    en = "At most {limit} addresses are kept; delete one first."


class MemberSessionNotFound(NotFound):
    code = "members.session_not_found"
    zh = "没有这个登录会话。"
    en = "There is no such session."


class BirthdayInvalid(Invalid):
    code = "members.birthday_invalid"
    zh = "生日不能在未来,也不能早于 1900 年。"
    en = "A birthday is neither in the future nor before 1900."
