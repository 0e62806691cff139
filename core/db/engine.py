"""The database: one engine, one way to open a transaction, and plain SQL in it.

Piccolo describes the tables, writes the migrations and owns the transaction; statements whose guard is their point
(``UPDATE … WHERE on_hand - reserved >= n RETURNING``) are written as SQL and run on the same connection, so both see
one transaction. Traps 3 and 4 of architecture.md are closed here.

Lock order, for every transaction of the mall and its plugins: order, payment, stock rows by (sku_id, location_id),
then plugin rows (coupon, card).
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg
import msgspec
import structlog
from piccolo.engine.postgres import PostgresEngine, PostgresTransaction

os.environ.setdefault("PICCOLO_CONF", "core.db.piccolo_conf")
T = TypeVar("T")
log = structlog.get_logger("mall.db")
Row = asyncpg.Record


class NestedTransaction(RuntimeError):
    """A transaction was opened inside another: the use case opens one, everything else says that it needs one."""


class NoTransaction(RuntimeError):
    """A function that must run inside a transaction was called outside of one."""


class InsideTransaction(RuntimeError):
    """Something slow (the network) was about to be called while a transaction holds locks."""


@dataclass(slots=True)
class _Open:
    """What one running transaction has gathered for its end."""

    task: asyncio.Task[Any] | None
    before_commit: dict[str, Callable[[], Awaitable[None]]] = field(
        default_factory=dict[str, Callable[[], Awaitable[None]]]
    )
    after_commit: list[Callable[[], Awaitable[None]]] = field(default_factory=list[Callable[[], Awaitable[None]]])
    bag: dict[str, Any] = field(default_factory=dict[str, Any])


class _Engine(PostgresEngine):
    """Piccolo's engine without its habit of connecting while a module is imported."""

    async def check_version(self) -> None:
        """Skip: ``core.db.migrate`` needs a server, importing this module does not."""

    async def prep_database(self) -> None:
        """Skip: extensions are created by migrations."""


DB = _Engine(config={"dsn": "postgresql:///minimall"}, extensions=())
_open: ContextVar[_Open | None] = ContextVar("mall_transaction", default=None)
round_trips: ContextVar[list[str] | None] = ContextVar("mall_round_trips", default=None)


def configure(database_url: str) -> None:
    """Point the engine at a database. Called once at start, before a pool exists."""
    DB.config = {"dsn": database_url}


async def _keep_session(connection: Any) -> None:
    """Skip asyncpg's ``RESET ALL`` round trip on release: nothing in the mall sets session state."""


async def start_pool(*, max_size: int = 10, min_size: int = 1) -> None:
    """Open the connection pool of this process."""
    await DB.start_connection_pool(  # pyright: ignore[reportUnknownMemberType] - its keywords have no types
        min_size=min_size, max_size=max_size, reset=_keep_session, command_timeout=30
    )


async def stop_pool() -> None:
    if DB.pool is not None:
        await DB.close_connection_pool()


def _pool() -> asyncpg.Pool[Any]:
    if DB.pool is None:
        raise RuntimeError("the connection pool is not started")
    return DB.pool


@contextlib.asynccontextmanager
async def transaction() -> AsyncGenerator[None, None]:
    """Run one use case: everything inside is written, or nothing is.

    Refuses to nest (``NestedTransaction``). ``after_commit`` functions run when it is durable; a failing one is logged
    by its owner and undoes nothing.
    """
    if _open.get() is not None:
        raise NestedTransaction("a transaction is already running; use savepoint() for isolation")
    pool = _pool()
    connection = await pool.acquire()
    state = _Open(task=asyncio.current_task())
    piccolo = PostgresTransaction(engine=DB, allow_nested=False)
    piccolo.connection = connection  # pyright: ignore[reportAttributeAccessIssue] - a slot without a type
    piccolo.transaction = connection.transaction()
    ours = _open.set(state)
    theirs = DB.current_transaction.set(piccolo)
    try:
        _count("BEGIN")
        async with piccolo.transaction:
            yield
            for flush in list(state.before_commit.values()):
                await flush()
            _count("COMMIT")
    finally:
        DB.current_transaction.reset(theirs)
        _open.reset(ours)
        await pool.release(connection)
    for react in state.after_commit:
        try:
            await react()
        except Exception:
            log.exception("a reaction to a commit failed")  # what is committed stays, and the others get their turn


@contextlib.asynccontextmanager
async def savepoint() -> AsyncGenerator[None, None]:
    """Isolate a part of the running transaction: a raise inside undoes that part only."""
    state = _required()
    kept = (
        dict(state.before_commit),
        list(state.after_commit),
        {key: copy.copy(held) for key, held in state.bag.items()},
    )
    _count("SAVEPOINT")
    try:
        async with _connection().transaction():
            yield
    except BaseException:
        state.before_commit, state.after_commit, state.bag = kept
        raise
    _count("RELEASE")


def in_transaction() -> bool:
    return _open.get() is not None


def assert_transaction() -> None:
    """Raise ``NoTransaction`` unless one is running: the first line of functions that say "must run in one"."""
    _required()


def assert_no_transaction() -> None:
    """Raise ``InsideTransaction`` while one is running: the first line of everything that calls the network."""
    if _open.get() is not None:
        raise InsideTransaction("no network call while a transaction holds locks")


