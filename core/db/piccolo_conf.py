"""What Piccolo reads: the engine. The app registry is built from the loaded plugins in ``core.db.migrate``."""

from core.db.engine import DB

__all__ = ("DB",)
