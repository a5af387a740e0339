"""What to do next: the one place that chooses jobs, by policy and within the budget.

`best_of`, `until_accepted` and `uniform` give the same data set whatever the number of workers, kills and
engines, under a cap on editor calls too: attempts are handed out in a fixed order, and one is handed out only
when it would be so whichever way the attempts still open before it end. Caps on other calls, on model-seconds
and on wall time stop the run wherever it then stands.
"""

from __future__ import annotations

import heapq
import time
from bisect import insort
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from operator import itemgetter

from triptych.mining.derive import chains, derive, stacks
from triptych.mining.rewording import RewordedState
from triptych.mining.select import leaving_instructions, reworded
from triptych.mining.slots import Slot
from triptych.mining.state import (
    AttemptState,
    DerivedState,
    Lane,
    Plan,
    SceneState,
    SourceState,
)
from triptych.recipe import Budget
from triptych.records import RoleName, identify
from triptych.validator.rule import Accepted, Undecided


@dataclass(frozen=True, slots=True)
class WriteTask:
    """Have a scene written, or a photograph imported."""

    slot: Slot


@dataclass(frozen=True, slots=True)
class SourceTask:
    """Have a source painted and screened (a photograph: described)."""

    slot: Slot
    source: SourceState


@dataclass(frozen=True, slots=True)
class AttemptTask:
    """Have an attempt made and judged as far as the gates let it."""

    slot: Slot
    source: SourceState
    lane: Lane
    attempt: AttemptState


@dataclass(frozen=True, slots=True)
class DerivedTask:
    """Have a derived pair worded, measured and judged as far as the gates let it."""

    slot: Slot
    source: SourceState
    derived: DerivedState


class Phase(IntEnum):
    """How far the work has come. Each begins when nothing of the one before can be handed out any more."""

    OPEN = 0  # scenes, sources and attempts as they come, and what derives from finished ones
    POOLED = 1  # no further source will join: `uniform` may draw
    CLOSING = 2  # no further attempt at a source: what was selected by now is multiplied
    CHAINING = 3  # results of edits are edited further
    ENDING = 4  # no further attempt at a chain
    REWORDING = 5  # what leaves is known: its instructions are said in other words


@dataclass(frozen=True, slots=True)
class RewordTask:
    """Have an instruction that leaves the run said in other words."""

    slot: Slot
    reworded: RewordedState


Task = WriteTask | SourceTask | AttemptTask | DerivedTask | RewordTask
Position = tuple[int | str, ...]

_WRITTEN_TOGETHER = 50  # scenes: a writer that is a language model has them in one prompt
_FREE: frozenset[RoleName] = frozenset({"importer", "checks"})  # no model: no budget


class Spending:
    """What the run has used of its budget, earlier commands included, and which cap stopped it, if any."""

    def __init__(self, budget: Budget, calls: Mapping[RoleName, int], model_seconds: float) -> None:
        self.budget = budget
        self.calls: Counter[str] = Counter(calls)
        self._caps = {str(name): cap for name, cap in budget.calls.items()}
        self.model_seconds = model_seconds
        self.stopped_by: str | None = None
        self._started = time.monotonic()  # wall time is of this command alone

    def affords(self, role: RoleName) -> bool:
        """Whether one more call of this role is within every cap."""
        if role in _FREE:
            return True
        budget = self.budget
        cap = self._caps.get(role)
        if cap is not None and self.calls[role] >= cap:
            self.stopped_by = f"the budget of {cap} {role.replace('_', ' ')} calls"
        elif budget.model_seconds is not None and self.model_seconds >= budget.model_seconds:
            self.stopped_by = f"the budget of {budget.model_seconds:g} model-seconds"
        elif budget.wall is not None and time.monotonic() - self._started >= budget.wall:
            self.stopped_by = f"the budget of {budget.wall:g} seconds of wall time"
        else:
            return True
        return False

    def begin(self, role: RoleName) -> None:
        """Count a call before it is made, so that parallel calls can't overshoot a cap."""
        self.calls[role] += 1

    def end(self, seconds: float) -> None:
        """Add the model-seconds of a finished call."""
        self.model_seconds += seconds


