"""The Litestar toolkit of both faces and of plugins: auth, problems, lists, idempotency, cached answers, mounts."""

from core.web.auth import need_scope
from core.web.caching import cached_response, encode
from core.web.context import current_lang
from core.web.errors import AuthRequired, BadCursor, Forbidden, KeyRequired, OutOfScope
from core.web.idempotency import RequestKey
from core.web.mounts import UPLOAD_LIMIT
from core.web.pagination import Page, Paged, decode_cursor, encode_cursor, paged
from core.web.problems import ProblemDocument, problems

__all__ = [
    "UPLOAD_LIMIT",
    "AuthRequired",
    "BadCursor",
    "Forbidden",
    "KeyRequired",
    "OutOfScope",
    "Page",
    "Paged",
    "ProblemDocument",
    "RequestKey",
    "cached_response",
    "current_lang",
    "decode_cursor",
    "encode",
    "encode_cursor",
    "need_scope",
    "paged",
    "problems",
]
