"""The job worker: events, deferred and periodic jobs."""

from core.worker.jobs import run_job
from core.worker.main import NotMigrated, main, run, serve

__all__ = ["NotMigrated", "main", "run", "run_job", "serve"]
