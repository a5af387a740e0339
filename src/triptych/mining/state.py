"""Where every scene of a run stands: its facts by source, instruction and attempt, and what they decide.

The same state serves the miner, which adds facts as they come, and `status`, which only reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from triptych.ledger.queries import CallHistory, SceneFacts
from triptych.mining.jobs import Lost
from triptych.pixels.sizes import SIZES, scaled
from triptych.recipe import Recipe
from triptych.records import (
    Attempt,
    Edit,
    Fact,
    RoleName,
    Scene,
    Signal,
    Source,
    Spec,
    Verdict,
    attempt_id,
    identify,
    pair_id,
    source_id,
)
from triptych.validator.rule import (
    Accepted,
    Decision,
    Rejected,
    Undecided,
    pair_decision,
    screen_decision,
)

# Coprime with the number of sizes, so that scenes and seeds go through all of them evenly.
_SIZE_STEP_SCENE = 7
_SIZE_STEP_SEED = 11


@dataclass(frozen=True, slots=True)
class Plan:
    """A recipe, and the specs of the back ends that it names."""

    recipe: Recipe
    specs: Mapping[RoleName, Spec]

    def spec_id(self, role: RoleName) -> str:
        """Content id of a role's spec."""
        return self.specs[role].id

    def seed(self, number: int) -> int:
        """Seed of the number-th picture of a scene, or attempt at an edit."""
        return self.recipe.seed * 1000 + number


@dataclass(slots=True)
class AttemptState:
    """One attempt: owed, spent without a picture, or made and in judgement."""

    id: str
    seed: int
    attempt: Attempt | None = None
    lost: Lost | None = None
    spent: str | None = None  # why there is no picture and will be none
    signals: dict[str, float] = field(default_factory=dict)
    verdicts: dict[tuple[str, str], Verdict] = field(default_factory=dict)

    def decision(self, plan: Plan) -> Decision | None:
        """What the rule says of the pair; None while there is no picture."""
        if self.attempt is None:
            return None
        specs = plan.spec_id("soft_filter"), plan.spec_id("validator")
        return pair_decision(self.verdicts, self.signals, *specs, plan.recipe.rule)

    def settled(self, plan: Plan) -> bool:
        """Whether nothing is owed on it any more."""
        if self.spent is not None:
            return True
        decision = self.decision(plan)
        return decision is not None and not isinstance(decision, Undecided)


@dataclass(slots=True)
class Lane:
    """All attempts at one (source, instruction)."""

    edit: Edit
    attempts: list[AttemptState]

    def accepted(self, plan: Plan) -> bool:
        """Whether any attempt passes every gate."""
        return any(isinstance(attempt.decision(plan), Accepted) for attempt in self.attempts)


@dataclass(slots=True)
class SourceState:
    """One seed of a scene: owed, spent, or painted and screened."""

    id: str
    seed: int
    number: int
    width: int
    height: int
    source: Source | None = None
    lost: Lost | None = None
    spent: str | None = None
    verdicts: dict[tuple[str, str], Verdict] = field(default_factory=dict)
    lanes: list[Lane] = field(default_factory=list)

    def decision(self, plan: Plan, scene: Scene) -> Decision | None:
        """What the screen says; a photograph has nothing to be screened against and passes."""
        if self.source is None:
            return None
        if scene.origin == "photograph":
            return Accepted()
        return screen_decision(self.verdicts, plan.spec_id("screen"), plan.recipe.rule)

    def settled(self, plan: Plan, scene: Scene) -> bool:
        """Whether it is known if this source may be edited."""
        if self.spent is not None:
            return True
        decision = self.decision(plan, scene)
        return decision is not None and not isinstance(decision, Undecided)


@dataclass(slots=True)
class SceneState:
    """One scene of the run, with the position that its brief gives it."""

    ordinal: int
    scene: Scene
    edits: tuple[Edit, ...]
    sources: list[SourceState]
    facts: SceneFacts  # as they were when this command began
    gone: frozenset[str] = frozenset()  # images that facts name but that are no longer on disk

    @property
    def calls(self) -> Mapping[str, CallHistory]:
        """Failed calls of earlier commands, by job."""
        return self.facts.calls

    def passed(self, plan: Plan) -> Iterator[SourceState]:
        """Sources that passed the screen."""
        for source in self.sources:
            if isinstance(source.decision(plan, self.scene), Accepted):
                yield source

    def lanes(self, plan: Plan) -> Iterator[tuple[SourceState, Lane]]:
        """Every (source, instruction) that may be edited."""
        for source in self.passed(plan):
            for lane in source.lanes:
                yield source, lane


