"""How the mall logs: one line an event on standard error, JSON in production, plain text for people otherwise."""

from __future__ import annotations

import logging
import sys
from typing import Any

import msgspec
import structlog

from core.kernel import request


def configure(level: str = "INFO", *, as_json: bool) -> None:
    """Set up structlog for this process. Called once at its start, by ``create_app`` and by the command line."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        add_request,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if as_json:
        shared += [structlog.processors.format_exc_info, structlog.processors.EventRenamer("message"), _to_json]
    else:
        shared += [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    structlog.configure(
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
        ),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer)
        if as_json
        else structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def add_request(_logger: Any, _method: str, event: Any) -> Any:
    """Give every line that is written while a request is served the request's id."""
    info = request.current.get()
    if info.request_id:
        event.setdefault("request_id", info.request_id)
    return event


def _to_json(_logger: Any, _method: str, event: Any) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)
