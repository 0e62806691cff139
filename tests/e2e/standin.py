"""A demo whose parts are as small as can be: what is tested is who starts, watches and stops them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HERE = str(Path(__file__).parent)
WEB = (
    f"import sys; sys.path.insert(0, {HERE!r}); from core import cli_run; from core.settings import load_settings; "
    "cli_run.serve(load_settings(), workers=2, app='standin:create_app')"
)
JOBS = "from core import cli_run; import time; cli_run.stop_with_parent(); time.sleep(600)"
DYING = "import time, sys; time.sleep(1.5); print('no more paper'); sys.exit(7)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


def create_app() -> Any:
    """An application that is always ready."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": message["type"] + ".complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ready"})

    return app


def main() -> int:
    """Run a demo with the parts that are named on the command line."""
    from core.demo import supervisor
    from core.demo.parts import Part
    from core.settings import load_settings

    parts = {"web": WEB, "jobs": JOBS, "dying": DYING, "deaf": DEAF}
    chosen = [Part(name, [sys.executable, "-c", parts[name]]) for name in sys.argv[1:]]
    return supervisor.run(load_settings(), chosen=chosen)


if __name__ == "__main__":
    sys.exit(main())
