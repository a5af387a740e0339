"""Having a validator score pairs that no run made, with a ledger of its own: nothing is asked twice.

Pictures are kept only while they are judged; the ledger keeps pairs, verdicts, calls and their cost.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from filelock import FileLock, Timeout

from triptych.datasets.adapters.sample import Sample, Skipped
from triptych.datasets.audit import WITHOUT_CATEGORY, ScoredPair
from triptych.datasets.files import loaded_ahead
from triptych.engines.local import LocalEngine
from triptych.errors import PictureError, RunError
from triptych.ledger.images import ImageStore
from triptych.ledger.queries import call_histories, verdicts_of
from triptych.ledger.store import Ledger
from triptych.ledger.writer import GroupCommitter
from triptych.mining.asking import Asker
from triptych.mining.jobs import CheckJob, JudgeJob, JudgeName
from triptych.mining.perform import storable, unjudged
from triptych.mining.schedule import Spending
from triptych.mining.state import Plan
from triptych.pixels.alignment import ShapesDiffer, aligned
from triptych.recipe import Budget
from triptych.records import Pair, RoleName, Signal, Verdict, hash_bytes, judge_job_id, pair_id
from triptych.roles import RoleConfig
from triptych.validator.rule import PairFacts, Scores

_BATCH_A_SLOT = 2
_JUDGES: Mapping[RoleName, JudgeName] = {"soft_filter": "soft_filter", "validator": "validator"}


@dataclass(frozen=True, slots=True)
class Ready:
    """A pair with its pictures laid on each other."""

    pair: Pair
    files: tuple[bytes, bytes]
    category: str | None
    alignment: str
    verdicts: Mapping[RoleName, Sequence[Verdict]]  # that are there already


@dataclass(slots=True)
class Outcome:
    """What came of a data set's rows."""

    scored: list[ScoredPair] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    aligned: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class AuditFolder:
    """Where audits keep what they know: a ledger, and pictures while they are judged."""

    path: Path

    @contextmanager
    def opened(self) -> Iterator[tuple[Ledger, ImageStore]]:
        """The ledger, and an empty image store. RunError where another audit is there or it can't be used."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / "audit.lock")
            lock.acquire(blocking=False)
        except Timeout:
            raise RunError(
                f"another audit is at work in {self.path}: wait for it, or name another --out"
            ) from None
        except OSError as error:
            raise RunError(
                f"{self.path} can't be written ({error.strerror}): name another with --out"
            ) from None
        pictures = self.path / "judging"
        try:
            shutil.rmtree(pictures, ignore_errors=True)  # of an audit that was killed
            with Ledger.open(self.path / "ledger.sqlite") as ledger:
                yield ledger, ImageStore(pictures)
        finally:
            shutil.rmtree(pictures, ignore_errors=True)
            lock.release()


@dataclass(frozen=True, slots=True)
class Auditor:
    """A validator with the ledger of what it said.

    Where the plan has a calibration, `configs` has every judge that this reads, and its scores count.
    """

    plan: Plan
    configs: Mapping[RoleName, RoleConfig]
    ledger: Ledger
    images: ImageStore

    async def judge(self, samples: Iterable[Sample | Skipped], told: Callable[[Outcome], None]) -> Outcome:
        """Score every pair; rows that give none, and pairs that the judge has no score for, by reason."""
        outcome = Outcome()
        self.ledger.record(self.plan.specs.values())
        async with GroupCommitter(self.ledger) as committer:
            engine = LocalEngine(self.plan, self.configs, self.images, "png", committer)
            asker = Asker(engine, self.plan.recipe.retries, Spending(Budget(), {}, 0.0), lambda _: None)
            async with engine:
                rows = loaded_ahead(samples, self._ready)
                size = _BATCH_A_SLOT * engine.slots()
                while batch := await asyncio.to_thread(lambda: list(islice(rows, size))):
                    await self._judge_batch(batch, engine, asker, outcome)
                    told(outcome)
        return outcome

    def _ready(self, sample: Sample | Skipped) -> Ready | Skipped:
        """Lay a pair's pictures on each other."""
        if isinstance(sample, Skipped):
            return sample
        pair = _pair(sample, sample.source, sample.edited)
        known = self._known(pair)
        if self._is_judged(known):  # as it is: nothing has to be looked at
            return Ready(pair, (b"", b""), sample.category, "same", known)
        try:
            source, edited, how = aligned(sample.source, sample.edited)
        except ShapesDiffer:
            return Skipped(sample.name, "shapes_differ")
        except PictureError:
            return Skipped(sample.name, "unreadable_picture")
        pair = _pair(sample, source, edited)
        known = self._known(pair)
        files = (b"", b"") if self._is_judged(known) else (source, edited)
        return Ready(pair, files, sample.category, how, known)

    def _known(self, pair: Pair) -> dict[RoleName, Sequence[Verdict]]:
        return {role: verdicts_of(self.ledger, pair.id, self.plan.spec_id(role)) for role in self.configs}

    def _is_judged(self, known: Mapping[RoleName, Sequence[Verdict]]) -> bool:
        """Whether no picture is wanted; a calibration reads what is measured on them, too."""
        return self.plan.scorer is None and all(known.values())

    def _store(self, ready: Iterable[Ready]) -> None:
        for one in ready:
            for data in filter(None, one.files):
                self.images.put(data)

    async def _judge_batch(
        self, batch: Sequence[Ready | Skipped], engine: LocalEngine, asker: Asker, outcome: Outcome
    ) -> None:
        ready = [one for one in batch if isinstance(one, Ready)]
        outcome.skipped.update(one.reason for one in batch if isinstance(one, Skipped))
        await asyncio.to_thread(self._store, ready)
        await engine.record([one.pair for one in ready])
        judged = await asyncio.gather(*(self._scores(one, engine, asker) for one in ready))
        for one, found in zip(ready, judged, strict=True):
            outcome.aligned[one.alignment] += 1
            if isinstance(found, Scores):
                outcome.scored.append(ScoredPair(one.pair.source_image, one.category, found))
            else:
                outcome.skipped[found] += 1
        shutil.rmtree(self.images.folder, ignore_errors=True)

    async def _scores(self, one: Ready, engine: LocalEngine, asker: Asker) -> Scores | str:
        """The scores on both axes, or the reason why there are none."""
        said = {
            role: known or await self._asked(role, one.pair, engine, asker)
            for role, known in one.verdicts.items()
        }
        scores = scores_in(said["validator"])
        scorer = self.plan.scorer
        if scorer is None or not isinstance(scores, Scores):
            return scores
        pair = one.pair
        checks = CheckJob(judge_job_id(pair.id, self.plan.spec_id("checks")), pair.id, pair)
        measured = {
            fact.name: fact.value for fact in (await asker.ask(checks)).facts if isinstance(fact, Signal)
        }
        verdicts = {(one.spec_id, one.question): one for given in said.values() for one in given}
        category = one.category or WITHOUT_CATEGORY
        facts = PairFacts(pair.id, pair.instruction, category, pair.source_image, verdicts, measured)
        return scorer.read(facts, None).scores

    async def _asked(
        self, role: RoleName, pair: Pair, engine: LocalEngine, asker: Asker
    ) -> Sequence[Verdict]:
        spec = self.plan.spec_id(role)
        id_ = judge_job_id(pair.id, spec)
        sides = pair.source_image, pair.instruction, pair.edited_image
        job = JudgeJob(id_, _JUDGES[role], pair.id, pair.id, *sides)
        done = await asker.ask(job, call_histories(self.ledger, [id_]).get(id_))
        if done.outcome == "made":
            return [fact for fact in done.facts if isinstance(fact, Verdict)]
        facts = unjudged(job, spec, done.reason or done.outcome)
        await engine.record(facts)
        return facts


def _pair(sample: Sample, source: bytes, edited: bytes) -> Pair:
    parts = hash_bytes(source), storable(sample.instruction), hash_bytes(edited)
    return Pair(pair_id(*parts), *parts)


def scores_in(verdicts: Iterable[Verdict]) -> Scores | str:
    """The scores on both axes, or the reason why there are none."""
    values: dict[str, float] = {}
    for verdict in verdicts:
        if verdict.value is None:
            return f"unscored_{verdict.reason}"
        values[verdict.question] = round(verdict.value, 4)
    return Scores(values["adherence"], values["aesthetics"])
