"""What orders give to the mall: their jobs."""

from __future__ import annotations

from core.kernel.contracts import Job
from core.kernel.mall import Mall
from core.orders.cancelling import JOBS


def register(mall: Mall) -> None:
    for job in JOBS:
        mall.objects.add(Job, job.name, job)
