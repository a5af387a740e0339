"""An engine without models or pictures: a role's time passes, and the facts that it would leave are recorded.

With it a run costs what ledger and scheduling cost, and a large ledger is made without a single file.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence

from triptych.ledger.writer import GroupCommitter
from triptych.mining.asking import NotBegun
from triptych.mining.jobs import QUESTIONS, EditJob, Job, JudgeJob, PaintJob, WriteJob
from triptych.mining.perform import Done
from triptych.mining.state import Plan
from triptych.records import (
    Attempt,
    Brief,
    Call,
    Edit,
    Fact,
    Pair,
    Scene,
    Signal,
    Source,
    Verdict,
    edit_id,
    identify,
    pair_id,
    scene_id,
)

SIGNALS = ("low_level.changed_share", "low_level.largest_share", "registration.shift", "registration.zoom")
MORE_SIGNALS = ("drift.lightness", "drift.cast", "drift.colour", "sharpness.ratio", "registration.dx")


class PaperEngine:
    """So many calls at once to each role, each of so many seconds; a fixed share passes the validator."""

    def __init__(
        self, plan: Plan, committer: GroupCommitter, slots: int, latency: float, pass_rate: float
    ) -> None:
        self._plan = plan
        self._committer = committer
        self._slots = slots
        self._latency = latency
        self._pass_rate = pass_rate
        self._places = {
            role: asyncio.Semaphore(slots)
            for role in ("writer", "painter", "screen", "editor", "soft_filter", "validator")
        }
        self.calls: Counter[str] = Counter()
        self.edits_ended: list[float] = []  # when, by the monotonic clock

    async def run(self, job: Job, number: int, begin: Callable[[], bool]) -> Done:
        async with self._places[job.role]:
            if not begin():
                raise NotBegun
            if self._latency:
                await asyncio.sleep(self._latency)
        self.calls[job.role] += 1
        if isinstance(job, EditJob):
            self.edits_ended.append(time.monotonic())
        facts = (*self._facts(job), self._call(job, number))
        await self._committer.submit(facts)
        return Done("made", None, facts, "", self._latency)

    async def record(self, facts: Sequence[Fact]) -> None:
        await self._committer.submit(facts)

    def slots(self) -> int:
        return self._slots * len(self._places)

    def _call(self, job: Job, number: int) -> Call:
        scene = None if isinstance(job, WriteJob) else getattr(job, "scene_id", None)
        spec = self._plan.spec_id(job.role)
        return Call(job.role, spec, job.id, number, "made", None, self._latency, None, time.time(), scene)

    def _facts(self, job: Job) -> tuple[Fact, ...]:
        match job:
            case WriteJob():
                prompt = f"scene {job.request.seed}"
                scene = Scene(scene_id("written", prompt), "written", prompt, None)
                texts = [f"edit {number}" for number in range(job.request.edits)]
                edits = [Edit(edit_id(scene.id, t), scene.id, n, t, "add") for n, t in enumerate(texts)]
                brief = Brief(job.id, job.ordinal, job.asked, scene.id, [edit.id for edit in edits])
                return (scene, *edits, brief)
            case PaintJob():
                image = identify("picture", job.id)
                spec = self._plan.spec_id("painter")
                size = job.width, job.height
                return (Source(job.id, 0, job.scene_id, spec, job.seed, *size, image, image),)
            case EditJob():
                return self._attempt(job)
            case JudgeJob():
                return self._verdicts(job)
        raise NotImplementedError(type(job).__name__)

    def _attempt(self, job: EditJob) -> tuple[Fact, ...]:
        image = identify("picture", job.id)
        parts = job.source_image, job.instruction, image
        pair = Pair(pair_id(*parts), *parts)
        spec, checks = self._plan.spec_id("editor"), self._plan.spec_id("checks")
        made = (job.source_id, job.edit_id, spec, job.seed, image, image, pair.id)
        measured = (0.2, 0.9, 0.1, 0.1, *(0.5 for _ in MORE_SIGNALS))
        signals = [
            Signal(pair.id, name, checks, value)
            for name, value in zip((*SIGNALS, *MORE_SIGNALS), measured, strict=True)
        ]
        return (Attempt(job.id, 0, *made), pair, *signals)

    def _verdicts(self, job: JudgeJob) -> tuple[Fact, ...]:
        chance = int(job.subject_id[:8], 16) / 2**32
        passes = job.role != "validator" or chance < self._pass_rate
        spec = self._plan.spec_id(job.role)
        return tuple(
            Verdict(job.subject_id, question.name, spec, 0, _answer(question.name, passes), None, None)
            for question in QUESTIONS[job.role]
        )


def _answer(question: str, passes: bool) -> float:
    if question in ("adherence", "aesthetics"):
        return 5.0 if passes else 1.0
    return float(passes != (question == "unasked_change"))
