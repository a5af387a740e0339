"""What a run has come to, derived from its facts: the funnel, the selected triplets, the rejections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from triptych.mining.derive import chains, derive, kept_after_backward, stacks
from triptych.mining.rewording import SAME_MEANING, RewordedState
from triptych.mining.slots import Slot
from triptych.mining.state import (
    AttemptState,
    DerivedState,
    PairState,
    Plan,
    SceneState,
    SourceState,
    spent_reason,
)
from triptych.records import Attempt, Edit, Scene, Source, paraphrase_id
from triptych.validator.rule import (
    Accepted,
    Gate,
    Rejected,
    Scores,
    Undecided,
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


TripletKind = Literal["forward", "inverse", "composite", "chain", "stack"]
KINDS: tuple[TripletKind, ...] = get_args(TripletKind)


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """⟨source image, instruction, edited image⟩ and what it came from.

    Forward: an attempt at its (source, instruction). Others name the edits and attempts that they were made
    of: the inverted one first, of chains and stacks the one that was made first.
    """

    id: str  # of its Pair
    kind: TripletKind
    scene: Scene
    source: Source
    edits: tuple[Edit, ...]
    attempts: tuple[Attempt, ...]
    source_image: str
    instruction: str
    edited_image: str

    @property
    def category(self) -> str:
        """Category of its edit; a joined one is composite."""
        return "composite" if self.kind in ("composite", "stack") else self.edits[-1].category

    @property
    def edit(self) -> Edit:
        """The edit that its last picture was made by, of a chain; of others the first that it came from."""
        return self.edits[-1 if self.kind == "chain" else 0]

    @property
    def parents(self) -> tuple[str, ...]:
        """Ids of the Pairs that it came from."""
        return tuple(made.pair_id for made in self.attempts if made.pair_id != self.id)

    @property
    def attempt(self) -> Attempt:
        """The attempt that made its last picture, of a chain; of others the first that it came from."""
        return self.attempts[-1 if self.kind == "chain" else 0]

    @property
    def width(self) -> int:
        """In pixels, of both pictures."""
        return self.source.width

    @property
    def height(self) -> int:
        """In pixels, of both pictures."""
        return self.source.height


@dataclass(frozen=True, slots=True)
class Triplet(JudgedPair):
    """A pair that leaves the run; a forward one is the best accepted attempt of its (source, instruction)."""

    scores: Scores
    augmented_instructions: tuple[str, ...] = ()  # its instruction in other words


@dataclass(frozen=True, slots=True)
class RejectedPair(JudgedPair):
    """A pair that a gate stopped, with the scores it had got by then."""

    gate: Gate
    reason: str
    soft_scores: Scores | None
    scores: Scores | None


@dataclass(slots=True)
class KindCounts:
    """How many pairs of a kind there are, and how many leave the run."""

    made: int = 0  # forward: selected before the backward filter; others: judged to the end
    kept: int = 0


@dataclass(slots=True)
class RunView:
    """A run under one rule."""

    funnel: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FUNNEL_STAGES, 0))
    rejections: Counter[str] = field(default_factory=Counter)  # reason → sources, attempts, derived pairs
    selected: list[Triplet] = field(default_factory=list)  # forward, before the backward filter
    triplets: list[Triplet] = field(default_factory=list)  # all that leave the run
    dropped: list[Triplet] = field(default_factory=list)  # forward ones that the backward filter took out
    kinds: dict[str, KindCounts] = field(default_factory=lambda: {kind: KindCounts() for kind in KINDS})
    owed: int = 0  # pairs, sources and instructions on which something is still to do
    reworded: Counter[str] = field(default_factory=Counter)  # what came of other wordings

    @property
    def multiplier(self) -> float | None:
        """Triplets that leave the run ÷ forward ones selected before the backward filter."""
        return round(len(self.triplets) / len(self.selected), 4) if self.selected else None


def view_of(plan: Plan, slots: Iterable[Slot]) -> RunView:
    """Count and select. One pass over the states; no call, no image."""
    view = RunView()
    for slot in slots:
        if slot.state is None:
            view.owed += slot.spent is None
            continue
        view.funnel["scenes"] += 1
        before = len(view.triplets)
        for source in slot.state.sources:
            _count_source(view, plan, slot.state, source)
        if plan.recipe.multiply.paraphrases:
            view.triplets[before:] = _with_paraphrases(view, plan, slot.state, view.triplets[before:])
    view.funnel["selected"] = view.kinds["forward"].made = len(view.selected)
    for triplet in view.triplets:
        view.kinds[triplet.kind].kept += 1
    return view


def leaving_instructions(plan: Plan, scene: SceneState) -> list[str]:
    """The instructions of all triplets of a scene that leave the run, each once."""
    view = RunView()
    for source in scene.sources:
        _count_source(view, plan, scene, source)
    return list(dict.fromkeys(triplet.instruction for triplet in view.triplets))


def reworded(plan: Plan, scene: SceneState, instruction: str) -> RewordedState:
    """The state of an instruction's other wordings, from the scene's facts where it is first asked for."""
    kept = scene.reworded.get(instruction)
    if kept is not None:
        return kept
    writer, embedder = plan.spec_id("writer"), plan.spec_id("embedder")
    state = RewordedState(instruction, paraphrase_id(scene.scene.id, instruction, writer, 0))
    state.paraphrases = tuple(
        made for made in scene.facts.paraphrases if (made.instruction, made.spec_id) == (instruction, writer)
    )
    state.spent = None if state.paraphrases else spent_reason(plan, scene.calls.get(state.job_id))
    for made in state.paraphrases:
        verdict = scene.facts.verdicts.get(made.id, {}).get((embedder, SAME_MEANING))
        if verdict is not None:
            state.verdicts[made.id] = verdict
    scene.reworded[instruction] = state
    return state


def _with_paraphrases(
    view: RunView, plan: Plan, scene: SceneState, triplets: Iterable[Triplet]
) -> list[Triplet]:
    lowest = plan.recipe.rule.same_meaning
    states = {triplet.instruction: reworded(plan, scene, triplet.instruction) for triplet in triplets}
    for state in states.values():
        view.owed += not state.settled
        leaving = len(state.leaving(lowest))
        view.reworded["instructions"] += bool(leaving)
        view.reworded["paraphrases"] += leaving
        for verdict in state.verdicts.values():
            if verdict.value is None:
                view.reworded[verdict.reason or "unchecked"] += 1
            elif verdict.value < lowest:
                view.reworded["another_meaning"] += 1
    return [
        replace(triplet, augmented_instructions=states[triplet.instruction].leaving(lowest))
        for triplet in triplets
    ]


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
        _select(view, plan, scene, source)
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
    elif isinstance(decision, Undecided):
        passed = gates.index(decision.gate)
        view.owed += 1
    for gate in gates[:passed]:
        view.funnel[gate] += 1


def _select(view: RunView, plan: Plan, scene: SceneState, source: SourceState) -> None:
    """Stages 8 and 11: the best of every lane, unless its inverse speaks against it, and what derives."""
    assert source.source is not None  # noqa: S101  (its lanes are open)
    derived = derive(plan, scene, source, closing=True)
    inverse_of = {state.attempts[0].id: state for state in derived if state.kind == "inverse"}
    stay: set[str] = set()
    for lane in source.lanes:
        best = lane.best(plan)
        if best is None:
            continue
        attempt, scores = best
        pair = source.source.image, lane.edit.instruction, attempt.image
        root = scene.scene, source.source
        triplet = Triplet(attempt.pair_id, "forward", *root, (lane.edit,), (attempt,), *pair, scores)
        view.selected.append(triplet)
        verdict = kept_after_backward(plan, inverse_of.get(attempt.id))
        if isinstance(verdict, Accepted):
            stay.add(attempt.id)
            view.triplets.append(triplet)
        elif isinstance(verdict, Rejected):
            view.dropped.append(triplet)
            view.rejections[verdict.reason] += 1
        else:
            view.owed += 1
    stay |= _count_chains(view, plan, scene, source, stay)
    for state in (*derived, *stacks(plan, scene, source, closing=True)):
        _count_derived(view, plan, scene.scene, source.source, state, stay)


def _count_chains(
    view: RunView, plan: Plan, scene: SceneState, source: SourceState, stay: Collection[str]
) -> set[str]:
    """The best of every chain leaves the run if the edit that it was made on does; ids of those that do."""
    assert source.source is not None  # noqa: S101  (callers looked)
    leaving: set[str] = set()
    for chain in chains(plan, scene, source, closing=True):
        for state in chain.lane.attempts:
            decision = state.decision(plan)
            if isinstance(decision, Rejected):
                view.rejections[f"chain_{decision.reason}"] += 1
        view.kinds["chain"].made += chain.lane.finished(plan)
        view.owed += not chain.lane.finished(plan)
        best = chain.lane.best(plan)
        if best is None:
            continue
        attempt, scores = best
        if chain.first.id not in stay:
            view.rejections["chain_parent_dropped"] += 1
            continue
        leaving.add(attempt.id)
        pair = chain.first.image, chain.edits[1].instruction, attempt.image
        root = scene.scene, source.source
        made_of = chain.edits, (chain.first, attempt)
        view.triplets.append(Triplet(attempt.pair_id, "chain", *root, *made_of, *pair, scores))
    return leaving


def _count_derived(
    view: RunView, plan: Plan, scene: Scene, source: Source, state: DerivedState, stay: Collection[str]
) -> None:
    """A derived pair leaves the run if its gates let it and every triplet that it came from stays."""
    decision, pair = state.decision(plan), state.pair
    if pair is None or isinstance(decision, Undecided):
        view.owed += state.spent is None
        return
    view.kinds[state.kind].made += 1
    if isinstance(decision, Rejected):
        view.rejections[f"{state.kind}_{decision.reason}"] += 1
    elif isinstance(decision, Accepted) and decision.scores is not None:
        if all(attempt.id in stay for attempt in state.attempts):
            parts = pair.source_image, pair.instruction, pair.edited_image
            view.triplets.append(
                Triplet(
                    pair.id, state.kind, scene, source, state.edits, state.attempts, *parts, decision.scores
                )
            )
        else:
            view.rejections[f"{state.kind}_parent_dropped"] += 1


def rejected_pairs(plan: Plan, slots: Iterable[Slot]) -> Iterator[RejectedPair]:
    """Every attempt and derived pair that a gate stopped, in the order of the run.

    A forward triplet that its inverse spoke against passed its own gates: it is in `RunView.dropped`.
    """
    for slot in slots:
        for source in slot.state.passed(plan) if slot.state else ():
            assert slot.state is not None  # noqa: S101  (the loop is over its sources)
            assert source.source is not None  # noqa: S101  (it passed the screen)
            root = slot.state.scene, source.source
            for lane in source.lanes:
                for attempt in lane.attempts:
                    if attempt.attempt is not None:
                        made_of = (lane.edit,), (attempt.attempt,)
                        yield from _if_rejected(plan, "forward", *root, *made_of, attempt)
            parts = plan, slot.state, source
            for derived in (*derive(*parts, closing=True), *stacks(*parts, closing=True)):
                made_of_many = derived.edits, derived.attempts
                yield from _if_rejected(plan, derived.kind, *root, *made_of_many, derived)
            for chain in chains(*parts, closing=True):
                for attempt in chain.lane.attempts:
                    if attempt.attempt is not None:
                        both = chain.edits, (chain.first, attempt.attempt)
                        yield from _if_rejected(plan, "chain", *root, *both, attempt)


def _if_rejected(
    plan: Plan,
    kind: TripletKind,
    scene: Scene,
    source: Source,
    edits: tuple[Edit, ...],
    attempts: tuple[Attempt, ...],
    state: PairState,
) -> Iterator[RejectedPair]:
    decision, pair = state.decision(plan), state.pair
    if isinstance(decision, Rejected) and pair is not None:
        parts = pair.source_image, pair.instruction, pair.edited_image
        scores = state.scores(plan, "soft_filter"), state.scores(plan, "validator")
        yield RejectedPair(
            pair.id, kind, scene, source, edits, attempts, *parts, decision.gate, decision.reason, *scores
        )
