"""What fulfilment gives to the mall: pick-up."""

from __future__ import annotations

from core.fulfilment.pickup import PickupMethod
from core.kernel.mall import Mall
from core.orders.types import FulfilmentMethod


def register(mall: Mall) -> None:
    mall.objects.add(FulfilmentMethod, PickupMethod.code, PickupMethod())
