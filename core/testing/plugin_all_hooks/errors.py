"""What the test plugin refuses."""

from __future__ import annotations

from core.sdk import Conflict, Invalid


class SignatureWrong(Invalid):
    code = "all_hooks.signature_wrong"
    status = 401
    zh = "签名不正确。"
    en = "The signature is wrong."


class CredentialsUnknown(Invalid):
    code = "all_hooks.credentials_unknown"
    zh = "无法识别的凭证。"
    en = "These credentials are not known."


class NoRoom(Conflict):
    code = "all_hooks.no_room"
    zh = "已没有名额。"
    en = "There is no room left."