def before_commit(key: str, flush: Callable[[], Awaitable[None]]) -> None:
    """Run ``flush`` once at the end of the running transaction, inside it; the same key registers once."""
    _required().before_commit.setdefault(key, flush)


def after_commit(react: Callable[[], Awaitable[None]]) -> None:
    """Run ``react`` once the running transaction is durable. Outside of one it must be called directly."""
    _required().after_commit.append(react)


def bag(key: str, make: Callable[[], T]) -> T:
    """Return what the running transaction keeps under ``key``, made on first use."""
    return _required().bag.setdefault(key, make())


def _required() -> _Open:
    state = _open.get()
    if state is None:
        raise NoTransaction("this must run inside a transaction")
    if state.task is not asyncio.current_task():
        raise NoTransaction("a transaction belongs to the task that opened it: no gather or create_task inside one")
    return state


def _connection() -> Any:
    """The connection of the running transaction. For ``core.events`` and ``core.worker`` only."""
    _required()
    current = DB.current_transaction.get()
    if current is None:
        raise NoTransaction("this must run inside a transaction")
    return current.connection


def _count(sql: str) -> None:
    seen = round_trips.get()
    if seen is not None:
        seen.append(sql)


async def rows(sql: str, *args: object) -> list[Row]:
    """Run a statement and return its rows: in the running transaction if there is one, else on a pooled connection."""
    _count(sql)
    if _open.get() is not None:
        return await _connection().fetch(sql, *args)
    async with _pool().acquire() as connection:
        return await connection.fetch(sql, *args)


async def row(sql: str, *args: object) -> Row | None:
    """Return the first row, or ``None``."""
    found = await rows(sql, *args)
    return found[0] if found else None


async def value(sql: str, *args: object) -> Any:
    """Return the first column of the first row, or ``None``."""
    found = await rows(sql, *args)
    return found[0][0] if found else None


async def execute(sql: str, *args: object) -> int:
    """Run a statement and return how many rows it touched."""
    _count(sql)
    if _open.get() is not None:
        status: str = await _connection().execute(sql, *args)
    else:
        async with _pool().acquire() as connection:
            status = await connection.execute(sql, *args)
    last = status.rpartition(" ")[2]
    return int(last) if last.isdigit() else 0


async def fetch(into: type[T], sql: str, *args: object) -> list[T]:
    """Return the rows as structs of ``into``; ``jsonb`` is decoded where the struct wants an object or a list."""
    return [to_struct(into, found) for found in await rows(sql, *args)]


async def fetch_one(into: type[T], sql: str, *args: object) -> T | None:
    found = await rows(sql, *args)
    return to_struct(into, found[0]) if found else None


def to_struct(into: type[T], record: Row | dict[str, Any]) -> T:
    """Make a struct of a row. Columns that the struct does not have are ignored; text in a place where the struct wants
    an object, a list or a nested struct is read as JSON (asyncpg gives ``jsonb`` as text).
    """
    hints = _json_fields(into)
    values: dict[str, Any] = dict(record)
    for name in hints:
        raw = values.get(name)
        if isinstance(raw, str):
            values[name] = msgspec.json.decode(raw)
    return msgspec.convert(values, into, from_attributes=True)


_JSON_FIELDS: dict[type[Any], tuple[str, ...]] = {}
_PLAIN = (str, int, float, bool, bytes, type(None))


def _json_fields(into: type[Any]) -> tuple[str, ...]:
    known = _JSON_FIELDS.get(into)
    if known is None:
        info = msgspec.inspect.type_info(into)
        fields = getattr(info, "fields", ())
        known = tuple(f.name for f in fields if _wants_json(f.type))
        _JSON_FIELDS[into] = known
    return known


def _wants_json(info: Any) -> bool:
    kinds = msgspec.inspect
    if isinstance(info, kinds.UnionType):
        return any(_wants_json(t) for t in info.types)
    return isinstance(
        info,
        (kinds.StructType, kinds.ListType, kinds.VarTupleType, kinds.TupleType, kinds.DictType, kinds.TypedDictType),
    )


def json(value: object) -> str:
    """Encode a value for a ``jsonb`` parameter (``$n::jsonb``)."""
    return msgspec.json.encode(value).decode()


def dsn_parts(database_url: str) -> dict[str, str]:
    """Split a database URL for tools that want its parts (pgbench); a socket folder stands in the ``host`` query."""
    url = urlsplit(database_url)
    query = {k: v[-1] for k, v in parse_qs(url.query).items()}
    return {
        "host": query.get("host") or url.hostname or "",
        "port": query.get("port") or str(url.port or ""),
        "user": unquote(url.username or query.get("user", "")),
        "password": unquote(url.password or ""),
        "database": url.path.lstrip("/"),
    }


__all__: Sequence[str] = (
    "DB", "InsideTransaction", "NestedTransaction", "NoTransaction", "Row", "after_commit", "assert_no_transaction",
    "assert_transaction", "bag", "before_commit", "configure", "dsn_parts", "execute", "fetch", "fetch_one",
    "in_transaction", "json", "round_trips", "row", "rows", "savepoint", "start_pool", "stop_pool", "to_struct",
    "transaction", "value",
)  # fmt: skip