class Scheduler:
    """Hands out tasks; the miner reports each back when it is done."""

    def __init__(self, plan: Plan, slots: Iterable[Slot], spending: Spending) -> None:
        self.plan = plan
        self.slots = list(slots)
        self.spending = spending
        self._sources: deque[SourceTask] = deque()
        self._writes: deque[WriteTask] = deque()
        # No editor call is owed on these.
        self._judgements: deque[AttemptTask | DerivedTask | RewordTask] = deque()
        self._attempts: list[tuple[Position, int, AttemptTask]] = []
        self._offered: set[str] = set()  # ids of attempts handed out or queued
        self._serial = 0
        self._out = 0  # tasks handed out and not yet reported
        self._editing: dict[str, AttemptState] = {}  # handed out, and their edit not known to have ended
        self._writing = 0  # scenes still to be handed out along with the last one
        self._phase = Phase.OPEN
        self._chained: list[tuple[Position, Lane]] = []  # lanes of chains, in the order of their attempts
        self._used_before_chains = 0  # editor calls
        self._open_sources = 0  # written scenes' sources not yet settled, and briefs not yet written
        for slot in self.slots:
            if slot.state is not None:
                self._open(slot)
            elif slot.spent is None:
                self._open_sources += 1
                self._writes.append(WriteTask(slot))

    # -- what the miner calls ------------------------------------------------------------------------------

    def next(self) -> Task | None:
        """The next task, or None: nothing to hand out until something in flight is reported, or at all."""
        task = self._next()
        while task is None and self._out == 0 and self._phase < max(Phase):
            self._phase = Phase(self._phase + 1)
            self._enter()
            task = self._next()
        if task is not None:
            self._out += 1
            if isinstance(task, AttemptTask) and task.attempt.attempt is None:
                self._editing[task.attempt.id] = task.attempt
        return task

    def _enter(self) -> None:
        """Queue what the phase that begins adds."""
        if self._phase == Phase.CHAINING:
            self._used_before_chains = sum(self._at_most(slot) for slot in self.slots)
        for slot in self.slots:
            if self._phase == Phase.REWORDING:
                self._judgements.extend(RewordTask(slot, state) for state in to_reword(self.plan, slot))
                continue
            for source in slot.state.sources if slot.state else ():
                if self._phase in (Phase.CLOSING, Phase.ENDING):
                    self._offer_derived(slot, source)
                elif self._phase == Phase.CHAINING:
                    self._offer_chains(slot, source)

    def _next(self) -> Task | None:
        if self._writing and self._writes and self.spending.affords("writer"):
            self._writing -= 1
            return self._writes.popleft()
        if self._judgements:
            return self._judgements.popleft()
        attempt = self._next_attempt()
        if attempt is not None:
            return attempt
        if self._attempts and not self.spending.affords("editor"):
            return None  # no further source could be edited: painting more would be waste
        if self._sources and self.spending.affords("painter") and self.spending.affords("screen"):
            return self._sources.popleft()
        if self._writes and self.spending.affords(self._writes[0].slot.opening.role):
            self._writing = _WRITTEN_TOGETHER - 1
            return self._writes.popleft()
        return None

    def done(self, task: Task) -> None:
        """Take back a task that is finished, whatever came of it."""
        self._out -= 1
        if isinstance(task, AttemptTask):
            self._editing.pop(task.attempt.id, None)
        match task:
            case WriteTask(slot):
                self._open_sources -= 1
                if slot.state is not None:
                    self._open(slot)
            case SourceTask(slot, source):
                self._open_sources -= 1
                self._offer_source(slot, source)
            case AttemptTask(slot, source, lane, _):
                self._offer_lane(slot, source, lane)
                self._offer_derived(slot, source)
            case DerivedTask(slot, source, _):
                self._offer_derived(slot, source)

    # -- opening work --------------------------------------------------------------------------------------

    def _open(self, slot: Slot) -> None:
        assert slot.state is not None  # noqa: S101  (callers just set it)
        for source in slot.state.sources:
            if source.settled(self.plan, slot.state.scene) and (
                slot.state.edits or slot.state.scene.origin == "written"
            ):
                self._offer_source(slot, source)
            elif source.spent is None:
                self._open_sources += 1
                self._sources.append(SourceTask(slot, source))

    def _offer_source(self, slot: Slot, source: SourceState) -> None:
        assert slot.state is not None  # noqa: S101  (it has a source)
        if isinstance(source.decision(self.plan, slot.state.scene), Accepted):
            for lane in source.lanes:
                self._offer_lane(slot, source, lane)
            self._offer_derived(slot, source)

    def _offer_derived(self, slot: Slot, source: SourceState) -> None:
        assert slot.state is not None  # noqa: S101  (it has a source)
        parts = self.plan, slot.state, source
        derived_pairs = derive(*parts, closing=self._phase >= Phase.CLOSING)
        if self._phase >= Phase.CHAINING:
            derived_pairs += stacks(*parts, closing=self._phase >= Phase.ENDING)
        for derived in derived_pairs:
            name = identify("derived", *derived.key)
            if name not in self._offered and not derived.settled(self.plan):
                self._offered.add(name)
                self._judgements.append(DerivedTask(slot, source, derived))

    def _offer_chains(self, slot: Slot, source: SourceState) -> None:
        assert slot.state is not None  # noqa: S101  (it has a source)
        for chain in chains(self.plan, slot.state, source, closing=True):
            insort(self._chained, (self._place(slot, source, chain.lane), chain.lane), key=itemgetter(0))
            self._offer_lane(slot, source, chain.lane)
        self._offer_derived(slot, source)

    def _offer_lane(self, slot: Slot, source: SourceState, lane: Lane) -> None:
        for attempt in owed(self.plan, lane):
            if attempt.id in self._offered:
                continue
            self._offered.add(attempt.id)
            task = AttemptTask(slot, source, lane, attempt)
            if attempt.attempt is not None:
                self._judgements.append(task)
                continue
            self._serial += 1
            position = self._position(slot, source, lane, attempt)
            heapq.heappush(self._attempts, (position, self._serial, task))

    def _position(self, slot: Slot, source: SourceState, lane: Lane, attempt: AttemptState) -> Position:
        if self.plan.recipe.policy == "uniform":
            return (identify("draw", self.plan.recipe.seed, attempt.id),)
        return (*self._place(slot, source, lane), attempt.seed)

    @staticmethod
    def _place(slot: Slot, source: SourceState, lane: Lane) -> tuple[int, ...]:
        return (slot.ordinal, source.number, *lane.place)

    # -- handing out attempts ------------------------------------------------------------------------------

    def _next_attempt(self) -> AttemptTask | None:
        if not self._attempts or not self.spending.affords("editor"):
            return None
        waiting = self._open_sources > 0 and self._phase < Phase.POOLED
        if self.plan.recipe.policy == "uniform" and waiting:
            return None  # the pool is whole before the first draw, or early scenes were drawn more often
        cap = self.plan.recipe.budget.calls.get("editor")
        if cap is not None and not self._surely_within(self._attempts[0][2], cap):
            return None
        return heapq.heappop(self._attempts)[2]

    def _surely_within(self, task: AttemptTask, cap: int) -> bool:
        """Whether the attempt is within the cap even if all that is open before it takes all it may."""
        if self.plan.recipe.policy == "uniform":  # what was drawn before is made, or being made
            open_calls = sum(self._calls_left(state) for state in self._editing.values())
            return self.spending.calls["editor"] + open_calls < cap
        if task.lane.base_id == task.source.id:
            used = self._used_before_lane(task, cap)
        else:
            place = self._place(task.slot, task.source, task.lane)
            before = (lane for at, lane in self._chained if at < place)
            used = self._used_before_chains + sum(self._lane_at_most(lane) for lane in before)
        for attempt in task.lane.attempts:
            if attempt is task.attempt:
                break
            used += attempt.calls + self._calls_left(attempt)
        return used < cap

    def _used_before_lane(self, task: AttemptTask, cap: int) -> int:
        """Calls that all lanes before the task's take if all open in them fails, counted up to a cap."""
        used = 0
        for slot in self.slots:
            if slot.ordinal >= task.slot.ordinal:
                break
            used += self._at_most(slot)
            if used >= cap:
                return used
        assert task.slot.state is not None  # noqa: S101  (it has the task's source)
        for source in task.slot.state.sources[: task.source.number]:
            used += self._source_at_most(task.slot.state, source)
        for lane in task.source.lanes:
            if lane is task.lane:
                break
            used += self._lane_at_most(lane)
        return used

    def _calls_left(self, attempt: AttemptState) -> int:
        """Calls to the editor that an attempt may still take."""
        if attempt.attempt is not None or attempt.spent is not None:
            return 0
        return max(1, self.plan.recipe.retries.model_errors - attempt.calls)

    def _at_most(self, slot: Slot) -> int:
        if slot.spent is not None:
            return 0
        if slot.state is None:
            return self.plan.recipe.sources_per_scene * self._source_at_most(None, None)
        return sum(self._source_at_most(slot.state, source) for source in slot.state.sources)

    def _source_at_most(self, scene: SceneState | None, source: SourceState | None) -> int:
        """Calls that a source takes if it passes the screen and everything open on it fails."""
        if scene is None or source is None or not source.settled(self.plan, scene.scene):
            recipe = self.plan.recipe
            return recipe.edits_per_scene * recipe.attempts * recipe.retries.model_errors
        if isinstance(source.decision(self.plan, scene.scene), Accepted):
            return sum(self._lane_at_most(lane) for lane in source.lanes)
        return 0

    def _lane_at_most(self, lane: Lane) -> int:
        """Calls that the lane takes if everything still open in it fails."""
        total = 0
        for attempt in lane.attempts:
            total += attempt.calls + self._calls_left(attempt)
            accepted = isinstance(attempt.decision(self.plan), Accepted)
            if self.plan.recipe.policy == "until_accepted" and accepted:
                break
        return total