def scene_state(
    plan: Plan, ordinal: int, facts: SceneFacts, gone: frozenset[str] = frozenset()
) -> SceneState:
    """Lay a scene's facts out by the plan. `gone`: images that facts name but that are no longer on disk."""
    recipe = plan.recipe
    edits = facts.edits[: recipe.edits_per_scene]
    state = SceneState(ordinal, facts.scene, edits, [], facts, gone)
    if facts.scene.origin == "photograph":
        for imported in facts.sources:
            size = imported.width, imported.height
            state.sources.append(SourceState(imported.id, imported.seed, 0, *size, imported))
    else:
        known = {source.id: source for source in facts.sources}
        for number in range(recipe.sources_per_scene):
            state.sources.append(_owed_source(plan, ordinal, facts.scene, number))
            _place_source(plan, state.sources[-1], known, facts, gone)
    for source in state.sources:
        if source.source is not None:
            open_lanes(plan, state, source, facts, gone)
            source.verdicts.update(facts.verdicts.get(source.source.image, {}))
    return state


def _owed_source(plan: Plan, ordinal: int, scene: Scene, number: int) -> SourceState:
    size = SIZES[(_SIZE_STEP_SCENE * ordinal + _SIZE_STEP_SEED * number) % len(SIZES)]
    size = scaled(size, plan.recipe.megapixels)
    seed = plan.seed(number)
    id_ = source_id(scene.id, plan.spec_id("painter"), seed, size.width, size.height)
    return SourceState(id_, seed, number, size.width, size.height)


def _place_source(
    plan: Plan,
    state: SourceState,
    known: Mapping[str, Source],
    facts: SceneFacts,
    gone: frozenset[str] | set[str],
) -> None:
    source = known.get(state.id)
    if source is None:
        state.spent = spent_reason(plan, facts.calls.get(state.id))
    elif source.image in gone:
        state.lost = Lost(source.revision, source.image)
    else:
        state.source = source


def open_lanes(
    plan: Plan,
    state: SceneState,
    source: SourceState,
    facts: SceneFacts | None = None,
    gone: frozenset[str] | set[str] = frozenset(),
) -> None:
    """Lay out the attempts owed on a source that is there, with the facts known of them."""
    editor = plan.spec_id("editor")
    source.lanes = []
    for edit in state.edits:
        made: dict[str, Attempt] = {}
        if facts is not None:
            made = {attempt.id: attempt for attempt in facts.attempts.get((source.id, edit.id), ())}
        attempts = []
        for number in range(plan.recipe.attempts):
            seed = plan.seed(number)
            id_ = attempt_id(source.id, edit.id, editor, seed)
            attempt = AttemptState(id_, seed)
            if facts is not None:
                _place_attempt(plan, source, edit, attempt, made.get(id_), facts, gone)
            attempts.append(attempt)
        source.lanes.append(Lane(edit, attempts))


def _place_attempt(
    plan: Plan,
    source: SourceState,
    edit: Edit,
    state: AttemptState,
    attempt: Attempt | None,
    facts: SceneFacts,
    gone: frozenset[str] | set[str],
) -> None:
    if attempt is None:
        state.spent = spent_reason(plan, facts.calls.get(state.id))
        return
    assert source.source is not None  # noqa: S101  (lanes open on sources that are there)
    current = pair_id(source.source.image, edit.instruction, attempt.image)
    if (
        attempt.image in gone or attempt.pair_id != current
    ):  # the picture, or the source it was made from, is gone
        state.lost = Lost(attempt.revision, attempt.image)
        return
    state.attempt = attempt
    state.signals.update(facts.signals.get(attempt.pair_id, {}).get(plan.spec_id("checks"), {}))
    state.verdicts.update(facts.verdicts.get(attempt.pair_id, {}))


def spent_reason(plan: Plan, history: CallHistory | None) -> str | None:
    """Why a job that has no fact is not asked for again; None where it still is."""
    if history is None:
        return None
    if history.rejected:
        return history.last_reason
    if history.model_errors >= plan.recipe.retries.model_errors:
        return history.last_reason
    return None


def describe_job_id(scene: str, plan: Plan) -> str:
    """Id of the work of having a photograph's edits written."""
    return identify("describe", scene, plan.spec_id("writer"))


def take(state: AttemptState | SourceState, facts: Iterable[Fact]) -> None:
    """Add facts that a job just made to the state they belong to."""
    for fact in facts:
        if isinstance(fact, Verdict):
            state.verdicts[fact.spec_id, fact.question] = fact
        elif isinstance(fact, Signal) and isinstance(state, AttemptState):
            state.signals[fact.name] = fact.value
        elif isinstance(fact, Attempt) and isinstance(state, AttemptState):
            state.attempt, state.lost = fact, None
        elif isinstance(fact, Source) and isinstance(state, SourceState):
            state.source, state.lost = fact, None


def tries(state: SceneState, job_id: str) -> int:
    """Calls made for a job so far, in this run and before."""
    history = state.calls.get(job_id)
    return history.failures if history else 0


def model_errors(state: SceneState, job_id: str) -> int:
    """Model errors of a job so far."""
    history = state.calls.get(job_id)
    return history.model_errors if history else 0


def rejection(decision: Decision | None) -> str | None:
    """The reason of a rejection, None for anything else."""
    return decision.reason if isinstance(decision, Rejected) else None
