"""Refusals as ``application/problem+json`` (RFC 9457), in the caller's language, with nothing secret in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from litestar.status_codes import (
    HTTP_400_BAD_REQUEST,
    HTTP_401_UNAUTHORIZED,
    HTTP_413_REQUEST_ENTITY_TOO_LARGE,
    HTTP_500_INTERNAL_SERVER_ERROR,
)
from litestar.utils.scope.state import ScopeState

from core.kernel import request as request_info
from core.kernel.errors import MallError, Problem
from core.kernel.i18n import Lang
from core.web import errors, validation

MEDIA_TYPE = "application/problem+json"
log = structlog.get_logger("mall.web")

_DATABASE_AWAY: tuple[type[BaseException], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.QueryCanceledError,
    ConnectionError,
    TimeoutError,
)


class ProblemItem(msgspec.Struct, frozen=True, kw_only=True):
    """One reason among several: a stable code, a sentence, and facts that a client can use."""

    code: str
    message: str
    details: dict[str, Any] = {}


class ProblemDocument(msgspec.Struct, frozen=True, kw_only=True):
    """An error answer (RFC 9457). ``code`` is stable; ``detail`` is a sentence for people in the caller's language."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    problems: list[ProblemItem] = []
    details: dict[str, Any] = {}


def document(error: MallError, *, lang: Lang, request_id: str = "", status: int | None = None) -> ProblemDocument:
    """Write ``error`` down for a caller. The title is the same for every occurrence (RFC 9457, 3.1.3)."""
    return ProblemDocument(
        type=f"urn:mall:{error.code}",
        title=error.code.replace(".", " ").replace("_", " "),
        status=status or error.status,
        detail=error.sentence(lang),
        code=error.code,
        request_id=request_id,
        problems=[_item(p, lang) for p in error.problems],
        details=error.details,
    )


def _item(problem: Problem, lang: Lang) -> ProblemItem:
    return ProblemItem(code=problem.code, message=problem.message.pick(lang), details=problem.details)


def answer(error: MallError, *, status: int | None = None, headers: dict[str, str] | None = None) -> Response[bytes]:
    """Return ``error`` as a response, in the language and under the id of the running request."""
    info = request_info.current.get()
    written = document(error, lang=info.lang, request_id=info.request_id, status=status)
    sent = {"Cache-Control": "no-store", "Content-Language": info.lang, **(headers or {})}
    if error.retry_after_s is not None:
        sent["Retry-After"] = str(error.retry_after_s)
    if written.status == HTTP_401_UNAUTHORIZED:
        sent["WWW-Authenticate"] = "Bearer"
    return Response(
        content=msgspec.json.encode(written, enc_hook=str),
        status_code=written.status,
        media_type=MEDIA_TYPE,
        headers=sent,
    )


def on_exception(request: Request[Any, Any, Any], exc: Exception) -> Response[bytes]:
    """Answer any exception: the one handler of the app."""
    if isinstance(exc, MallError):
        if exc.status >= HTTP_500_INTERNAL_SERVER_ERROR:
            log.warning("unavailable", code=exc.code, path=request.scope["path"])
        return answer(exc)
    if isinstance(exc, HTTPException) and exc.status_code < HTTP_500_INTERNAL_SERVER_ERROR:
        return _http(request, exc)
    if is_database_away(exc):
        log.error("database away", path=request.scope["path"], error=repr(exc)[:300])
        return answer(errors.DatabaseAway())
    if isinstance(exc, asyncpg.DataError):
        # What no column can hold: an id beyond 2^63, a NUL in a text. The statement was refused, nothing was written.
        log.info("unusable value", path=ascii(request.scope["path"]), reason=ascii(str(exc)[:200]))
        return answer(errors.RequestInvalid(problems=[errors.ValueUnusable().as_problem()]))
    log.error("defect", method=request.method, path=request.scope["path"], exc_info=exc)
    return answer(errors.Defect())


def is_database_away(exc: BaseException) -> bool:
    """Say whether ``exc`` means that the database cannot be reached or has no connection free: worth trying again."""
    if isinstance(exc, FileNotFoundError):  # a unix socket that is gone; files of the mall's own are none of a request
        return _from_asyncpg(exc)
    return isinstance(exc, _DATABASE_AWAY) or (isinstance(exc, asyncpg.InterfaceError) and "clos" in str(exc))


