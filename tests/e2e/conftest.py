"""One mall for all tests of this folder that need a whole one: started once a run, in processes of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.cache import embedded as redis
from core.db import embedded as postgres
from tests.e2e.live import Live


@pytest.fixture(scope="session")
def live() -> Iterator[Live]:
    """A mall with demo data, two web workers, a job worker, and a plugin that came with another distribution."""
    above = Path(tempfile.mkdtemp(prefix="mall-live-"))
    above.chmod(0o755)  # the database's user must be able to pass
    one = Live(above / "home", _installed(above / "site"))
    try:
        one.start()
        yield one
    finally:
        one.stop()
        postgres.stop(one.home)
        redis.stop(one.home)
        shutil.rmtree(above)


def _installed(site: Path) -> Path:
    """Lay the plugin ``witness`` down as pip would."""
    information = site / "mall_witness-1.0.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: mall-witness\nVersion: 1.0.0\n")
    (information / "entry_points.txt").write_text("[minimall.plugins]\nwitness = mall_witness\n")
    shutil.copy(Path(__file__).with_name("witness.py"), site / "mall_witness.py")
    return site
