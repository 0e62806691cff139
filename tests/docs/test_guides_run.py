"""The blocks of the guides are run as they stand: files that have a title, commands that are marked ``run``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from core.testing.pytest_plugin import Servers

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')


def blocks(name: str) -> list[tuple[str, str, str]]:
    """Return ``(language, the rest of the opening line, text)`` of every fenced block of a page."""
    found = _BLOCK.findall((ROOT / "docs" / name).read_text(encoding="utf-8"))
    return [(language, rest.strip(), text) for language, rest, text in found]


def write_files(name: str, folder: Path) -> None:
    for _, rest, text in blocks(name):
        title = _TITLE.search(rest)
        if title:
            path = folder / title[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def install(folder: Path) -> None:
    """Do what ``pip install -e .`` does, without an index: write the package's metadata beside it."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines: list[str] = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{point} = {module}" for point, module in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


def run(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MALL_", "PYTEST_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-ec", command], cwd=folder, capture_output=True, text=True, check=False, timeout=110,
        env={**kept, "PATH": path, "COLUMNS": "200", **environment},
    )  # fmt: skip


@pytest.mark.timeout(300)
def test_the_plugin_of_the_guide_passes_its_tests(tmp_path: Path, mall_servers: Servers) -> None:
    write_files("plugin-guide.md", tmp_path)
    install(tmp_path)

    for language, rest, command in blocks("plugin-guide.md"):
        if language == "sh" and rest == "run":
            done = run(
                command, tmp_path, PYTHONPATH=str(tmp_path), MALL_TEST_DSN=mall_servers.admin_url,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr


def test_the_plugin_of_the_guide_knows_the_sdk_and_the_test_kit_only() -> None:
    allowed = re.compile(r"^(?:from|import) core(?!\.(?:sdk|testing)\b)", re.MULTILINE)

    titled = [text for language, rest, text in blocks("plugin-guide.md") if language == "python" and "title=" in rest]

    assert titled
    assert [text for text in titled if allowed.search(text)] == []


def test_every_python_block_of_the_guide_is_run() -> None:
    assert [text for language, rest, text in blocks("plugin-guide.md") if language == "python" and not rest] == []


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("database")
def test_the_examples_of_the_import_page_say_what_happens(tmp_path: Path, mall_servers: Servers) -> None:
    write_files("imports.md", tmp_path)
    found = blocks("imports.md")

    for place, (language, rest, command) in enumerate(found):
        if language == "sh" and rest.startswith("run"):
            done = run(
                command, tmp_path, DATABASE_URL=mall_servers.database_url, REDIS_URL=mall_servers.redis_url,
                MALL_SECRET="a-secret-of-the-guides-0123456789abc",
            )  # fmt: skip
            assert done.returncode == (2 if rest == "run 2" else 0), done.stdout + done.stderr
            assert found[place + 1][0] == "text", command
            assert _plain(done.stdout) == _plain(found[place + 1][2]), command


def _plain(text: str) -> list[str]:
    """Compare words: how wide a table is drawn is the terminal's affair."""
    return text.split()
