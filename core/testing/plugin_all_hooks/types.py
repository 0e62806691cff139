"""Settings and the order extension of the test plugin."""

from __future__ import annotations

from typing import Annotated

import msgspec

from core.sdk import Secret


class AllHooksConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every rule is off by default, so that the plugin changes nothing until a test asks for it."""

    discount_fen: Annotated[int, msgspec.Meta(ge=0)] = 0
    max_units: Annotated[int, msgspec.Meta(ge=0)] = 0
    forbidden_note: str = ""
    keep_orders: bool = False
    full_event: str = ""
    callback_key: Secret = Secret("")


class Gift(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``extensions.all_hooks`` of an order request."""

    card: Annotated[str, msgspec.Meta(max_length=50)]


class Note(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    subject_id: int
    text: str
    times: int


class Said(msgspec.Struct, frozen=True, kw_only=True):
    greeting: str
