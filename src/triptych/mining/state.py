"""Where every scene of a run stands: its facts by source, instruction and attempt, and what they decide.

The same state serves the miner, which adds facts as they come, and `status`, which only reads.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from triptych.ledger.queries import CallHistory, SceneFacts, standing_verdict
from triptych.mining.jobs import PAIRS_SPEC, JudgeName, Lost, PhotographWish
from triptych.mining.rewording import RewordedState
from triptych.pixels.sizes import SIZES, scaled
from triptych.recipe import Recipe
from triptych.records import (
    Attempt,
    Derivation,
    Edit,
    Fact,
    Json,
    Pair,
    Phrase,
    PhraseKind,
    RoleName,
    Scene,
    Signal,
    Source,
    Spec,
    Verdict,
    attempt_id,
    brief_id,
    pair_id,
    phrase_id,
    source_id,
)
from triptych.validator.guarantee import DERIVED
from triptych.validator.people import PeopleSay
from triptych.validator.rule import (
    Accepted,
    Decision,
    PairFacts,
    Rejected,
    Rule,
    Scores,
    Undecided,
    pair_decision,
    screen_decision,
)

DerivedKind = Literal["inverse", "composite", "stack"]
_PHRASE_KINDS: Mapping[DerivedKind, PhraseKind] = {
    "inverse": "inverse",
    "composite": "joined",
    "stack": "stacked",
}
LOST = "lost_picture"

if TYPE_CHECKING:  # most rules have none, and it loads NumPy
    from triptych.validator.scoring import PairScorer

_PHOTOGRAPHED = 2  # objects that a photograph is taken to show: enough for composites
_SIZE_STEP = 11  # coprime with the number of sizes: the seeds of a scene go through all of them


@dataclass(frozen=True, slots=True)
class Plan:
    """A recipe, and the specs of the back ends that it names."""

    recipe: Recipe
    specs: Mapping[RoleName, Spec]
    scorer: PairScorer | None = None  # of the rule's calibration
    people: Mapping[str, PeopleSay] = field(default_factory=dict)  # pair id → what overrules the gates

    def spec_id(self, role: RoleName) -> str:
        """Content id of a role's spec."""
        return self.specs[role].id

    def repeats(self, role: JudgeName) -> int:
        """How often a judge is asked the same."""
        recipe = self.recipe
        judges = {"screen": recipe.screen, "soft_filter": recipe.soft_filter, "validator": recipe.validator}
        judge = judges[role]
        return 1 if judge is None else judge.repeats

    def seed(self, number: int) -> int:
        """Seed of the number-th picture of a scene, or attempt at an edit."""
        return self.recipe.seed * 1000 + number


