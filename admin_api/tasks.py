"""Tasks that the mall puts in front of people: a payment without an order, another amount, a second payment."""

from __future__ import annotations

from typing import Annotated, Literal

from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from msgspec import Meta, Struct

from core.kernel.mall import Mall
from core.payments import tasks
from core.payments.errors import TaskNotOpen
from core.payments.tasks import StaffTaskView
from core.staff.types import StaffSessionView
from core.web import Page, Paged, paged, problems


class Done(Struct, frozen=True, forbid_unknown_fields=True):
    note: Annotated[str, Meta(min_length=2, max_length=500, description="What was done.", examples=["已线下退款"])]


@get(
    "/tasks",
    operation_id="list_tasks",
    tags=["tasks"],
    summary="Staff tasks, newest first",
    opt={"permission": "tasks.read"},
)
async def list_tasks(
    mall: Mall, staff: StaffSessionView, page: Page, task_state: Literal["open", "done"] | None = None
) -> Paged[StaffTaskView]:
    after = page.after(tuple[int])
    found = await tasks.find(
        mall, state=task_state, scope=staff.scope(), after_id=after[0] if after else None, limit=page.limit + 1
    )
    return paged(found, page.limit, lambda task: (task.id,))


@post(
    "/tasks/{task_id:int}/done", operation_id="complete_task", tags=["tasks"], summary="Mark a task as done",
    status_code=200, opt={"permission": "tasks.write"}, responses=problems(TaskNotOpen),
)  # fmt: skip
async def complete_task(mall: Mall, staff: StaffSessionView, task_id: int, data: Done) -> StaffTaskView:
    return await tasks.complete(mall, task_id, note=data.note, scope=staff.scope(), actor=staff.actor)


handlers: list[HTTPRouteHandler] = [list_tasks, complete_task]
