"""Staff tasks over HTTP: permission, scope, and done once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from core import db
from core.kernel.mall import Mall
from core.payments import tasks
from core.testing import builders, races

Admin = Callable[[object], httpx.AsyncClient]
TASKS = "/admin/v1/tasks"
BOTH = ("tasks.read", "tasks.write")
DONE = {"note": "已线下退款"}


async def a_task(mall: Mall, subject: str, store_id: int | None) -> int:
    await tasks.raise_task(
        mall, "late_payment", subject_kind="payment", subject_id=subject, store_id=store_id, details={"amount_fen": 7}
    )
    return await db.value("SELECT id FROM staff_task WHERE subject_id = $1", subject)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def subjects(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [task["subject_id"] for task in answer.json()["items"]]


async def states() -> list[str]:
    return [r["state"] for r in await db.rows("SELECT state FROM staff_task ORDER BY id")]


async def test_each_operation_needs_its_permission(mall: Mall, client: httpx.AsyncClient, admin: Admin) -> None:
    task_id = await a_task(mall, "P1", None)
    reader = admin(await builders.a_staff(mall, ["tasks.read"], None))
    writer = admin(await builders.a_staff(mall, ["tasks.write"], None))

    assert refusal(await client.get(TASKS)) == (401, "auth.required")
    assert refusal(await client.post(f"{TASKS}/{task_id}/done", json=DONE)) == (401, "auth.required")
    assert refusal(await writer.get(TASKS)) == (403, "auth.forbidden")
    assert refusal(await reader.post(f"{TASKS}/{task_id}/done", json=DONE)) == (403, "auth.forbidden")
    assert await states() == ["open"]


@pytest.mark.parametrize("body", [{}, {"note": ""}, {"note": "x"}, {"note": "x" * 501}, {"note": "ok", "by": 1}])
async def test_being_done_needs_a_note(mall: Mall, admin: Admin, body: dict[str, Any]) -> None:
    task_id = await a_task(mall, "P1", None)
    clerk = admin(await builders.a_staff(mall, BOTH, None))

    assert refusal(await clerk.post(f"{TASKS}/{task_id}/done", json=body)) == (400, "request.invalid")
    assert await states() == ["open"]


@pytest.mark.parametrize("params", [{"task_state": "lost"}, {"cursor": "nonsense"}, {"limit": 0}])
async def test_a_list_that_cannot_be_made_is_400(mall: Mall, admin: Admin, params: dict[str, Any]) -> None:
    clerk = admin(await builders.a_staff(mall, BOTH, None))

    assert (await clerk.get(TASKS, params=params)).status_code == 400


async def test_tasks_of_other_stores_and_of_none_are_not_mine(mall: Mall, admin: Admin) -> None:
    here, there = await builders.a_store(mall), await builders.a_store(mall)
    mine, foreign, nobodys = [
        await a_task(mall, subject, store_id) for subject, store_id in (("P1", here.id), ("P2", there.id), ("P3", None))
    ]
    clerk = admin(await builders.a_staff(mall, BOTH, [here.id]))
    boss = admin(await builders.a_staff(mall, BOTH, None))

    assert subjects(await clerk.get(TASKS)) == ["P1"]
    for task_id in (foreign, nobodys, 999_999):
        assert refusal(await clerk.post(f"{TASKS}/{task_id}/done", json=DONE)) == (409, "tasks.not_open")
    assert await states() == ["open", "open", "open"]
    assert (await clerk.post(f"{TASKS}/{mine}/done", json=DONE)).status_code == 200
    assert subjects(await boss.get(TASKS)) == ["P3", "P2", "P1"]
    assert (await boss.post(f"{TASKS}/{nobodys}/done", json=DONE)).status_code == 200
    assert await states() == ["done", "open", "done"]


async def test_a_task_is_done_once(mall: Mall, admin: Admin) -> None:
    store = await builders.a_store(mall)
    task_id = await a_task(mall, "P1", store.id)
    staff = await builders.a_staff(mall, BOTH, [store.id])
    clerk = admin(staff)

    done = await clerk.post(f"{TASKS}/{task_id}/done", json=DONE)
    again = await clerk.post(f"{TASKS}/{task_id}/done", json={"note": "又一次"})

    assert done.status_code == 200
    assert (done.json()["state"], done.json()["note"], done.json()["done_by"]) == ("done", "已线下退款", staff.staff_id)
    assert (done.json()["kind"], done.json()["details"]) == ("late_payment", {"amount_fen": 7})
    assert refusal(again) == (409, "tasks.not_open")
    assert await db.value("SELECT note FROM staff_task") == "已线下退款"
    (entry,) = await db.rows("SELECT action, actor_id, store_id, subject_id FROM audit_entry")
    assert tuple(entry) == ("task.complete", staff.staff_id, store.id, str(task_id))


async def test_of_two_at_once_one_did_it(mall: Mall, admin: Admin) -> None:
    task_id = await a_task(mall, "P1", None)
    clerk = admin(await builders.a_staff(mall, BOTH, None))
    await clerk.get(TASKS)  # signs in and builds the app before the race

    outcomes = await races.run_together(3, lambda: clerk.post(f"{TASKS}/{task_id}/done", json=DONE))

    assert sorted(o.value.status_code for o in outcomes) == [200, 409, 409]
    assert await db.value("SELECT count(*) FROM audit_entry") == 1


async def test_tasks_come_newest_first_in_pages_and_by_state(mall: Mall, admin: Admin) -> None:
    ids = [await a_task(mall, f"P{n}", None) for n in range(1, 6)]
    clerk = admin(await builders.a_staff(mall, BOTH, None))
    for task_id in ids[:2]:
        await clerk.post(f"{TASKS}/{task_id}/done", json=DONE)

    first = await clerk.get(TASKS, params={"limit": 2, "task_state": "open"})
    rest = await clerk.get(TASKS, params={"limit": 2, "task_state": "open", "cursor": first.json()["next_cursor"]})

    assert (subjects(first), subjects(rest)) == (["P5", "P4"], ["P3"])
    assert rest.json()["next_cursor"] is None
    assert subjects(await clerk.get(TASKS, params={"task_state": "done"})) == ["P2", "P1"]
    assert len(subjects(await clerk.get(TASKS))) == 5
