"""Phone numbers in one form: E.164, read as Chinese where no country is given."""

from __future__ import annotations

from core.members.errors import PhoneInvalid

_REGION = "CN"


def normal_phone(text: str, *, takes_messages: bool = False) -> str:
    """Return ``text`` as E.164 (``13800138000`` is ``+8613800138000``); raises ``PhoneInvalid``.

    With ``takes_messages`` a number that cannot get an SMS (a land line) is refused too.
    """
    import phonenumbers  # noqa: PLC0415 - it brings the world's numbering plans: loaded with the first phone, not at start
    from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType  # noqa: PLC0415

    try:
        number = phonenumbers.parse(text[:40], _REGION)
    except NumberParseException:
        raise PhoneInvalid from None
    if not phonenumbers.is_valid_number(number):
        raise PhoneInvalid
    if takes_messages and phonenumbers.number_type(number) not in (
        PhoneNumberType.MOBILE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
    ):
        raise PhoneInvalid
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)
