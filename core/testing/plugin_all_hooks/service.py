"""The test plugin's one table, and its settings."""

from __future__ import annotations

from core.sdk import Mall, db, plugin_config
from core.testing.plugin_all_hooks.types import AllHooksConfig, Note

ID = "all_hooks"


def config(mall: Mall) -> AllHooksConfig:
    found: AllHooksConfig = plugin_config(mall, ID)
    return found


async def note_once(mall: Mall, kind: str, subject_id: int, text: str = "") -> bool:
    """Note it unless it was noted before; returns whether it is new."""
    return bool(
        await db.execute(
            "INSERT INTO all_hooks_note (kind, subject_id, text, at) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (kind, subject_id) DO NOTHING",
            kind, subject_id, text, mall.clock.now(),
        )
    )  # fmt: skip


async def note_again(mall: Mall, kind: str, subject_id: int) -> None:
    """Count how often it happened: what a participant or a job may not do, and a test can."""
    await db.execute(
        "INSERT INTO all_hooks_note (kind, subject_id, at) VALUES ($1, $2, $3)"
        " ON CONFLICT (kind, subject_id) DO UPDATE SET times = all_hooks_note.times + 1",
        kind, subject_id, mall.clock.now(),
    )  # fmt: skip


async def notes() -> list[Note]:
    return await db.fetch(Note, "SELECT kind, subject_id, text, times FROM all_hooks_note ORDER BY id")
