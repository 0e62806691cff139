"""Litestar without what the mall does not use."""

from __future__ import annotations

from typing import Any

from litestar import Litestar
from litestar.plugins.core import MsgspecDIPlugin


class LeanLitestar(Litestar):
    """Litestar without its support for pydantic, which it would import because another package brought it along: half
    a second at each start and 10 MB in each worker for nothing.
    """

    @staticmethod
    def _get_default_plugins(plugins: list[Any]) -> list[Any]:
        return [*plugins, MsgspecDIPlugin()]
