"""The copy-paste purchase that ``mall demo`` prints."""

from __future__ import annotations

from pathlib import Path

_SCRIPT = """\
curl -s {base}/readyz"""


def script(base_url: str, home: Path, *, login: str, password: str) -> str:
    """Return shell lines that buy one thing from the mall at ``base_url``, with curl and python3 alone."""
    return _SCRIPT.format(base=base_url, home=home, login=login, password=password)
