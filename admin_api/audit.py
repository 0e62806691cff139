"""The audit trail: every change that staff or the command line made. There is no operation that changes it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter

from core.kernel.mall import Mall
from core.staff import service
from core.staff.service import AuditFilter
from core.staff.types import AuditView, StaffSessionView
from core.web import Page, Paged, paged


@get(
    "/audit", operation_id="list_audit", tags=["audit"], summary="Changes, newest first",
    opt={"permission": "audit.read"},
    description="Whoever works for some stores sees what happened in those; mall-wide changes need all stores.",
)  # fmt: skip
async def list_audit(
    mall: Mall,
    staff: StaffSessionView,
    page: Page,
    actor_kind: Annotated[str | None, Parameter(max_length=16, description="staff, system, job, plugin")] = None,
    actor_id: Annotated[int | None, Parameter(ge=1, le=2**63 - 1)] = None,
    action: Annotated[str | None, Parameter(max_length=64, description="`product.update`, or `product.*`")] = None,
    subject_kind: Annotated[str | None, Parameter(max_length=32)] = None,
    subject_id: Annotated[str | None, Parameter(max_length=64)] = None,
    store_id: Annotated[int | None, Parameter(ge=1, le=2**63 - 1)] = None,
    since: Annotated[datetime | None, Parameter(description="From this moment on; without a zone it is UTC.")] = None,
    until: Annotated[datetime | None, Parameter(description="Before this moment; without a zone it is UTC.")] = None,
) -> Paged[AuditView]:
    wanted = AuditFilter(
        actor_kind=actor_kind, actor_id=actor_id, action=action, subject_kind=subject_kind, subject_id=subject_id,
        store_id=store_id, since=_aware(since), until=_aware(until),
    )  # fmt: skip
    after = page.after(tuple[int])
    found = await service.list_audit(
        mall, wanted, scope=staff.scope(), before_id=after[0] if after else None, limit=page.limit + 1
    )
    return paged(found, page.limit, lambda entry: (entry.id,))


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


handlers: list[HTTPRouteHandler] = [list_audit]