def _from_asyncpg(exc: BaseException) -> bool:
    """Say whether an exception was raised while asyncpg connected."""
    frame = exc.__traceback__
    while frame is not None:
        if frame.tb_frame.f_globals.get("__name__", "").startswith("asyncpg."):
            return True
        frame = frame.tb_next
    return False


def _http(request: Request[Any, Any, Any], exc: HTTPException) -> Response[bytes]:
    if isinstance(exc, MethodNotAllowedException):
        error = errors.MethodNotAllowed(method=request.scope["method"])
        return answer(error, headers={"Allow": ", ".join(_allowed(request))})
    if isinstance(exc, NotFoundException):
        return answer(errors.NoRoute(path=request.scope["path"][:200]))
    if exc.status_code == HTTP_413_REQUEST_ENTITY_TOO_LARGE:
        return answer(errors.TooLarge(limit_bytes=request.route_handler.resolve_request_max_body_size()))
    if exc.status_code == HTTP_400_BAD_REQUEST:
        return answer(errors.RequestInvalid(problems=_field_problems(request, exc)))
    return answer(errors.RequestRefused(), status=exc.status_code, headers=exc.headers)


def _allowed(request: Request[Any, Any, Any]) -> list[str]:
    found: list[str] = []
    for method in ("DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT"):
        try:
            request.app.asgi_router.handle_routing(path=request.scope["path"], method=method)
        except HTTPException:
            continue
        found.append(method)
    return found


def _field_problems(request: Request[Any, Any, Any], exc: HTTPException) -> Sequence[Problem]:
    reasons: list[Any] = exc.extra if isinstance(exc.extra, list) else []
    found: list[Problem] = []
    for reason in reasons:
        if reason.get("source") == "body":
            found += _body(request) or [
                validation.problem(_body_path(reason.get("key", "")), reason.get("message", ""))
            ]
        else:
            found.append(validation.problem(reason.get("key", ""), reason.get("message", "")))
    return found or [validation.problem("", exc.detail)]


def _body_path(key: str) -> str:
    return "" if key == "data" else key


def _body(request: Request[Any, Any, Any]) -> list[Problem]:
    """Look at the whole body again: msgspec named only its first fault."""
    raw = ScopeState.from_scope(request.scope).body
    handler: Any = request.scope["route_handler"]
    wanted = handler.parsed_fn_signature.parameters.get("data")
    if not isinstance(raw, bytes) or wanted is None:
        return []
    try:
        value = msgspec.json.decode(raw or b"null")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []  # a form: Litestar's own sentence stays
    return validation.body_problems(value, wanted.raw, dec_hook=handler.default_deserializer)


@dataclass
class _Refusals(ResponseSpec):
    """A response that does not change: Litestar copies handlers deeply at the start, and examples are many."""

    def __deepcopy__(self, _memo: dict[int, Any]) -> _Refusals:
        return self


def problems(*refusals: type[MallError]) -> dict[int, ResponseSpec]:
    """Return ``responses=`` of a handler: every refusal that it can give, by status, each with an example.

    What every operation may answer (401, 403, 500, 503, an invalid body) is added to the document by ``openapi``.
    """
    by_status: dict[int, list[type[MallError]]] = {}
    for refusal in refusals:
        by_status.setdefault(refusal.status, []).append(refusal)
    return {
        status: _Refusals(
            data_container=ProblemDocument,
            generate_examples=False,
            media_type=MEDIA_TYPE,
            description="\n".join(describe(refusal) for refusal in group),
            examples=[Example(id=refusal.code, summary=refusal.en, value=example(refusal)) for refusal in group],
        )
        for status, group in by_status.items()
    }


def describe(refusal: type[MallError]) -> str:
    return f"- `{refusal.code}` {refusal.zh} / {refusal.en}"


def example(refusal: type[MallError]) -> dict[str, Any]:
    """Return an example of one refusal as it is sent; braces of its sentence stay open where a fact would stand."""
    shown = ProblemDocument(
        type=f"urn:mall:{refusal.code}",
        title=refusal.code.replace(".", " ").replace("_", " "),
        status=refusal.status,
        detail=refusal.zh,
        code=refusal.code,
        request_id="0198c0c4e1b27d3a",
    )
    return msgspec.to_builtins(shown)
