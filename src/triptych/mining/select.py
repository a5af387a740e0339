"""What a run has come to, derived from its facts: the funnel, the selected triplets, the rejections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from triptych.mining.schedule import Slot
from triptych.mining.state import AttemptState, Lane, Plan, SceneState, SourceState
from triptych.records import Attempt, Edit, Scene, Source
from triptych.validator.rule import (
    Accepted,
    Rejected,
    Scores,
)

FUNNEL_STAGES = (
    "scenes",
    "sources",
    "screened",
    "attempts",
    "soft_filter",
    "low_level",
    "validator",
    "selected",
)


@dataclass(frozen=True, slots=True)
class Triplet:
    """A selected triplet: the best accepted attempt of its (source, instruction)."""

    scene: Scene
    source: Source
    edit: Edit
    attempt: Attempt
    scores: Scores
    kind: str = "forward"

    @property
    def id(self) -> str:
        """Id of its Pair."""
        return self.attempt.pair_id


@dataclass(frozen=True, slots=True)
class RejectedPair:
    """An attempt that a gate stopped, with the scores it had got by then."""

    scene: Scene
    source: Source
    edit: Edit
    attempt: Attempt
    gate: str
    reason: str
    soft_scores: Scores | None
    scores: Scores | None


@dataclass(slots=True)
class RunView:
    """A run under one rule."""

    funnel: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FUNNEL_STAGES, 0))
    rejections: Counter[str] = field(default_factory=Counter)  # reason → sources and attempts
    triplets: list[Triplet] = field(default_factory=list)
    owed: int = 0  # attempts and sources on which something is still to do


def view_of(plan: Plan, slots: Iterable[Slot]) -> RunView:
    """Count and select. One pass over the states; no call, no image."""
    view = RunView()
    for slot in slots:
        if slot.state is None:
            view.owed += slot.spent is None
            continue
        view.funnel["scenes"] += 1
        for source in slot.state.sources:
            _count_source(view, plan, slot.state, source)
    view.funnel["selected"] = len(view.triplets)
    return view


def _count_source(view: RunView, plan: Plan, scene: SceneState, source: SourceState) -> None:
    if source.source is None:
        view.owed += source.spent is None
        return
    view.funnel["sources"] += 1
    decision = source.decision(plan, scene.scene)
    if isinstance(decision, Rejected):
        view.rejections[decision.reason] += 1
    elif isinstance(decision, Accepted):
        view.funnel["screened"] += 1
        for lane in source.lanes:
            for attempt in lane.attempts:
                _count_attempt(view, plan, attempt)
            best = best_of(plan, lane)
            if best is not None:
                view.triplets.append(Triplet(scene.scene, source.source, lane.edit, *best))
    else:
        view.owed += 1


def _count_attempt(view: RunView, plan: Plan, state: AttemptState) -> None:
    if state.attempt is None:
        return
    view.funnel["attempts"] += 1
    decision = state.decision(plan)
    gates = ("soft_filter", "low_level", "validator")
    passed = len(gates) if isinstance(decision, Accepted) else 0
    if isinstance(decision, Rejected):
        passed = gates.index(decision.gate)
        view.rejections[decision.reason] += 1
    elif decision is not None and not isinstance(decision, Accepted):
        passed = gates.index(decision.gate)
        view.owed += 1
    for gate in gates[:passed]:
        view.funnel[gate] += 1


def best_of(plan: Plan, lane: Lane) -> tuple[Attempt, Scores] | None:
    """The accepted attempt with the highest √(adherence·aesthetics) (stage 8); of equals the first seed."""
    best: tuple[Attempt, Scores] | None = None
    for state in lane.attempts:
        decision = state.decision(plan)
        if not isinstance(decision, Accepted) or decision.scores is None or state.attempt is None:
            continue
        if best is None or decision.scores.geometric_mean > best[1].geometric_mean:
            best = state.attempt, decision.scores
    return best


def rejected_pairs(plan: Plan, slots: Iterable[Slot]) -> Iterator[RejectedPair]:
    """Every attempt that a gate stopped, in the order of the run."""
    for slot in slots:
        if slot.state is None:
            continue
        for source, lane in slot.state.lanes(plan):
            for state in lane.attempts:
                decision = state.decision(plan)
                if isinstance(decision, Rejected) and state.attempt and source.source:
                    soft = _scores(state, plan.spec_id("soft_filter"))
                    scores = _scores(state, plan.spec_id("validator"))
                    yield RejectedPair(
                        slot.state.scene,
                        source.source,
                        lane.edit,
                        state.attempt,
                        decision.gate,
                        decision.reason,
                        soft,
                        scores,
                    )


def _scores(state: AttemptState, spec: str) -> Scores | None:
    values = [state.verdicts.get((spec, question)) for question in ("adherence", "aesthetics")]
    if any(verdict is None or verdict.value is None for verdict in values):
        return None
    return Scores(*(round(verdict.value, 4) for verdict in values if verdict and verdict.value is not None))
