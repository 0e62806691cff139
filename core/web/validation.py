"""Say what is wrong with every field of a request: path, sentence, code. msgspec itself stops at the first one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, cast, get_args, get_origin

import msgspec
from litestar import Request
from litestar.datastructures import State
from litestar.exceptions import SerializationException

from core.kernel.errors import Problem
from core.kernel.i18n import Text
from core.web.errors import RequestUnreadable

MAX_PROBLEMS = 50

# msgspec's sentence -> (code, the sentence in Chinese). The English sentence is msgspec's own, after the field's path.
_SENTENCES: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern), code, zh)
    for pattern, code, zh in (
        (r"Object missing required field `(?P<a>.+?)`", "field.missing", "缺少字段 {a}"),
        (r"Object contains unknown field `(?P<a>.+?)`", "field.unknown", "不认识的字段 {a}"),
        (r"Missing required .*parameter", "field.missing", "缺少此参数"),
        (r"Expected `(?:str|array|object|bytes)` of length (?P<a>.+)", "field.length", "长度应 {a}"),
        (r"Expected `.+?` matching regex", "field.format", "格式不正确"),
        (r"Expected `(?:int|float|decimal)` (?P<a>(?:>=|<=|>|<).+)", "field.range", "数值应 {a}"),
        (r"Expected `.+?` that's a multiple of (?P<a>.+)", "field.range", "应为 {a} 的倍数"),
        (r"Expected `(?P<a>.+?)`, got `(?P<b>.+?)`", "field.type", "类型应为 {a}, 收到的是 {b}"),
        (r"Invalid enum value (?P<a>.+)", "field.choice", "不支持的取值 {a}"),
        (r"Invalid (?P<a>RFC3339|datetime|date|time|UUID|base64).*", "field.format", "{a} 格式不正确"),
        (r"Integer value out of range", "field.range", "数值超出范围"),
    )
)


class MallRequest(Request[Any, Any, State]):
    """Litestar's request; a body that cannot be decoded is the caller's fault, however the decoder fails on it."""

    async def json(self) -> Any:
        try:
            return await super().json()
        except (SerializationException, UnicodeDecodeError, RecursionError) as exc:
            raise RequestUnreadable from exc


def problem(path: str, message: str) -> Problem:
    """Make the problem of one field from msgspec's sentence; ``path`` is dotted, empty for the whole body."""
    message = message.split(" - at `", 1)[0]
    code, zh = "field.invalid", "取值无效"
    for pattern, known, template in _SENTENCES:
        if found := pattern.match(message):
            code, zh = known, template.format(**found.groupdict())
            if code in ("field.missing", "field.unknown") and "a" in found.groupdict():
                path = f"{path}.{found['a']}" if path else found["a"]
            break
    where = path or "body"
    return Problem(code=code, message=Text(f"{where}:{zh}", f"{where}: {message}"), details={"field": path})


def body_problems(
    value: object, wanted: Any, *, path: str = "", dec_hook: Callable[..., Any] | None = None
) -> list[Problem]:
    """Return a problem for every field of ``value`` that does not fit ``wanted``; empty when all fit."""
    found: list[Problem] = []
    for one in _walk(value, wanted, path, dec_hook):
        found.append(one)
        if len(found) == MAX_PROBLEMS:
            break
    return found


def _walk(value: object, wanted: Any, path: str, dec_hook: Callable[..., Any] | None) -> Iterator[Problem]:
    try:
        msgspec.convert(value, wanted, strict=False, str_keys=True, dec_hook=dec_hook)
    except msgspec.ValidationError as exc:
        inner = list(_inside(value, wanted, path, dec_hook))
        if inner:
            yield from inner
        else:
            at = str(exc).partition(" - at `$")[2].rstrip("`").lstrip(".")
            yield problem(".".join(p for p in (path, at) if p), str(exc))


def _inside(value: object, wanted: Any, path: str, dec_hook: Callable[..., Any] | None) -> Iterator[Problem]:
    while get_origin(wanted) is Annotated:
        wanted = get_args(wanted)[0]
    struct = get_origin(wanted) or wanted
    if isinstance(value, dict) and isinstance(struct, type) and issubclass(struct, msgspec.Struct):
        yield from _fields(cast("dict[str, object]", value), wanted, path, dec_hook)
    elif isinstance(value, list) and get_origin(wanted) in (list, tuple, set, frozenset):
        item_type = (get_args(wanted) or (Any,))[0]
        for index, element in enumerate(cast("list[object]", value)):
            yield from _walk(element, item_type, f"{path}.{index}" if path else str(index), dec_hook)


def _fields(value: dict[str, object], wanted: Any, path: str, dec_hook: Callable[..., Any] | None) -> Iterator[Problem]:
    known = {f.encode_name: f for f in msgspec.structs.fields(wanted)}
    for name, item in known.items():
        if name in value:
            yield from _walk(value[name], item.type, f"{path}.{name}" if path else name, dec_hook)
        elif item.required:
            yield problem(path, f"Object missing required field `{name}`")
    if (get_origin(wanted) or wanted).__struct_config__.forbid_unknown_fields:
        for name in value:
            if name not in known:
                yield problem(path, f"Object contains unknown field `{name}`")
