"""Money is integer fen. Percentages are basis points (1 % = 100 bp). There is no float in this file."""

from __future__ import annotations

from collections.abc import Sequence

BP_ONE = 10_000


def allocate(amount_fen: int, weights: Sequence[int]) -> list[int]:
    """Split ``amount_fen`` over ``weights`` by largest remainder, so that the parts add up exactly.

    A weight of 0 gets 0; ties go to the earlier position (behaviour.md 5.2 rule 1). ``amount_fen`` and the weights
    are not negative; more than zero cannot be spread over weights that are all zero.
    """
    total = sum(weights)
    if amount_fen < 0 or any(w < 0 for w in weights):
        raise ValueError("amounts and weights are not negative")
    if total == 0:
        if amount_fen:
            raise ValueError("there is nothing to spread the amount over")
        return [0] * len(weights)
    parts = [amount_fen * w // total for w in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(amount_fen * weights[i] % total), i))
    for i in by_remainder[: amount_fen - sum(parts)]:
        parts[i] += 1
    return parts


def percent_of(amount_fen: int, rate_bp: int) -> int:
    """Return ``rate_bp`` basis points of ``amount_fen``, rounded half up (behaviour.md 5.2 rule 4)."""
    return (amount_fen * rate_bp * 2 + BP_ONE) // (BP_ONE * 2)


def share_of_units(total_fen: int, units: int, first: int) -> int:
    """Return what the first ``first`` of ``units`` units cost when all cost ``total_fen`` (behaviour.md 5.2 rule 5)."""
    if not 0 <= first <= units or units < 1:
        raise ValueError("the units asked for are not among those bought")
    return total_fen * first // units


def yuan(amount_fen: int) -> str:
    """Write fen as yuan with two digits, for sentences and receipts: ``1234`` is ``12.34``."""
    sign = "-" if amount_fen < 0 else ""
    return f"{sign}{abs(amount_fen) // 100}.{abs(amount_fen) % 100:02d}"
