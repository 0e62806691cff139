"""``MALL_HOME``: the folder where a mall without servers of its own keeps them, its secret and its logs."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Generator
from pathlib import Path

import msgspec

from core.kernel.errors import Conflict, Invalid
from core.settings import Settings

MARKER = "mall-home"
_MARKER_TEXT = "This folder is the home of a mall (MALL_HOME): `mall demo --reset` deletes what is in it.\n"
SECRET_LENGTH = 32
_KEPT = frozenset({"test"})  # the test kit's own servers live in .mall/test


class SecretMissing(Invalid):
    code = "settings.secret_missing"
    zh = "生产环境必须设置 MALL_SECRET(至少 32 个字符的随机文本)。"
    en = "In production MALL_SECRET must be set: at least 32 random characters (`openssl rand -hex 32`)."


class NotAMallHome(Conflict):
    code = "home.not_a_mall_home"
    zh = "{home} 不是商城目录(没有 mall-home 标记文件),未删除任何内容。"
    en = "{home} is not the home of a mall (it has no file “mall-home”); nothing was deleted."


class HomeInUse(Conflict):
    code = "home.in_use"
    zh = "{home} 的演示正在运行;请先用 Ctrl-C 停止它。"
    en = "A demo of {home} is running; stop it with Ctrl-C first."


def make(home: Path) -> None:
    """Make the folder and mark it as a mall's, unless that was done."""
    home.mkdir(parents=True, exist_ok=True)
    marker = home / MARKER
    if not marker.exists():
        marker.write_text(_MARKER_TEXT)


def reset(home: Path) -> None:
    """Stop the servers of ``home`` and delete everything in it. Raises ``NotAMallHome``, ``HomeInUse``."""
    from core.cache import embedded as redis  # noqa: PLC0415 - heavy imports, for this command only
    from core.db import embedded as postgres  # noqa: PLC0415

    if not home.exists() or not any(home.iterdir()):
        return
    if not (home / MARKER).is_file():
        raise NotAMallHome(home=home)
    with only_demo(home):
        redis.stop(home)
        postgres.stop(home)
        for path in home.iterdir():
            if path.name in _KEPT or path.name == MARKER:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


@contextlib.contextmanager
def only_demo(home: Path) -> Generator[None, None, None]:
    """Be the only demo of this home. Raises ``HomeInUse``."""
    import fcntl  # noqa: PLC0415 - not on every system that can print --help

    handle = os.open(home / "demo.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise HomeInUse(home=home) from exc
        yield
    finally:
        os.close(handle)


def with_secret(settings: Settings) -> Settings:
    """Return settings that have a secret: the given one, or that of the home, made on first use.

    Raises ``SecretMissing`` in production, where two machines must agree on it.
    """
    if settings.mall_env == "production" and len(settings.mall_secret) < SECRET_LENGTH:
        raise SecretMissing
    if settings.mall_secret:
        return settings
    make(settings.home)
    path = settings.home / "secret"
    with contextlib.suppress(FileExistsError):
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32))
    return msgspec.structs.replace(settings, mall_secret=path.read_text().strip())


@contextlib.contextmanager
def servers(settings: Settings) -> Generator[Settings, None, None]:
    """Give settings whose secret and URLs are filled; embedded servers are started for URLs that are not set.

    At the end those that nobody else uses are stopped. Raises ``SecretMissing``, ``LocalServerFailed``.
    """
    settings = with_secret(settings)
    started: list[str] = []
    try:
        if not settings.database_url:
            make(settings.home)
            started.append("database")
            settings = msgspec.structs.replace(settings, database_url=start_database(settings.home))
        if not settings.redis_url:
            make(settings.home)
            started.append("redis")
            settings = msgspec.structs.replace(settings, redis_url=start_redis(settings.home))
        yield settings
    finally:
        release(settings.home, started)


def start_database(home: Path) -> str:
    from core.db import embedded  # noqa: PLC0415 - only where the server is needed

    return embedded.ensure(home)


def start_redis(home: Path) -> str:
    from core.cache import embedded  # noqa: PLC0415

    return embedded.ensure(home)


def release(home: Path, started: list[str]) -> None:
    from core.cache import embedded as redis  # noqa: PLC0415
    from core.db import embedded as postgres  # noqa: PLC0415

    if "redis" in started:
        redis.release(home)
    if "database" in started:
        postgres.release(home)


def environment(settings: Settings) -> dict[str, str]:
    """Return the settings as variables, for the processes that this one starts."""
    filled = msgspec.structs.replace(settings, mall_home=str(settings.home))
    return {name.upper(): str(getattr(filled, name)) for name in Settings.__struct_fields__}
