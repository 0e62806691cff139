"""What happens in the catalog."""

from __future__ import annotations

from typing import ClassVar

from core.events.types import Event


class ProductChanged(Event, frozen=True, kw_only=True):
    """A product, one of its SKUs, prices or listings was created or changed."""

    name: ClassVar[str] = "catalog.product_changed"
    product_id: int