@dataclass(slots=True, kw_only=True)
class PairState:
    """What is known of a pair in judgement, or why there will be none."""

    spent: str | None = None
    signals: dict[str, float] = field(default_factory=dict)
    verdicts: dict[tuple[str, str], Verdict] = field(default_factory=dict)
    decided: Decision | None = None  # facts are only ever added: what is decided stays so

    @property
    def pair(self) -> Pair | None:
        """The pair; None while one of its parts is owed."""
        raise NotImplementedError

    @property
    def group(self) -> str:
        """What is calibrated together: the category of an attempt's edit, the kind of a derived pair."""
        raise NotImplementedError

    def decision(self, plan: Plan) -> Decision | None:
        """What the rule says of the pair; None while there is none."""
        if self.decided is not None:
            return self.decided
        if self.pair is None:
            return None
        specs = plan.spec_id("soft_filter"), plan.spec_id("validator")
        scorer, rule = plan.scorer, self.rule(plan)
        calibrated = None if scorer is None else lambda: scorer.read(self.known(), rule.accept)
        decision = pair_decision(self.verdicts, self.signals, *specs, rule, calibrated)
        said = plan.people.get(self.pair.id)
        if said is not None:
            decision = self._overruled(said, decision, specs[1])
        if not isinstance(decision, Undecided):
            self.decided = decision
        return decision

    def _overruled(self, said: PeopleSay, decision: Decision, validator: str) -> Decision:
        """What people say, in place of the gates, if they or the validator gave scores to rank it by."""
        if not said.good:
            return Rejected("validator", "people")
        given = [self.verdicts.get((validator, question)) for question in ("adherence", "aesthetics")]
        values = [verdict.value for verdict in given if verdict is not None and verdict.value is not None]
        scores = said.scores or (Scores(*(round(value, 4) for value in values)) if len(values) == 2 else None)
        return decision if scores is None else Accepted(scores)

    def rule(self, plan: Plan) -> Rule:
        """What decides about the pair."""
        return plan.recipe.rule

    def known(self) -> PairFacts:
        """All that a validator may know of it by now."""
        pair = self.pair
        assert pair is not None  # noqa: S101  (asked for once the pair is there)
        said = self.verdicts, self.signals
        return PairFacts(pair.id, pair.instruction, self.group, pair.source_image, *said)

    def scores(self, plan: Plan, role: RoleName) -> Scores | None:
        """A judge's scores on both axes, the validator's calibrated if the rule is; None without them."""
        spec = plan.spec_id(role)
        verdicts = [self.verdicts.get((spec, question)) for question in ("adherence", "aesthetics")]
        values = [verdict.value for verdict in verdicts if verdict is not None and verdict.value is not None]
        if len(values) != 2:
            return None
        if role == "validator" and plan.scorer is not None:
            return plan.scorer.read(self.known(), None).scores
        return Scores(*(round(value, 4) for value in values))

    def settled(self, plan: Plan) -> bool:
        """Whether nothing is owed on it any more."""
        if self.spent is not None:
            return True
        decision = self.decision(plan)
        return decision is not None and not isinstance(decision, Undecided)

    def know(self, plan: Plan, facts: SceneFacts) -> None:
        """Add what earlier commands measured and judged of the pair."""
        if self.pair is not None:
            self.signals.update(facts.signals.get(self.pair.id, {}).get(plan.spec_id("checks"), {}))
            self.verdicts.update(facts.verdicts.get(self.pair.id, {}))


@dataclass(slots=True)
class AttemptState(PairState):
    """One attempt: owed, spent without a picture, or made and in judgement."""

    id: str
    seed: int
    source_image: str
    instruction: str
    category: str
    attempt: Attempt | None = None
    lost: Lost | None = None
    calls: int = 0  # that the editor answered or failed at, unreached ones aside: what a budget counts

    @property
    def group(self) -> str:
        """Category of its edit."""
        return self.category

    @property
    def pair(self) -> Pair | None:
        """The attempt's pair."""
        if self.attempt is None:
            return None
        return Pair(self.attempt.pair_id, self.source_image, self.instruction, self.attempt.image)

    def count_call(self) -> None:
        """One more call that the editor answered or failed at."""
        self.calls += 1


