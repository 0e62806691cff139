"""The two OpenAPI 3.1 documents, made from the same handlers that serve.

Litestar makes one document per application, so each face gets an application that serves nothing, made when somebody
asks for the document. What every operation can answer is added here, so that handlers list only their own refusals.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast, get_origin

import msgspec
from litestar import Router, get
from litestar._openapi.schema_generation.plugins.struct import StructSchemaPlugin  # has no public name
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme, Server
from litestar.routes import HTTPRoute

from core.kernel.errors import MallError
from core.members.errors import MemberSessionInvalid
from core.staff.errors import StaffSessionInvalid
from core.web import errors, mounts
from core.web.lean import LeanLitestar
from core.web.problems import MEDIA_TYPE, ProblemDocument, describe, example

if TYPE_CHECKING:
    from litestar._openapi.schema_generation import SchemaCreator
    from litestar.openapi.spec import Schema
    from litestar.typing import FieldDefinition

    from core.kernel.mall import Mall

VERSION = "1.0.0"
_REF = "#/components/schemas/"
_SECURITY = {"storefront": "memberSession", "admin": "staffSession"}
_SESSION_OVER: dict[str, type[MallError]] = {"memberSession": MemberSessionInvalid, "staffSession": StaffSessionInvalid}
_TITLE = {"storefront": "Storefront API", "admin": "Admin API"}
_ABOUT = {
    "storefront": "What shoppers' apps call. Reading the catalog needs no sign-in; everything else needs the token "
    "that signing in returned.",
    "admin": "What staff and their tools call. Every operation names the permission that it needs; what belongs to a "
    "store is limited to the stores of the caller.",
}
_COMMON = """

