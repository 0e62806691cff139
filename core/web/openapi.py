"""The two OpenAPI 3.1 documents, made from the same handlers that serve.

Litestar makes one document per application, so each face gets an application that serves nothing, made when somebody
asks for the document. What every operation can answer is added here, so that handlers list only their own refusals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from litestar import Litestar, Router, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme, Server
from litestar.routes import HTTPRoute

from core.kernel.errors import MallError
from core.members.errors import MemberSessionInvalid
from core.staff.errors import StaffSessionInvalid
from core.web import errors, mounts
from core.web.problems import MEDIA_TYPE, ProblemDocument, describe, example

if TYPE_CHECKING:
    from core.kernel.mall import Mall

VERSION = "1.0.0"
_SECURITY = {"storefront": "memberSession", "admin": "staffSession"}
_SESSION_OVER: dict[str, type[MallError]] = {"memberSession": MemberSessionInvalid, "staffSession": StaffSessionInvalid}
_TITLE = {"storefront": "Storefront API", "admin": "Admin API"}
_ABOUT = {
    "storefront": "What shoppers' apps call. Reading the catalog needs no sign-in; everything else needs the token that "
    "signing in returned.",
    "admin": "What staff and their tools call. Every operation names the permission that it needs; what belongs to a store "
    "is limited to the stores of the caller.",
}
_COMMON = """

JSON in UTF-8, snake_case. Money is an integer number of fen (`*_fen`), times are RFC 3339 in UTC. Lists take `limit` and
`cursor` and answer `next_cursor`. Creating writes take the header `Idempotency-Key`. Errors are
`application/problem+json` (RFC 9457) with a stable `code`; `Accept-Language` chooses `zh-CN` (default) or `en`. Every
answer carries `X-Request-Id`. Fields may be added in any release: ignore what you do not know."""


def build(mall: Mall, face: str, routers: Sequence[Router]) -> dict[str, Any]:
    """Make the document of ``face`` ("storefront" or "admin") from its routers."""
    scheme = _SECURITY[face]
    app = Litestar(
        route_handlers=[*routers, _catalogue],
        dependencies=mounts.DEPENDENCIES,
        signature_namespace=mounts.NAMESPACE,
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
    tags = {t for path in document["paths"].values() for op in path.values() for t in op.get("tags", ())}
    document["tags"] = [{"name": tag} for tag in sorted(tags)]
    return document


_CATALOGUE_PATH = "/problem-document"


@get(_CATALOGUE_PATH, sync_to_thread=False)
def _catalogue() -> ProblemDocument:
    """Never served: it brings the problem document in among the components."""
    raise NotImplementedError


def _complete(operation: dict[str, Any], handler: HTTPRouteHandler, scheme: str, path: str) -> None:
    """Add what the mounts know of this operation: who may call it, and every refusal that is not its own."""
    refusals: list[type[MallError]] = []
    parameters = {p["name"] for p in operation.get("parameters", ())}
    if operation.get("parameters") or "requestBody" in operation:
        refusals.append(errors.RequestInvalid)
    if "requestBody" in operation:
        refusals += [errors.RequestUnreadable, errors.TooLarge]
    if "cursor" in parameters:
        refusals.append(errors.BadCursor)
    if "Idempotency-Key" in parameters:
        refusals.append(errors.KeyRequired)
    opt = handler.opt
    if opt.get("public"):
        operation["security"] = []
    else:
        operation["security"] = [{scheme: []}]
        refusals += [errors.AuthRequired, _SESSION_OVER[scheme]]
    if permission := opt.get("permission"):
        refusals.append(errors.Forbidden)
        operation["description"] = f"{operation.get('description', '')}\n\nPermission: `{permission}`.".strip()
        operation["x-permission"] = permission
    if "/v1/x/" in path:
        refusals.append(errors.PluginDisabled)
    refusals += [errors.Defect, errors.DatabaseAway]
    _add(operation["responses"], refusals)


def _add(responses: dict[str, Any], refusals: Iterable[type[MallError]]) -> None:
    """Put refusals among the responses; those of the handler itself stay first."""
    for refusal in refusals:
        key = str(refusal.status)
        known = responses.get(key)
        if known is None or MEDIA_TYPE not in known.get("content", {}):
            known = responses[key] = {  # Litestar's own sketch of a validation error is not what the mall answers
                "description": "",
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}, "examples": {}}},
            }
        examples = known["content"][MEDIA_TYPE].setdefault("examples", {})
        if refusal.code not in examples:
            known["description"] = f"{known['description']}\n{describe(refusal)}".strip()
            examples[refusal.code] = {"summary": refusal.en, "value": example(refusal)}
