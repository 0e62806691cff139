"""What is known of the call that is being served, for audit rows and logs; empty outside of one."""

from __future__ import annotations

from contextvars import ContextVar

import msgspec

from core.kernel.i18n import DEFAULT_LANG, Lang


class RequestInfo(msgspec.Struct, frozen=True, kw_only=True):
    request_id: str = ""
    ip: str = ""
    lang: Lang = DEFAULT_LANG


current: ContextVar[RequestInfo] = ContextVar("mall_request", default=RequestInfo())  # noqa: B039 - frozen