JSON in UTF-8, snake_case. Money is an integer number of fen (`*_fen`), times are RFC 3339 in UTC. Lists take `limit`
and `cursor` and answer `next_cursor`. Creating writes take the header `Idempotency-Key`. Errors are
`application/problem+json` (RFC 9457) with a stable `code`; `Accept-Language` chooses `zh-CN` (default) or `en`. Every
answer carries `X-Request-Id`. Fields may be added in any release: ignore what you do not know."""


def build(mall: Mall, face: str, routers: Sequence[Router]) -> dict[str, Any]:
    """Make the document of ``face`` ("storefront" or "admin") from its routers."""
    scheme = _SECURITY[face]
    app = LeanLitestar(
        route_handlers=[*routers, _catalogue],
        dependencies=mounts.DEPENDENCIES,
        signature_namespace=mounts.NAMESPACE,
        plugins=[_Described()],
        logging_config=None,
        openapi_config=OpenAPIConfig(
            title=f"{mall.settings.mall_name} {_TITLE[face]}",
            version=VERSION,
            description=_ABOUT[face] + _COMMON,
            servers=[Server(url=mall.settings.base_url)],
            components=Components(
                security_schemes={
                    scheme: SecurityScheme(type="http", scheme="bearer", description="`Authorization: Bearer <token>`")
                }
            ),
            use_handler_docstrings=True,
        ),
    )
    document = app.openapi_schema.to_schema()
    document["paths"].pop(_CATALOGUE_PATH, None)
    for route in app.routes:
        if isinstance(route, HTTPRoute) and route.path_format in document["paths"]:
            for handler in route.route_handlers:
                for method in handler.http_methods:
                    operation = document["paths"][route.path_format].get(method.lower())
                    if operation is not None:
                        _complete(operation, handler, scheme, route.path_format)
    document = _named(document)
    tags = {t for path in document["paths"].values() for op in path.values() for t in op.get("tags", ())}
    document["tags"] = [{"name": tag} for tag in sorted(tags)]
    return document


class _Described(StructSchemaPlugin):
    """Litestar's schema of a struct, with the struct's docstring as its description."""

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: SchemaCreator) -> Schema:
        schema = super().to_openapi_schema(field_definition, schema_creator)
        kind = get_origin(field_definition.annotation) or field_definition.annotation
        if kind.__doc__ and kind.__doc__ != msgspec.Struct.__doc__:
            schema.description = inspect.cleandoc(kind.__doc__).replace("``", "`")
        if kind.__struct_config__.forbid_unknown_fields:
            schema.additional_properties = False
        return schema


_CATALOGUE_PATH = "/problem-document"


@get(_CATALOGUE_PATH, sync_to_thread=False)
def _catalogue() -> ProblemDocument:
    """Never served: it brings the problem document in among the components."""
    raise NotImplementedError


def _complete(operation: dict[str, Any], handler: HTTPRouteHandler, scheme: str, path: str) -> None:
    """Add what the mounts know of this operation: who may call it, and every refusal that is not its own."""
    refusals: list[type[MallError]] = []
    parameters = {p["name"]: p for p in operation.get("parameters", ())}
    if operation.get("parameters") or "requestBody" in operation:
        refusals.append(errors.RequestInvalid)
    if "requestBody" in operation:
        refusals += [errors.RequestUnreadable, errors.TooLarge]
    if "cursor" in parameters:
        refusals.append(errors.BadCursor)
    if "Idempotency-Key" in parameters:
        refusals.append(errors.KeyRequired)
        key = parameters["Idempotency-Key"]
        key["required"] = True
        key["schema"] = {"type": "string", "minLength": 8, "maxLength": 64, "examples": ["order-7f3a2c91"]}
    opt = handler.opt
    if opt.get("cached"):
        success = operation["responses"]["200"]
        success.setdefault("headers", {})["ETag"] = {
            "schema": {"type": "string"},
            "description": "For `If-None-Match`.",
        }
        operation["responses"]["304"] = {"description": "What you have (`If-None-Match`) is up to date."}
    if opt.get("public"):
        operation["security"] = []
    else:
        operation["security"] = [{scheme: []}]
        refusals += [errors.AuthRequired, _SESSION_OVER[scheme]]
    if permission := opt.get("permission"):
        refusals.append(errors.Forbidden)
        operation["description"] = f"{operation.get('description', '')}\n\nPermission: `{permission}`.".strip()
        operation["x-permission"] = permission
    if opt.get("all_stores"):
        refusals.append(errors.AllStoresNeeded)
    if "/v1/x/" in path:
        refusals.append(errors.PluginDisabled)
    refusals += [errors.Defect, errors.DatabaseAway]
    _add(operation["responses"], refusals)


def _add(responses: dict[str, Any], refusals: Iterable[type[MallError]]) -> None:
    """Put refusals among the responses; those of the handler itself stay first."""
    for response in responses.values():
        for shown in response.get("content", {}).values():
            if "examples" in shown:  # Litestar numbers examples; ours carry their code
                shown["examples"] = {e.pop("id", name): e for name, e in shown["examples"].items()}
    for refusal in refusals:
        key = str(refusal.status)
        known: dict[str, Any] = responses.get(key, {})
        if not known or MEDIA_TYPE not in known.get("content", {}):
            # Litestar's own sketch of a validation error is not what the mall answers.
            content: dict[str, Any] = {MEDIA_TYPE: {"schema": {"$ref": f"{_REF}ProblemDocument"}}}
            known = responses[key] = {"description": "", "content": content}
        examples: dict[str, Any] = known["content"][MEDIA_TYPE].setdefault("examples", {})
        if refusal.code not in examples:
            known["description"] = f"{known['description']}\n{describe(refusal)}".strip()
            examples[refusal.code] = {"summary": refusal.en, "value": example(refusal)}


def _named(document: dict[str, Any]) -> dict[str, Any]:
    """Give generic components names that a client generator can use: ``Paged_core.stores.types.StoreView_`` is
    ``PagedStoreView``.
    """
    schemas: dict[str, Any] = document["components"]["schemas"]
    names = {old: _name(old) for old in schemas if not old.isidentifier() or old.endswith("_")}
    clashes = set(names.values()) & set(schemas)
    if clashes or len(set(names.values())) != len(names):
        raise ValueError(f"two components would have one name: {sorted(clashes) or names}")
    text = msgspec.json.encode(document, enc_hook=str)
    for old, new in names.items():
        text = text.replace(f'"{_REF}{old}"'.encode(), f'"{_REF}{new}"'.encode())
    renamed: dict[str, Any] = _whole(msgspec.json.decode(text))
    found = renamed["components"]["schemas"]
    renamed["components"]["schemas"] = {names.get(name, name): found[name] for name in found}
    return renamed


def _whole(value: Any) -> Any:
    """Write bounds of integers as integers, and the items of a list as what they are.

    Litestar makes floats of the bounds, and ``oneOf: [X, anything]`` of the items of a ``tuple[X, ...]``.
    """
    if isinstance(value, dict):
        value = _plain_items(cast("dict[str, Any]", value))
        found: dict[str, Any] = {k: _whole(v) for k, v in value.items()}
        if found.get("type") == "integer":
            for bound in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"):
                if isinstance(found.get(bound), float):
                    found[bound] = int(found[bound])
        return found
    if isinstance(value, list):
        return [_whole(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return value


def _plain_items(schema: dict[str, Any]) -> dict[str, Any]:
    """Take "anything" out of the alternatives of a list's items."""
    items = cast("dict[str, Any]", schema.get("items")) if isinstance(schema.get("items"), dict) else {}
    kept: list[Any] = [one for one in items.get("oneOf", ()) if one != {}]
    return {**schema, "items": kept[0]} if len(kept) == 1 else schema


def _name(generic: str) -> str:
    head, _, inside = generic.rstrip("_").partition("_")
    return head + "".join(word[:1].upper() + word[1:] for word in inside.rpartition(".")[2].split("_"))
