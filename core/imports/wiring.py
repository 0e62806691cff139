"""What imports give to the mall: their job."""

from __future__ import annotations

from core.imports.service import JOBS
from core.kernel.contracts import Job
from core.kernel.mall import Mall


def register(mall: Mall) -> None:
    for job in JOBS:
        mall.objects.add(Job, job.name, job)
