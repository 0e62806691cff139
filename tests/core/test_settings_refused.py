"""Settings that cannot be meant are refused by name before anything starts."""

from __future__ import annotations

import pytest

from core.settings import SettingsInvalid, load_settings


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MALL_ZONE", "Mars/X"), ("MALL_ZONE", "../etc/passwd"), ("MALL_PORT", "99999"), ("MALL_PORT", "x"),
        ("MALL_POOL_SIZE", "0"), ("MALL_PAY_MINUTES", "-5"), ("MALL_ENV", "banana"),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_be_meant_is_named(variable: str, value: str) -> None:
    with pytest.raises(SettingsInvalid, match=variable):
        load_settings({variable: value})
