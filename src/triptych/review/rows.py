"""What the grid shows, a row each: scenes, sources, attempts and derived pairs, with how far each came.

The decisions are those of `mining/select.py`; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from math import nan
from typing import Final, get_args

from triptych.datasets.dataset import style_of
from triptych.mining.derive import chains, derive, stacks
from triptych.mining.select import RunView, Triplet, view_of
from triptych.mining.slots import Slot
from triptych.mining.state import (
    AttemptState,
    DerivedKind,
    DerivedState,
    PairState,
    Plan,
    SceneState,
    SourceState,
)
from triptych.records import Scene, Source
from triptych.validator.rule import Accepted, Decision, Rejected, low_level_decision, soft_filter_decision

# How far a row came. A pair at stage n passed every gate before it; the last two are of the selection.
STAGES: Final = ("made", "soft_filter", "low_level", "validator", "selected", "kept")
_GATES: Final = {"screen": 0, "soft_filter": 0, "low_level": 1, "validator": 2}
UNDECIDED: Final = "undecided"
NOT_BEST: Final = "not_the_best"
HELD_AS_DERIVED: Final = frozenset(get_args(DerivedKind))  # whose gates are the rule's for derived pairs


@dataclass(frozen=True, slots=True)
class Row:
    """One picture or pair. Scores are NaN where there are none."""

    id: str  # of its Pair; of a source or a scene, its own
    attempt: str  # id of the attempt, of what is no attempt ""
    scene: str
    kind: str  # scene, source, or a kind of triplet
    source_image: str
    edited_image: str
    instruction: str  # of a source or scene, its prompt
    prompt: str
    category: str
    style: str
    width: int
    height: int
    stage: int  # index into STAGES
    reason: str  # why it came no further; "" where it leaves the run
    lane: str  # which attempts compete with it; "" where none do
    gates: bool  # whether it passed every gate before the validator
    adherence: float = nan
    aesthetics: float = nan
    soft_adherence: float = nan
    soft_aesthetics: float = nan
    inverse: float = nan  # adherence that its inverse got: what the backward filter looks at
    parents: tuple[str, ...] = ()  # Pairs that it was derived from


def rows_of(plan: Plan, slot: Slot) -> list[Row]:
    """Every row of a scene, in the order of the run."""
    scene = slot.state
    if scene is None:
        return []
    view = view_of(plan, [slot])
    rows: list[Row] = []
    for source in scene.sources:
        if source.source is not None:
            rows.append(_source_row(plan, scene.scene, source, source.source))
            if isinstance(source.decision(plan, scene.scene), Accepted):
                rows.extend(_pair_rows(plan, scene, source, source.source, view))
    return [_scene_row(scene), *rows]


def _scene_row(scene: SceneState) -> Row:
    first = next((source.source for source in scene.sources if source.source is not None), None)
    prompt = scene.scene.prompt or ""
    return Row(
        id=scene.scene.id,
        attempt="",
        scene=scene.scene.id,
        kind="scene",
        source_image=first.image if first else "",
        edited_image=first.image if first else "",
        instruction=prompt or "A photograph",
        prompt=prompt,
        category="scene",
        style=style_of(scene.scene),
        width=first.width if first else 1,
        height=first.height if first else 1,
        stage=0,
        reason="",
        lane="",
        gates=False,
    )


def _source_row(plan: Plan, scene: Scene, state: SourceState, source: Source) -> Row:
    decision = state.decision(plan, scene)
    prompt = scene.prompt or ""
    return Row(
        id=source.id,
        attempt="",
        scene=scene.id,
        kind="source",
        source_image=source.image,
        edited_image=source.image,
        instruction=prompt or "A photograph",
        prompt=prompt,
        category="source",
        style=style_of(scene),
        width=source.width,
        height=source.height,
        stage=1 if isinstance(decision, Accepted) else 0,
        reason=_reason(decision),
        lane="",
        gates=False,
    )


def _pair_rows(
    plan: Plan, scene: SceneState, source: SourceState, picture: Source, view: RunView
) -> Iterator[Row]:
    selected = {triplet.attempt.id for triplet in view.selected}
    dropped = {triplet.attempt.id for triplet in view.dropped}
    kept = {_key(triplet) for triplet in view.triplets}
    derived = derive(plan, scene, source, closing=True)
    backward = {
        state.attempts[0].id: inverse_adherence(plan, state) for state in derived if state.kind == "inverse"
    }
    for lane in source.lanes:
        for state in lane.attempts:
            if state.attempt is None:
                continue
            stage, reason = _come_to(state.decision(plan))
            attempt = state.attempt.id
            if ("forward", attempt) in kept:
                stage, reason = 5, ""
            elif attempt in selected:
                stage, reason = 4, "backward_inconsistent" if attempt in dropped else UNDECIDED
            elif stage == 3:
                reason = NOT_BEST
            yield _pair_row(
                plan,
                scene.scene,
                picture,
                state,
                kind="forward",
                attempt=attempt,
                category=lane.edit.category,
                stage=stage,
                reason=reason,
                lane=f"{source.id}:{lane.edit.id}",
                inverse=backward.get(attempt, nan),
            )
    yield from _chain_rows(plan, scene, source, picture, kept)
    for one in (*derived, *stacks(plan, scene, source, closing=True)):
        if one.pair is None:
            continue
        stage, reason = _come_to(one.decision(plan))
        if one.key in kept:
            stage, reason = 5, ""
        elif stage == 3:
            reason = "parent_dropped"
        yield _pair_row(
            plan,
            scene.scene,
            picture,
            one,
            kind=one.kind,
            attempt="",
            category=one.edits[0].category if one.kind == "inverse" else "composite",
            stage=stage,
            reason=reason,
            parents=tuple(attempt.pair_id for attempt in one.attempts),
        )


def _chain_rows(
    plan: Plan, scene: SceneState, source: SourceState, picture: Source, kept: Container[tuple[str, ...]]
) -> Iterator[Row]:
    """Attempts that were made on the picture of another attempt."""
    for chain in chains(plan, scene, source, closing=True):
        best = chain.lane.best(plan)
        for state in chain.lane.attempts:
            if state.attempt is None:
                continue
            stage, reason = _come_to(state.decision(plan))
            if ("chain", chain.first.id, state.attempt.id) in kept:
                stage, reason = 5, ""
            elif stage == 3:
                is_best = best is not None and best[0].id == state.attempt.id
                reason = "parent_dropped" if is_best else NOT_BEST
            yield _pair_row(
                plan,
                scene.scene,
                picture,
                state,
                kind="chain",
                attempt=state.attempt.id,
                category=chain.edits[1].category,
                stage=stage,
                reason=reason,
                lane=f"{chain.first.id}:{chain.edits[1].id}",
                parents=(chain.first.pair_id,),
            )


def _pair_row(
    plan: Plan,
    scene: Scene,
    picture: Source,
    state: AttemptState | DerivedState,
    *,
    kind: str,
    attempt: str,
    category: str,
    stage: int,
    reason: str,
    lane: str = "",
    inverse: float = nan,
    parents: tuple[str, ...] = (),
) -> Row:
    pair = state.pair
    assert pair is not None  # noqa: S101  (callers look first)
    soft, strong = state.scores(plan, "soft_filter"), state.scores(plan, "validator")
    return Row(
        id=pair.id,
        attempt=attempt,
        scene=scene.id,
        kind=kind,
        source_image=pair.source_image,
        edited_image=pair.edited_image,
        instruction=pair.instruction,
        prompt=scene.prompt or "",
        category=category,
        style=style_of(scene),
        width=picture.width,
        height=picture.height,
        stage=stage,
        reason=reason,
        lane=lane,
        gates=_passed_before_validator(plan, state),
        adherence=strong.adherence if strong else nan,
        aesthetics=strong.aesthetics if strong else nan,
        soft_adherence=soft.adherence if soft else nan,
        soft_aesthetics=soft.aesthetics if soft else nan,
        inverse=inverse,
        parents=parents,
    )


def inverse_adherence(plan: Plan, state: DerivedState) -> float:
    """What the backward filter reads: the validator's adherence, else the soft filter's; NaN: neither."""
    for spec in (plan.spec_id("validator"), plan.spec_id("soft_filter")):
        verdict = state.verdicts.get((spec, "adherence"))
        if verdict is not None and verdict.value is not None:
            return round(verdict.value, 4)
    return nan


def _passed_before_validator(plan: Plan, state: PairState) -> bool:
    rule = state.rule(plan)
    soft = soft_filter_decision(state.verdicts, plan.spec_id("soft_filter"), rule)
    return isinstance(soft, Accepted) and isinstance(low_level_decision(state.signals, rule), Accepted)


def _come_to(decision: Decision | None) -> tuple[int, str]:
    """Stage and reason by the gates alone."""
    if isinstance(decision, Accepted):
        return 3, ""
    gate = _GATES[decision.gate] if decision is not None and decision.gate in _GATES else 0
    return gate, _reason(decision)


def _reason(decision: Decision | None) -> str:
    if isinstance(decision, Accepted):
        return ""
    return decision.reason if isinstance(decision, Rejected) else UNDECIDED


def _key(triplet: Triplet) -> tuple[str, ...]:
    return triplet.kind, *(attempt.id for attempt in triplet.attempts)
