"""Who may know whom, and that nothing in the core or the faces names a plugin."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.plugin_host import discovery

ROOT = Path(__file__).parents[2]
CORE = ("core", "storefront_api", "admin_api")
CODE = (*CORE, "plugins", "bench")


def _files(*folders: str) -> list[Path]:
    found = [p for folder in folders for p in sorted((ROOT / folder).rglob("*.py"))]
    return [p for p in found if "migrations" not in p.parts]


def test_the_layers_hold() -> None:
    program = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert program, "import-linter is not installed"

    done = subprocess.run([program, "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("plugin", sorted(discovery.entry_points()))
def test_nothing_in_the_core_or_the_faces_names_a_plugin(plugin: str) -> None:
    # The allow-list's default and "Used by" in a hook's contract are data about the world, which the demo shows.
    allowed = {ROOT / "core" / "settings.py", ROOT / "core" / "hookspecs.py", *(ROOT / "core" / "demo").glob("*.py")}
    word = re.compile(rf"\b{plugin}\b")

    naming = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in _files(*CORE)
        if path not in allowed
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if word.search(line)
    ]

    assert naming == []


def test_every_file_is_short_enough_to_read() -> None:
    lines = {str(p.relative_to(ROOT)): len(p.read_text(encoding="utf-8").splitlines()) for p in _files(*CODE, "tests")}

    assert {name: n for name, n in lines.items() if n > 450} == {}


def test_there_are_no_open_ends() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")

    open_ends = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in [*_files(*CODE, "tests"), ROOT / "app.py"]
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if marks.search(line)
    ]

    assert open_ends == []