@dataclass(slots=True)
class DerivedState(PairState):
    """A pair derived from accepted attempts at one source: an inverse, a composite or a stack of two."""

    kind: DerivedKind
    edits: tuple[Edit, ...]  # the one that is inverted (of a stack: made first), then the one that follows
    attempts: tuple[Attempt, ...]  # accepted, of these edits
    source_image: str
    edited_image: str
    phrase: Phrase | None = None
    rests_on: tuple[DerivedState, ...] = ()  # inverses whose instruction or verdict it takes

    def rule(self, plan: Plan) -> Rule:
        """What decides about the pair."""
        return plan.recipe.rule.for_derived

    @property
    def group(self) -> str:
        """Its kind."""
        return f"{DERIVED}{self.kind}"

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from others of its source."""
        return self.kind, *(attempt.id for attempt in self.attempts)

    @property
    def pair(self) -> Pair | None:
        """The pair; None while nobody has worded its instruction."""
        if self.phrase is None:
            return None
        parts = self.source_image, self.phrase.instruction, self.edited_image
        return Pair(pair_id(*parts), *parts)

    def phrase_id(self, plan: Plan) -> str:
        """Id of the instruction that it needs."""
        other = self.edits[1].id if len(self.edits) > 1 else None
        return phrase_id(self.phrase_kind, self.edits[0].id, other, plan.spec_id("writer"))

    @property
    def phrase_kind(self) -> PhraseKind:
        """What kind of instruction it needs."""
        return _PHRASE_KINDS[self.kind]

    def derivations(self) -> tuple[Derivation, ...]:
        """The edges from its parents."""
        pair = self.pair
        assert pair is not None  # noqa: S101  (asked for once the pair is there)
        return tuple(
            Derivation(pair.id, number, attempt.pair_id, self.kind)
            for number, attempt in enumerate(self.attempts)
        )


@dataclass(slots=True)
class Lane:
    """All attempts at one (source, instruction); of a chain, at one (edited picture, instruction)."""

    base_id: str  # the source, or the attempt whose picture is edited further
    place: tuple[int, ...]  # among the lanes of its source
    edit: Edit
    attempts: list[AttemptState]
    brought: bool = False  # by an import: nothing is made, all are judged

    def accepted(self, plan: Plan) -> bool:
        """Whether any attempt passes every gate."""
        return any(isinstance(attempt.decision(plan), Accepted) for attempt in self.attempts)

    def finished(self, plan: Plan) -> bool:
        """Whether its policy asks for no further attempt, so that its best is known."""
        if plan.recipe.policy == "until_accepted" and not self.brought and self.accepted(plan):
            return True
        return all(attempt.settled(plan) for attempt in self.attempts)

    def best(self, plan: Plan) -> tuple[Attempt, Scores] | None:
        """The accepted attempt with the highest √(adherence·aesthetics) (stage 8); of equals the first."""
        best: tuple[Attempt, Scores] | None = None
        for state in self.attempts:
            decision = state.decision(plan)
            if not isinstance(decision, Accepted) or decision.scores is None or state.attempt is None:
                continue
            if best is None or decision.scores.geometric_mean > best[1].geometric_mean:
                best = state.attempt, decision.scores
        return best


@dataclass(frozen=True, slots=True)
class Chain:
    """Two edits one after the other: source → i → j, where j is made on the picture that i gave."""

    first: Attempt  # accepted, of edits[0]
    edits: tuple[Edit, Edit]
    lane: Lane  # attempts at edits[1] on the first's picture
    rests_on: DerivedState  # the first's inverse

    def stack(self, plan: Plan, source: Source) -> DerivedState | None:
        """⟨source, both instructions as one, the chain's end⟩; None while the chain has no accepted end."""
        best = self.lane.best(plan)
        if best is None:
            return None
        attempts = self.first, best[0]
        return DerivedState("stack", self.edits, attempts, source.image, best[0].image)


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
    derived: dict[tuple[str, ...], DerivedState] = field(default_factory=dict)
    chains: dict[tuple[str, ...], Chain] = field(default_factory=dict)

    def decision(self, plan: Plan, scene: Scene) -> Decision | None:
        """What the screen says; what wasn't painted has nothing to be screened against and passes."""
        if self.source is None:
            return None
        if scene.origin != "written":
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
    phrases: dict[str, Phrase] = field(default_factory=dict)  # by id; sources of a scene share them
    unphrased: dict[str, str] = field(default_factory=dict)  # id → why there will be none
    reworded: dict[str, RewordedState] = field(default_factory=dict)  # by instruction
    judged: dict[str, PairState] = field(default_factory=dict)  # pair id → who has its facts

    def shared(self, state: PairState) -> PairState:
        """Let attempts that came out the same, to the byte, share what is known of their one pair."""
        pair = state.pair
        if pair is not None:
            first = self.judged.setdefault(pair.id, state)
            state.signals, state.verdicts = first.signals, first.verdicts
        return state

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
    plan: Plan,
    ordinal: int,
    facts: SceneFacts,
    written: Sequence[str],
    gone: frozenset[str] = frozenset(),
) -> SceneState:
    """Lay a scene's facts out by the plan.

    `written`: ids of the instructions that this recipe's brief gave, in order; the scene may have others,
    from other recipes. `gone`: images that facts name but that are no longer on disk.
    """
    known = {edit.id: edit for edit in facts.edits}
    edits = tuple(known[id_] for id_ in written if id_ in known)
    state = SceneState(ordinal, facts.scene, edits, [], facts, gone)
    state.phrases.update((phrase.id, phrase) for phrase in facts.phrases)
    if facts.scene.origin == "photograph":
        state.sources.extend(_imported(plan, facts.sources))
    else:
        painted = {source.id: source for source in facts.sources}
        for number in range(plan.recipe.sources_per_scene):
            source = _owed_source(plan, facts.scene, number)
            _place_source(plan, state, source, painted.get(source.id))
            state.sources.append(source)
    for source in state.sources:
        if source.source is not None:
            open_lanes(plan, state, source)
    return state


