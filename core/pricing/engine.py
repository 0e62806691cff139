"""The price engine: pure functions from a quote and proposals to the next quote (behaviour.md 5.2). No I/O, no clock.

The result does not depend on the order in which plugins are asked: proposals are taken line targets first, then the
order, then freight, and among those by plugin id, code and source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from core.kernel.money import allocate
from core.kernel.origin import Origin
from core.pricing.types import Adjustment, Applied, Quote, QuoteLine, Skipped, Stage, Step

STAGES: tuple[Stage, ...] = tuple(Stage)
_TARGETS = {"line": 0, "order": 1, "freight": 2}
_Proposal = tuple[str, Adjustment]


def start_quote(
    *,
    member_id: int | None,
    store_id: int | None,
    origin: Origin,
    fulfilment_method: str,
    lines: Iterable[QuoteLine],
    freight_fen: int = 0,
    extensions: Mapping[str, dict[str, object]] | None = None,
) -> Quote:
    """Return the quote before any stage: every line at its full price. ``amount_fen`` and ``left_fen`` are computed."""
    priced = tuple(
        replace(line, amount_fen=line.qty * line.unit_fen, left_fen=line.qty * line.unit_fen) for line in lines
    )
    if freight_fen < 0 or any(line.qty < 1 or line.unit_fen < 0 for line in priced):
        raise ValueError("quantities are positive; prices and freight are not negative")
    if len({line.key for line in priced}) < len(priced):
        raise ValueError("two lines have one key")
    goods_fen = sum(line.amount_fen for line in priced)
    return Quote(
        member_id=member_id,
        store_id=store_id,
        origin=origin,
        fulfilment_method=fulfilment_method,
        lines=priced,
        goods_fen=goods_fen,
        freight_fen=freight_fen,
        payable_fen=goods_fen + freight_fen,
        extensions=dict(extensions or {}),
    )


def apply_stage(
    quote: Quote, stage: Stage, proposals: Sequence[tuple[str, Sequence[Adjustment]]], *, failed: Iterable[str] = ()
) -> Quote:
    """Return ``quote`` after one stage. ``proposals`` are ``(plugin id, adjustments)`` made for this very quote.

    What is dropped stands in ``skipped`` with its reason; ``failed`` names plugins that did not answer. No line and no
    freight goes below zero; the parts of an applied adjustment add up to its amount.
    """
    skipped = [
        Skipped(stage=stage, plugin_id=plugin_id, code="", reason="plugin_failed") for plugin_id in sorted(failed)
    ]
    sound: list[_Proposal] = []
    for plugin_id, adjustment in sorted(((p, a) for p, given in proposals for a in given), key=_rank):
        reason = _unsound(quote, stage, adjustment)
        if reason is None:
            sound.append((plugin_id, adjustment))
        else:
            skipped.append(_skip(stage, plugin_id, adjustment, reason))

    winners = _winners(quote, sound)
    left = {line.key: line.left_fen for line in quote.lines}
    freight_fen = quote.freight_fen
    applied: list[Applied] = []
    for place, (plugin_id, adjustment) in enumerate(sound):
        amount_fen = _within(adjustment, left, freight_fen)
        if adjustment.exclusive_key is not None and winners[adjustment.exclusive_key] != place:
            skipped.append(_skip(stage, plugin_id, adjustment, "exclusive"))
        elif amount_fen == 0:
            skipped.append(_skip(stage, plugin_id, adjustment, "nothing_left"))
        elif adjustment.target == "freight":
            freight_fen += amount_fen
            applied.append(_apply(stage, plugin_id, adjustment, amount_fen, {}))
        else:
            parts = _spread(adjustment, amount_fen, left)
            for key, part in parts.items():
                left[key] += part
            applied.append(_apply(stage, plugin_id, adjustment, amount_fen, parts))

    assert freight_fen >= 0
    assert all(fen >= 0 for fen in left.values())
    rest_fen = sum(left.values())
    return replace(
        quote,
        lines=tuple(replace(line, left_fen=left[line.key]) for line in quote.lines),
        discount_fen=rest_fen - quote.goods_fen,
        freight_fen=freight_fen,
        payable_fen=rest_fen + freight_fen,
        applied=(*quote.applied, *applied),
        skipped=(*quote.skipped, *skipped),
    )


def explain(quote: Quote) -> list[Step]:
    """Return how the payable amount came about: the base price, what was applied, and what was skipped and why."""
    lines = {line.key: line.amount_fen for line in quote.lines}
    freight_fen = quote.freight_fen - sum(a.amount_fen for a in quote.applied if a.target == "freight")
    steps = [_step(lines, lines, freight_fen, freight_fen)]
    for stage in STAGES:
        for done in (a for a in quote.applied if a.stage is stage):
            after = {key: fen + done.parts.get(key, 0) for key, fen in lines.items()}
            freight_after = freight_fen + (done.amount_fen if done.target == "freight" else 0)
            steps.append(_step(lines, after, freight_fen, freight_after, of=done))
            lines, freight_fen = after, freight_after
        steps += [_step(lines, lines, freight_fen, freight_fen, of=s) for s in quote.skipped if s.stage is stage]
    return steps


def _rank(proposal: _Proposal) -> tuple[object, ...]:
    plugin_id, a = proposal
    return (
        _TARGETS[a.target],
        plugin_id,
        a.code,
        a.source,
        a.line_key or "",
        a.line_keys,
        a.amount_fen,
        a.exclusive_key or "",
    )


def _unsound(quote: Quote, stage: Stage, adjustment: Adjustment) -> str | None:
    may_add = stage is Stage.SHIPPING and adjustment.target == "freight"
    if adjustment.amount_fen == 0 or (adjustment.amount_fen > 0 and not may_add):
        return "wrong_sign"
    known = {line.key for line in quote.lines}
    named = {adjustment.line_key} if adjustment.target == "line" else set(adjustment.line_keys)
    return None if named <= known else "unknown_line"


def _winners(quote: Quote, proposals: Sequence[_Proposal]) -> dict[str, int]:
    """Return, for each exclusive key, the place of the proposal that takes most off the quote that all plugins saw.

    A tie goes to the plugin id, then the code; what is equal in these too, to the order of application.
    """
    left = {line.key: line.left_fen for line in quote.lines}
    best: dict[str, tuple[int, str, str, int]] = {}
    for place, (plugin_id, adjustment) in enumerate(proposals):
        if adjustment.exclusive_key is not None:
            worth = (_within(adjustment, left, quote.freight_fen), plugin_id, adjustment.code, place)
            best[adjustment.exclusive_key] = min(worth, best.get(adjustment.exclusive_key, worth))
    return {key: place for key, (*_, place) in best.items()}


def _within(adjustment: Adjustment, left: Mapping[str, int], freight_fen: int) -> int:
    """Return the amount, clamped at what is left of its target."""
    if adjustment.target == "freight":
        return max(adjustment.amount_fen, -freight_fen)
    return max(adjustment.amount_fen, -sum(left[key] for key in _lines_of(adjustment, left)))


def _lines_of(adjustment: Adjustment, left: Mapping[str, int]) -> list[str]:
    """Return the keys of the lines it aims at, in the order of the quote."""
    if adjustment.target == "line":
        return [key for key in left if key == adjustment.line_key]
    return [key for key in left if not adjustment.line_keys or key in adjustment.line_keys]


def _spread(adjustment: Adjustment, amount_fen: int, left: Mapping[str, int]) -> dict[str, int]:
    """Split an amount that is not more than what is left, by what is left: no part exceeds its line. Zero parts go."""
    keys = _lines_of(adjustment, left)
    shares = allocate(-amount_fen, [left[key] for key in keys])
    return {key: -share for key, share in zip(keys, shares, strict=True) if share}


def _apply(stage: Stage, plugin_id: str, adjustment: Adjustment, amount_fen: int, parts: dict[str, int]) -> Applied:
    return Applied(
        stage=stage,
        plugin_id=plugin_id,
        code=adjustment.code,
        source=adjustment.source,
        target=adjustment.target,
        label=adjustment.label,
        amount_fen=amount_fen,
        parts=parts,
    )


def _skip(stage: Stage, plugin_id: str, adjustment: Adjustment, reason: str) -> Skipped:
    return Skipped(stage=stage, plugin_id=plugin_id, code=adjustment.code, reason=reason, label=adjustment.label)


def _step(
    before: dict[str, int],
    after: dict[str, int],
    freight_before: int,
    freight_after: int,
    of: Applied | Skipped | None = None,
) -> Step:
    return Step(
        stage=of.stage if of else None,
        plugin_id=of.plugin_id if of else "",
        code=of.code if of else "base",
        label=of.label if of else None,
        amount_fen=of.amount_fen if isinstance(of, Applied) else 0,
        skipped=of.reason if isinstance(of, Skipped) else None,
        lines_before=before,
        lines=after,
        freight_before_fen=freight_before,
        freight_fen=freight_after,
        payable_fen=sum(after.values()) + freight_after,
    )
