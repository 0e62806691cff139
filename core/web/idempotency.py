"""The header ``Idempotency-Key`` of creating writes. The service stores it; this module only reads and checks it."""

from __future__ import annotations

import re
from typing import Annotated

from litestar.params import Parameter

from core.web.errors import KeyRequired

RequestKey = str
_KEY = re.compile(r"[\x21-\x7e]{8,64}")


def provide_request_key(
    idempotency_key: Annotated[
        str | None,
        Parameter(
            header="Idempotency-Key",
            description="Your own random name for this write, 8 to 64 visible ASCII characters: sending it again with "
            "the same body answers the same and writes nothing new; another body is refused with 409. Required.",
        ),
    ] = None,
) -> RequestKey:
    """Return the key of this write. Raises ``KeyRequired`` when there is none or it cannot be used."""
    if idempotency_key is None or not _KEY.fullmatch(idempotency_key):
        raise KeyRequired
    return idempotency_key
