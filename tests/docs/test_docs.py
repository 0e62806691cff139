"""The documentation is true: generated pages are fresh, settings are named, and marked examples run.

A block runs when its fence says so: ```` ```python run ```` or ```` ```sh run ````, optionally ``prints="…"``. It runs
in an empty folder with the mall's programs on the path and needs no server. Pages whose blocks have a ``title`` are
projects: ``test_guides_run.py`` writes their files and runs their commands.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from core import docs
from core.settings import Settings

ROOT = Path(__file__).parents[2]
_RUNNABLE = re.compile(
    r"^```(?P<kind>python|sh) run(?: prints=\"(?P<prints>[^\"]*)\")?\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE
)
_LINK = re.compile(r"\[[^\]]*\]\((?!https?://|mailto:|#)(?P<to>[^)#]+)")


def _pages() -> list[Path]:
    found = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "plugins").rglob("*.md"))]
    return [p for p in found if p.is_file()]


def _examples() -> list[tuple[str, re.Match[str]]]:
    return [
        (f"{path.relative_to(ROOT)}:{text[: match.start()].count(chr(10)) + 1}", match)
        for path in _pages()
        for text in [path.read_text(encoding="utf-8")]
        if "title=" not in text
        for match in _RUNNABLE.finditer(text)
    ]


@pytest.mark.parametrize(("where", "example"), _examples(), ids=[where for where, _ in _examples()])
def test_a_marked_example_runs(where: str, example: re.Match[str], tmp_path: Path) -> None:
    program = [sys.executable, "-c"] if example["kind"] == "python" else ["bash", "-euo", "pipefail", "-c"]
    environ = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "MALL_HOME": str(tmp_path),
    }

    done = subprocess.run(
        [*program, example["code"]], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, f"{where}\n{done.stdout}{done.stderr}"
    assert (example["prints"] or "") in done.stdout, where


def test_the_generated_pages_are_fresh() -> None:
    assert docs.stale() == [], "run `python -m core.docs`"


def test_the_readme_names_every_setting() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert [name.upper() for name in Settings.__struct_fields__ if f"`{name.upper()}`" not in text] == []


@pytest.mark.parametrize("page", _pages(), ids=[str(p.relative_to(ROOT)) for p in _pages()])
def test_links_lead_somewhere(page: Path) -> None:
    targets = [match["to"] for match in _LINK.finditer(page.read_text(encoding="utf-8"))]

    assert [to for to in targets if not (page.parent / to).exists()] == []


def test_checking_names_a_stale_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs, "pages", lambda: {"docs/hooks.md": "something else\n"})
    said: list[str] = []

    assert docs.main(["--check"], said.append) == 1
    assert said == ["docs/hooks.md is stale: run `python -m core.docs`"]