def brought_state(
    plan: Plan, ordinal: int, facts: SceneFacts, gone: frozenset[str] = frozenset()
) -> SceneState:
    """Pairs of one source that an import brought. A lost picture is spent: another import brings it again."""
    edits = tuple(edit for edit in facts.edits if any(key[1] == edit.id for key in facts.attempts))
    state = SceneState(ordinal, facts.scene, edits, [], facts, gone)
    state.phrases.update((phrase.id, phrase) for phrase in facts.phrases)
    for source in facts.sources:
        placed = SourceState(source.id, source.seed, 0, source.width, source.height)
        if source.image in gone:
            placed.spent = LOST
        else:
            placed.source = source
            placed.lanes = [_brought_lane(plan, state, source, edit) for edit in edits]
        state.sources.append(placed)
    return state


def _brought_lane(plan: Plan, scene: SceneState, source: Source, edit: Edit) -> Lane:
    lane = Lane(source.id, (edit.ordinal,), edit, [], brought=True)
    for attempt in scene.facts.attempts.get((source.id, edit.id), ()):
        if attempt.spec_id != PAIRS_SPEC.id:
            continue
        state = AttemptState(attempt.id, attempt.seed, source.image, edit.instruction, edit.category)
        if attempt.image in scene.gone:
            state.spent = LOST
        else:
            state.attempt = attempt
            state.know(plan, scene.facts)
            scene.shared(state)
        lane.attempts.append(state)
    return lane


def _imported(plan: Plan, sources: Iterable[Source]) -> Iterator[SourceState]:
    """The photograph as this recipe wants it; an import at another size is another source."""
    for source in sources:
        if source.spec_id == plan.spec_id("importer"):
            yield SourceState(source.id, source.seed, 0, source.width, source.height, source)


def _owed_source(plan: Plan, scene: Scene, number: int) -> SourceState:
    size = SIZES[(int(scene.id[:8], 16) + _SIZE_STEP * number) % len(SIZES)]
    size = scaled(size, plan.recipe.megapixels)
    seed = plan.seed(number)
    id_ = source_id(scene.id, plan.spec_id("painter"), seed, size.width, size.height)
    return SourceState(id_, seed, number, size.width, size.height)


def _place_source(plan: Plan, scene: SceneState, state: SourceState, source: Source | None) -> None:
    if source is None:
        state.spent = spent_reason(plan, scene.calls.get(state.id))
    elif source.image in scene.gone:
        state.lost = Lost(source.revision, source.image)
    else:
        state.source = source


