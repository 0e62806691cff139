"""Events and deferred jobs: written in the transaction that makes them true, carried out after it."""

from core.events.outbox import WAKE, defer, emit, works
from core.events.queue import install_queue, queue_installed
from core.events.types import Event

__all__ = ["WAKE", "Event", "defer", "emit", "install_queue", "queue_installed", "works"]
