"""Request id, address and access log."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from core.web.access import AccessLog
from core.web.context import client_ip


@pytest.mark.parametrize(
    ("forwarded", "proxies", "expected"),
    [
        (None, 0, "10.0.0.1"),
        (b"6.6.6.6", 0, "10.0.0.1"),  # nobody of ours stands in front: what the caller claims does not count
        (b"6.6.6.6, 1.2.3.4", 1, "1.2.3.4"),
        (b"6.6.6.6, 1.2.3.4, 10.0.0.2", 2, "1.2.3.4"),
        (b"1.2.3.4", 2, "1.2.3.4"),
        (None, 1, "10.0.0.1"),
    ],
)
def test_the_address_is_the_one_our_own_proxy_saw(forwarded: bytes | None, proxies: int, expected: str) -> None:
    assert client_ip(("10.0.0.1", 5), forwarded, proxies) == expected


def test_a_call_without_an_address_has_none() -> None:
    assert client_ip(None, None, 0) == ""


async def test_lines_are_gathered_and_cannot_be_forged(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    log = AccessLog(as_json=True)

    log.add("GET", '/a"\n{"forged": 1}', 200, 0.4, "1.2.3.4", "abc")
    log.add("GET", "/b", 404, 1.5, "1.2.3.4", "abd")
    assert capsysbinary.readouterr().err == b""
    await asyncio.sleep(0.3)

    lines = capsysbinary.readouterr().err.splitlines()
    assert [msgspec.json.decode(line)["path"] for line in lines] == ['/a"\n{"forged": 1}', "/b"]


async def test_plain_lines_cannot_be_forged_either(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    log = AccessLog(as_json=False)

    log.add("GET", "/a\n2026 200 GET '/forged'", 200, 0.4, "", "")
    log.flush()

    assert len(capsysbinary.readouterr().err.splitlines()) == 1
