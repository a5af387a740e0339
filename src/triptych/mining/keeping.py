"""Which pictures of rejected attempts a run keeps. Facts about them stay, whatever becomes of the files.

    all        every picture
    judged     those that reached the validator, and all that was accepted
    accepted   what passed every gate
    sample     what passed every gate, and one in twenty of the others

A source is always kept. A picture that another rule wants after all is owed again, as a lost one is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from triptych.mining.derive import chains
from triptych.mining.select import RejectedPair, rejected_pairs
from triptych.mining.slots import Slot
from triptych.mining.state import AttemptState, Plan
from triptych.validator.rule import Rejected

_SAMPLED: Final = 20  # one in so many, by the pair's id


def superfluous(plan: Plan, slots: Iterable[Slot]) -> frozenset[str]:
    """Pictures that the recipe's policy doesn't keep, and that nothing else shows."""
    if plan.recipe.keep == "all":
        return frozenset()
    laid_out = list(slots)
    unkept = {
        pair.id: pair.edited_image
        for pair in rejected_pairs(plan, laid_out)
        if pair.kind in ("forward", "chain") and not _kept(plan, pair)
    }
    shown = {
        made.image
        for state in _attempts(plan, laid_out)
        if (made := state.attempt) is not None and made.pair_id not in unkept
    }
    sources = {
        source.source.image
        for slot in laid_out
        for source in (slot.state.sources if slot.state else ())
        if source.source is not None
    }
    return frozenset(unkept.values()) - shown - sources


def wanted_again(plan: Plan, slots: Iterable[Slot], dropped: frozenset[str]) -> frozenset[str]:
    """Pictures among the dropped ones that are no longer rejected: the rule is another one now."""
    return frozenset(
        state.attempt.image
        for state in _attempts(plan, slots)
        if state.attempt is not None
        and state.attempt.image in dropped
        and not isinstance(state.decision(plan), Rejected)
    )


def _kept(plan: Plan, pair: RejectedPair) -> bool:
    if plan.recipe.keep == "judged":
        return pair.gate == "validator"
    return plan.recipe.keep == "sample" and int(pair.id[:8], 16) % _SAMPLED == 0


def _attempts(plan: Plan, slots: Iterable[Slot]) -> Iterator[AttemptState]:
    for slot in slots:
        for source in slot.state.passed(plan) if slot.state else ():
            assert slot.state is not None  # noqa: S101  (the loop is over its sources)
            for lane in source.lanes:
                yield from lane.attempts
            for chain in chains(plan, slot.state, source, closing=True):
                yield from chain.lane.attempts
