"""The real application in a real server: it starts, serves, reports and stops."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from core.testing.pytest_plugin import Servers

ROOT = Path(__file__).parents[3]


@pytest.fixture
def served(mall_servers: Servers, database: str, tmp_path: Path) -> Iterator[httpx.Client]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {
        **os.environ, "DATABASE_URL": database, "REDIS_URL": mall_servers.redis_url, "MALL_ENV": "production",
        "MALL_SECRET": "a-secret-of-the-test-mall-0123456789", "MALL_HOME": str(tmp_path), "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    log = (tmp_path / "log").open("wb")
    command = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "asgi",
        "--port",
        str(port),
        "--factory",
        "app:create_app",
    ]
    server = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5) as client:
            until = time.monotonic() + 60
            while True:
                try:
                    client.get("/healthz")
                    break
                except httpx.TransportError:
                    assert time.monotonic() < until, (tmp_path / "log").read_text()
                    time.sleep(0.1)
            yield client
        server.send_signal(signal.SIGTERM)
        assert server.wait(15) == 0
        written = (tmp_path / "log").read_text()
        assert "Traceback" not in written
        assert '"path":"/healthz"' in written
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()
        log.close()


def test_it_serves_both_faces(served: httpx.Client) -> None:
    ready = served.get("/readyz")
    assert ready.status_code == 200, ready.text
    assert ready.json()["database"] == ready.json()["redis"] == ready.json()["migrations"] == "ok"

    for face in ("storefront", "admin"):
        document = served.get(f"/{face}/openapi.json")
        assert document.status_code == 200
        assert len(document.json()["paths"]) > 10
        assert served.get(f"/{face}/docs").status_code == 200
    answer = served.get("/admin/v1/orders", headers={"Accept-Language": "en"})
    assert (answer.status_code, answer.json()["code"]) == (401, "auth.required")