def open_lanes(plan: Plan, scene: SceneState, source: SourceState) -> None:
    """Lay out the attempts owed on a source that is there, with all that is known of it and of them."""
    assert source.source is not None  # noqa: S101  (callers look first)
    image = source.source.image
    source.verdicts.update(scene.facts.verdicts.get(image, {}))
    source.lanes = [open_lane(plan, scene, (source.id, image), (edit.ordinal,), edit) for edit in scene.edits]


def open_lane(
    plan: Plan, scene: SceneState, base: tuple[str, str], place: tuple[int, ...], edit: Edit
) -> Lane:
    """The attempts owed at an edit of a picture, with all that is known of them. `base`: its id and image."""
    id_of_base, image = base
    made = {attempt.id: attempt for attempt in scene.facts.attempts.get((id_of_base, edit.id), ())}
    lane = Lane(id_of_base, place, edit, [])
    for number in range(plan.recipe.attempts):
        seed = plan.seed(number)
        id_ = attempt_id(id_of_base, edit.id, plan.spec_id("editor"), seed)
        lane.attempts.append(AttemptState(id_, seed, image, edit.instruction, edit.category))
        _place_attempt(plan, scene, lane.attempts[-1], made.get(id_))
    return lane


def _place_attempt(plan: Plan, scene: SceneState, state: AttemptState, attempt: Attempt | None) -> None:
    history = scene.calls.get(state.id)
    if history is not None:
        state.calls = history.rejected + history.model_errors
    if attempt is None:
        state.spent = spent_reason(plan, history)
        return
    state.calls += 1
    current = pair_id(state.source_image, state.instruction, attempt.image)
    if attempt.image in scene.gone or attempt.pair_id != current:
        # The picture is gone, or was made from a source that is.
        state.lost = Lost(attempt.revision, attempt.image)
        return
    state.attempt = attempt
    state.know(plan, scene.facts)
    scene.shared(state)


def spent_reason(plan: Plan, history: CallHistory | None) -> str | None:
    """Why a job that has no fact is not asked for again; None where it still is."""
    if history is None:
        return None
    if history.rejected:
        return history.last_reason
    if history.model_errors >= plan.recipe.retries.model_errors:
        return history.last_reason
    return None


def description_wanted(scene: Scene, plan: Plan) -> PhotographWish:
    """What a Writer is to say of a photograph; seeded by what it shows, whatever else is in its folder."""
    recipe = plan.recipe
    seed = int(scene.id[:8], 16)
    drawn = recipe.categories or recipe.brief.drawn(recipe.edits_per_scene, _PHOTOGRAPHED, seed)
    return PhotographWish(seed, recipe.edits_per_scene, drawn, recipe.brief.guide(seed))


def description_asked(scene: Scene, plan: Plan) -> dict[str, Json]:
    """The same as a brief tells it."""
    wish = description_wanted(scene, plan)
    asked: dict[str, Json] = {
        "describe": scene.id,
        "writer": plan.spec_id("writer"),
        "edits": wish.edits,
        "categories": list(wish.categories),
    }
    return asked | plan.recipe.brief.asked(wish.guide)


def describe_job_id(scene: Scene, plan: Plan) -> str:
    """Id of the work of having a photograph's edits written, and of the brief that it leaves."""
    return brief_id(plan.recipe.seed, 0, description_asked(scene, plan))


def take(state: PairState | SourceState, facts: Iterable[Fact]) -> None:
    """Add facts that a job just made to the state they belong to."""
    said: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for fact in facts:
        if isinstance(fact, Verdict):
            said[fact.spec_id, fact.question].append(fact)
        elif isinstance(fact, Signal) and isinstance(state, PairState):
            state.signals[fact.name] = fact.value
        elif isinstance(fact, Attempt) and isinstance(state, AttemptState):
            state.attempt, state.lost = fact, None
        elif isinstance(fact, Source) and isinstance(state, SourceState):
            state.source, state.lost = fact, None
    for key, given in said.items():
        standing = standing_verdict(given, ())
        if standing is not None:
            state.verdicts[key] = standing
