"""What a run has for a validator to decide on: pairs that reached it, and the lanes that it selects from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

from triptych.mining.derive import chains, derive, stacks
from triptych.mining.slots import Slot
from triptych.mining.state import Lane as AttemptLane
from triptych.mining.state import PairState, Plan
from triptych.validator.guarantee import DERIVED
from triptych.validator.rule import Accepted, PairFacts, Rejected
from triptych.validator.selection import Candidate, Lane

_BY_SCORE = ("adherence", "aesthetics", "accept")  # reasons of the validator's that another threshold changes


def reached_validator(plan: Plan, slots: Iterable[Slot]) -> Iterator[PairFacts]:
    """Every pair that the validator was asked about, once, in the order of the run.

    Its `source` is the picture that was painted, of derived pairs too: all that comes of one picture is held
    out together, though an inverse starts from an edited one.
    """
    known: set[str] = set()
    for root, state in _states(plan, slots):
        pair = state.pair
        asked = any(spec == plan.spec_id("validator") for spec, _ in state.verdicts)
        if pair is not None and asked and pair.id not in known:
            known.add(pair.id)
            yield replace(state.known(), source=root)


def painted_sources(plan: Plan, slots: Iterable[Slot]) -> dict[str, str]:
    """Pair → the picture that was painted and that the pair comes of."""
    return {state.pair.id: root for root, state in _states(plan, slots) if state.pair is not None}


def lanes(plan: Plan, slots: Iterable[Slot], dropped: frozenset[str] = frozenset()) -> Iterator[Lane]:
    """Lanes with candidates for selection. `dropped`: pairs that the backward filter takes out if picked.

    The plan's rule has a calibration that gives P(accept).
    """
    for slot in slots:
        for source in slot.state.passed(plan) if slot.state else ():
            assert slot.state is not None  # noqa: S101  (the loop is over its sources)
            assert source.source is not None  # noqa: S101  (it passed the screen)
            image = source.source.image
            for lane in source.lanes:
                found = _candidates(plan, lane, dropped)
                if found:
                    yield Lane("forward", lane.edit.category, image, found)
            parts = plan, slot.state, source
            for link in chains(*parts, closing=True):
                found = _candidates(plan, link.lane, dropped)
                if found:
                    yield Lane("chain", link.lane.edit.category, image, found)
            for derived in (*derive(*parts, closing=True), *stacks(*parts, closing=True)):
                candidates = tuple(_candidate(plan, derived, 0, dropped))
                if candidates:
                    yield Lane(derived.kind, f"{DERIVED}{derived.kind}", image, candidates)


def _candidates(plan: Plan, lane: AttemptLane, dropped: frozenset[str]) -> tuple[Candidate, ...]:
    return tuple(
        candidate
        for number, attempt in enumerate(lane.attempts)
        for candidate in _candidate(plan, attempt, number, dropped)
    )


def _candidate(plan: Plan, state: PairState, number: int, dropped: frozenset[str]) -> Iterator[Candidate]:
    decision, pair = state.decision(plan), state.pair
    waits = isinstance(decision, Rejected) and decision.gate == "validator" and decision.reason in _BY_SCORE
    if pair is None or not (waits or isinstance(decision, Accepted)):
        return
    scores = state.scores(plan, "validator")
    if scores is not None and scores.accept is not None:
        yield Candidate(pair.id, number, scores.accept, scores.geometric_mean, pair.id not in dropped)


def _states(plan: Plan, slots: Iterable[Slot]) -> Iterator[tuple[str, PairState]]:
    for slot in slots:
        for source in slot.state.passed(plan) if slot.state else ():
            assert slot.state is not None  # noqa: S101  (the loop is over its sources)
            assert source.source is not None  # noqa: S101  (it passed the screen)
            parts = plan, slot.state, source
            chained = (link.lane for link in chains(*parts, closing=True))
            attempts = (attempt for lane in (*source.lanes, *chained) for attempt in lane.attempts)
            derived = derive(*parts, closing=True), stacks(*parts, closing=True)
            for state in chain(attempts, *derived):
                yield source.source.image, state
