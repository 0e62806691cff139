"""What follows every change of the catalog: events in the transaction, cached answers dropped after it."""

from __future__ import annotations

from collections.abc import Collection

from core import db
from core.cache import invalidate
from core.catalog.events import ProductChanged
from core.events import emit
from core.kernel.mall import Mall
from core.kernel.origin import Actor, Origin


def products_changed(mall: Mall, product_ids: Collection[int], actor: Actor) -> None:
    """Tell the mall that products changed: one event each, their cached answers dropped once it is durable.

    Must run inside a transaction.
    """
    origin = Origin(channel="admin", staff_id=actor.id) if actor.kind == "staff" else Origin(channel=actor.kind)
    for product_id in product_ids:
        emit(mall, ProductChanged(product_id=product_id, origin=origin))
    ids = tuple(product_ids)
    db.after_commit(lambda: invalidate_products(mall, ids))


def categories_changed(mall: Mall) -> None:
    """Drop the cached category tree, and the lists that filter by it, once the change is durable."""
    db.after_commit(lambda: invalidate(mall, ("categories", "products")))


async def invalidate_products(mall: Mall, product_ids: Collection[int]) -> None:
    """Drop every cached answer that shows these products. Call it after commit (``db.after_commit``)."""
    if product_ids:
        await invalidate(mall, ("products", *(f"product:{i}" for i in product_ids)))
