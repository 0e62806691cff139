"""A price rule for files without prices: a base and what each option value adds.

``base=28;Size.Grande=+3;Size.Venti=+6;Milk.Soy Milk=+3`` in yuan. ``Category=30`` style bases are written
``base.Smoothies=32`` and win over ``base``. Values that are not named add nothing.
"""

from __future__ import annotations

import msgspec

from core.imports.errors import PriceRuleInvalid
from core.imports.values import CellInvalid, fen


class PriceRule(msgspec.Struct, frozen=True):
    """Amounts in fen; ``added`` by (option, value)."""

    base_fen: int
    by_category: dict[str, int]
    added: dict[tuple[str, str], int]

    def price_fen(self, category: str, chosen: dict[str, str]) -> int:
        """Return the price of one combination; never below zero."""
        base = self.by_category.get(category, self.base_fen)
        return max(0, base + sum(self.added.get(pair, 0) for pair in chosen.items()))


def parse(text: str) -> PriceRule | None:
    """Read a rule; an empty text is no rule. Raises ``PriceRuleInvalid``."""
    if not text.strip():
        return None
    base: int | None = None
    by_category: dict[str, int] = {}
    added: dict[tuple[str, str], int] = {}
    for part in text.split(";"):
        if not part.strip():
            continue
        name, equals, amount = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise PriceRuleInvalid(reason=f"{part.strip()!r} has no '='")
        try:
            value = fen(name, amount)
        except CellInvalid as exc:
            raise PriceRuleInvalid(reason=str(exc)) from exc
        option, dot, wanted = name.partition(".")
        if name == "base":
            base = value
        elif option == "base" and dot:
            by_category[wanted] = value
        elif dot and option and wanted:
            added[option, wanted] = value
        else:
            raise PriceRuleInvalid(reason=f"{name!r} is neither base, base.<category> nor <option>.<value>")
    if base is None or base < 0 or any(v < 0 for v in by_category.values()):
        raise PriceRuleInvalid(reason="it needs a base that is not negative")
    return PriceRule(base, by_category, added)
