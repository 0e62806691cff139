"""The demo's data: a small coffee chain, loaded through the same imports that staff use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core import db
from core.imports.service import run
from core.imports.types import Kind, Options
from core.inventory import service as inventory
from core.kernel.origin import Actor

if TYPE_CHECKING:
    from core.demo.progress import Progress
    from core.kernel.mall import Mall

FILES = Path(__file__).parent / "files"
ACTOR = Actor(kind="system", name="mall demo")
IN_EACH_STORE = 12
_STORES_A_PIECE = 10


async def load(mall: Mall, progress: Progress) -> None:
    """Load stores, menu, goods and the goods' stock in every store; what is there already stays as it is."""
    if await db.value("SELECT 1 FROM stock_move WHERE reason = 'demo' LIMIT 1"):
        return
    files: tuple[tuple[str, Kind, str], ...] = (
        ("stores", "stores", "stores.csv"), ("menu", "products", "menu.csv"), ("goods", "products", "goods.csv"),
    )  # fmt: skip
    for step, kind, name in files:

        async def tell(done: int, total: int, step: str = step) -> None:
            progress(step, done, total)

        report = await run(mall, kind, (FILES / name).read_bytes(), Options(), actor=ACTOR, progress=tell)
        assert not report.rejected, report.rejected[:3]
    await _stock(mall, progress)


async def _stock(mall: Mall, progress: Progress) -> None:
    """Put some of each counted SKU into every store. The mark that all is loaded is the last store's stock."""
    skus = [r["id"] for r in await db.rows("SELECT id FROM sku WHERE tracked ORDER BY id")]
    places = [r["id"] for r in await db.rows("SELECT id FROM location WHERE kind = 'store' ORDER BY id")]
    for start in range(0, len(places), _STORES_A_PIECE):
        piece = places[start : start + _STORES_A_PIECE]
        last = start + _STORES_A_PIECE >= len(places)
        async with db.transaction():
            counts = [(sku_id, place, IN_EACH_STORE) for place in piece for sku_id in skus]
            await inventory.set_on_hand(mall, counts, reason="demo" if last else "demo, not all yet", actor=ACTOR)
        progress("stock", min(start + _STORES_A_PIECE, len(places)), len(places))
