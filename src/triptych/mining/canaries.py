"""Canaries: pairs that the validator is asked about again and again, to notice when it is no longer itself.

Behind one name and revision an endpoint may begin to serve another model. So a few pairs that it judged early
on are asked again at the start of every command, each time that so many others were judged, and at the end.
Where its answers have moved, the run pauses; what it said since the last check that it passed is doubted, and
only that is owed again. Those answers are verdicts too, with repeats from CANARY_REPEATS on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from triptych.errors import WorkFailed
from triptych.ledger.queries import CanaryFacts
from triptych.mining.asking import Asker, Stopping
from triptych.mining.jobs import JudgeJob
from triptych.mining.state import Plan
from triptych.records import CANARY_REPEATS, Fact, Pair, Verdict, judge_job_id

Answers = Mapping[tuple[str, str], Verdict]  # (pair, question) → verdict


class JudgeChanged(WorkFailed):
    """The validator no longer answers as it did."""

    def __init__(self, message: str, trusted_until: float) -> None:
        super().__init__(message)
        self.trusted_until = trusted_until  # what it said later is in doubt; seconds since the epoch


@dataclass(frozen=True, slots=True)
class Comparison:
    """How answers to the canaries differ from the first ones."""

    distance: float  # mean |Δ| in points, of the questions answered both times
    answered: int
    unanswered: int  # now, that were answered at first

    def within(self, tolerance: float) -> bool:
        """Whether the judge is still the same, as far as the canaries tell."""
        return self.distance <= tolerance and self.unanswered <= self.answered


def compared(first: Answers, now: Answers) -> Comparison:
    """Lay answers of one check beside the first ones."""
    distances, unanswered = [], 0
    for key, before in first.items():
        after = now.get(key)
        if before.value is None or after is None:
            continue
        if after.value is None:
            unanswered += 1
        else:
            distances.append(abs(after.value - before.value))
    mean = sum(distances) / len(distances) if distances else 0.0
    return Comparison(mean, len(distances), unanswered)


@dataclass(slots=True)
class Canaries:
    """Keeps watch over the validator of one run. `known`: what earlier commands asked."""

    plan: Plan
    asker: Asker
    known: CanaryFacts
    _pairs: list[Pair] = field(default_factory=list)
    _early: dict[str, tuple[Pair, list[Verdict]]] = field(
        default_factory=dict
    )  # judged before there are canaries
    _own: Answers = field(default_factory=dict)  # first answers of all, to tell the judge's own noise
    _first: Answers = field(default_factory=dict)
    _checks: int = 0
    _since: int = 0  # verdicts since the last check began
    _trusted_until: float = 0.0
    _begun: bool = False
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _out: int = 0  # verdicts asked for and not given yet
    _changed: bool = False
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._pairs = list(self.known.pairs)
        self._own = self.known.own
        self._checks = len(self.known.checks)
        self._first = self.known.checks[0] if self.known.checks else {}
        tolerance = self._tolerance()
        for answers, began in zip(self.known.checks, self.known.began, strict=True):
            if compared(self._first, answers).within(tolerance):
                self._trusted_until = began

    async def before(self) -> None:
        """Ahead of a verdict: at the start of a command, whether the judge is the one that began the run.

        No more are asked for than until the next check: canaries would wait behind all that is. Every call is
        followed by one of `answered`. Raises Stopping where the judge turns out to be another.
        """
        if self._pairs and not self._begun:
            async with self._lock:
                if not self._begun:
                    await self._check()
                    self._begun = True
        while self._full() and not self._changed:
            self._moved.clear()
            await self._moved.wait()
        if self._changed:
            raise Stopping
        self._out += 1

    def answered(self) -> None:
        """A verdict that was asked for is given, or never will be."""
        self._out -= 1
        self._moved.set()

    def _full(self) -> bool:
        recipe = self.plan.recipe.canaries
        if not recipe.pairs:
            return False
        if not self._pairs:
            return self._out >= max(recipe.pairs, recipe.after)
        return self._out + self._since >= recipe.every

    async def after(self, pair: Pair, facts: Iterable[Fact]) -> None:
        """A verdict was given: choose canaries once there are enough, check when it is time."""
        recipe = self.plan.recipe.canaries
        if not recipe.pairs:
            return
        self._since += 1
        if not self._pairs:
            given = [fact for fact in facts if isinstance(fact, Verdict)]
            if all(verdict.value is not None for verdict in given):
                self._early[pair.id] = pair, given
            if len(self._early) < max(recipe.pairs, recipe.after):
                return
        elif self._since < recipe.every:
            return
        async with self._lock:
            if not self._pairs:
                self._choose(recipe.pairs)
            elif self._since < recipe.every:
                return
            await self._check()

    async def at_end(self) -> None:
        """Whether the judge is still the same, where it has judged since it was last asked."""
        if self._pairs and self._since:
            async with self._lock:
                await self._check()

    def _choose(self, count: int) -> None:
        """Pairs from the whole range of the scores given by now."""
        early = sorted(self._early.values(), key=lambda one: (sum(v.value or 0 for v in one[1]), one[0].id))
        places = [round(at * (len(early) - 1) / max(count - 1, 1)) for at in range(count)]
        chosen = [early[place] for place in sorted(set(places))]
        self._pairs = [pair for pair, _ in chosen]
        self._own = {(v.subject_id, v.question): v for _, given in chosen for v in given}
        self._early.clear()
        self._begun = True

    async def _check(self) -> None:
        began = time.time()
        self._since = 0
        self._moved.set()
        number, self._checks = self._checks, self._checks + 1
        try:
            said = await asyncio.gather(*(self._ask(pair, number) for pair in self._pairs))
        except Stopping:  # no budget, or no time: nothing is known
            self._checks = number
            return
        answers = {(v.subject_id, v.question): v for given in said for v in given}
        if not self._first:
            self._first = answers
        found, tolerance = compared(self._first, answers), self._tolerance()
        if found.within(tolerance):
            self._trusted_until = began
            return
        self._changed = True
        self._moved.set()
        raise JudgeChanged(
            f"the validator doesn't answer its canaries as it did: {found.distance:.2f} points apart on"
            f" average over {found.answered} answers ({tolerance:.2f} allowed), {found.unanswered} not given",
            self._trusted_until,
        )

    async def _ask(self, pair: Pair, number: int) -> Sequence[Verdict]:
        spec, repeat = self.plan.spec_id("validator"), CANARY_REPEATS + number
        parts = pair.source_image, pair.instruction, pair.edited_image
        id_ = judge_job_id(pair.id, spec, repeat)
        job = JudgeJob(id_, "validator", None, pair.id, *parts, first=repeat)
        done = await self.asker.ask(job)
        return [fact for fact in done.facts if isinstance(fact, Verdict)]

    def _tolerance(self) -> float:
        """What the recipe allows, and twice what the judge differs from itself by."""
        own = compared(self._own, self._first)
        return self.plan.recipe.canaries.tolerance + 2 * own.distance