def owed(plan: Plan, lane: Lane) -> Iterator[AttemptState]:
    """Attempts a lane's policy wants next: all at once, or the first unsettled until one is accepted."""
    one_by_one = plan.recipe.policy == "until_accepted" and not lane.brought
    for attempt in lane.attempts:
        if one_by_one and isinstance(attempt.decision(plan), Accepted):
            return
        if not attempt.settled(plan):
            yield attempt
            if one_by_one:
                return


def count_owed(plan: Plan, slots: Iterable[Slot]) -> Mapping[str, int]:
    """How many calls of each kind are owed by what is known now; more may follow from what these give."""
    counts: Counter[str] = Counter()
    for slot in slots:
        if slot.state is None:
            name = "photographs to import" if slot.opening.role == "importer" else "scenes to write"
            counts[name] += slot.spent is None
            continue
        for source in slot.state.sources:
            if source.spent is None and source.source is None:
                counts["sources to paint"] += 1
            elif isinstance(source.decision(plan, slot.state.scene), Undecided):
                counts["sources to screen"] += 1
        if slot.state.scene.origin == "photograph" and not slot.state.edits:
            counts["photographs to describe"] += 1
        counts["instructions to reword"] += len(to_reword(plan, slot))
        for _, lane in slot.state.lanes(plan):
            _count_lane(plan, lane, counts)
        for source in slot.state.passed(plan):
            parts = plan, slot.state, source
            for derived in (*derive(*parts, closing=False), *stacks(*parts, closing=False)):
                if not derived.settled(plan):
                    counts[f"{derived.kind} pairs"] += 1
            for chain in chains(*parts, closing=False):
                _count_lane(plan, chain.lane, counts, "chained ")
    return counts


def to_reword(plan: Plan, slot: Slot) -> list[RewordedState]:
    """Instructions of a scene that leave, by what is known now, and whose other wordings are owed."""
    if not plan.recipe.multiply.paraphrases or slot.state is None:
        return []
    states = (reworded(plan, slot.state, text) for text in leaving_instructions(plan, slot.state))
    return [state for state in states if not state.settled]


def _count_lane(plan: Plan, lane: Lane, counts: Counter[str], what: str = "") -> None:
    for attempt in owed(plan, lane):
        decision = attempt.decision(plan)
        if decision is None:
            counts[f"{what}edits to attempt"] += 1
        elif isinstance(decision, Undecided):
            counts[f"{decision.gate.replace('_', ' ')} verdicts"] += 1
