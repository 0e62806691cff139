"""What the mall promises to plugins changes only on purpose: the snapshot fails until it is made anew, with a reason.

After a wanted change: ``python -m tests.architecture.test_contracts`` writes ``contracts.txt``; the hook's "Since" says
what is new. Removing or renaming anything is a new major version of ``core_api``.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from core import docs, sdk
from core.hookspecs import MallSpec

ROOT = Path(__file__).parents[2]
SNAPSHOT = Path(__file__).with_name("contracts.txt")


def _contracts() -> str:
    names = "\n".join(f"sdk {name}" for name in sorted(sdk.__all__))
    hooks = "\n".join(f"hook {docs.hook_signature(name)}" for name in docs.hook_names())
    return f"api {sdk.API_VERSION}\n{names}\n{hooks}\n"


def _tests_named() -> set[str]:
    found: set[str] = set()
    for path in (ROOT / "tests" / "contract").glob("test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return found


def _core_source() -> str:
    files = [p for p in (ROOT / "core").rglob("*.py") if "testing" not in p.parts and p.name != "hookspecs.py"]
    return "\n".join(p.read_text(encoding="utf-8") for p in files)


def test_the_sdk_and_the_hooks_are_as_promised() -> None:
    assert _contracts() == SNAPSHOT.read_text(encoding="utf-8")


def test_the_sdk_has_what_it_lists_and_lists_what_it_has() -> None:
    assert len(set(sdk.__all__)) == len(sdk.__all__)
    assert [name for name in sdk.__all__ if not hasattr(sdk, name)] == []


@pytest.mark.parametrize("hook", docs.hook_names())
def test_every_hook_is_tested(hook: str) -> None:
    assert f"test_hook_{hook}" in _tests_named()


@pytest.mark.parametrize("hook", docs.hook_names())
def test_every_hook_is_called_by_the_core(hook: str) -> None:
    assert f'"{hook}"' in _core_source()


@pytest.mark.parametrize("hook", docs.hook_names())
def test_the_contract_of_a_hook_says_what_an_implementer_must_know(hook: str) -> None:
    text = getattr(MallSpec, hook).__doc__ or ""
    kind = re.search(r"Kind: (register|propose|guard|participate)\b", text)

    assert kind, "Kind"
    assert (kind[1] == "register") == hook.startswith("register_")
    assert re.search(r"Since: \d+\.\d+\.", text), "Since"
    assert "Used by: " in text, "Used by"


def test_refusals_that_share_a_code_say_the_same() -> None:
    """A shopper's and a colleague's session both expire; a client reads one code either way."""
    docs.load_everything()
    seen: dict[str, tuple[int, str, str]] = {}
    for kind in docs.error_classes():
        said = (kind.status, kind.zh, kind.en)
        assert seen.setdefault(kind.code, said) == said, kind.code


def test_a_refusal_speaks_both_languages_and_names_what_it_knows() -> None:
    docs.load_everything()
    for kind in docs.error_classes():
        assert re.fullmatch(r"[a-z][a-z0-9_]*\.[a-z0-9_.]+", kind.code), kind
        assert re.search(r"[一-鿿]", kind.zh), kind
        assert kind.en.strip(), kind
        assert 400 <= kind.status < 600, kind
        facts = [set(re.findall(r"\{(\w+)\}", text)) - {"zh", "en"} for text in (kind.zh, kind.en)]
        assert facts[0] == facts[1], kind


if __name__ == "__main__":
    SNAPSHOT.write_text(_contracts(), encoding="utf-8")
