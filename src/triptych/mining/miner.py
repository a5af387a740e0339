"""The loop: straight-line chains of calls that read like the method, kept busy by the scheduler."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence

from triptych.ledger.queries import CanaryFacts, SceneFacts
from triptych.mining.asking import Asker, Engine, Stopping
from triptych.mining.canaries import Canaries
from triptych.mining.events import Notice, Observer
from triptych.mining.jobs import (
    CheckJob,
    DescribeJob,
    EditJob,
    JudgeJob,
    JudgeName,
    MeaningJob,
    PaintJob,
    PairsBrought,
    ParaphraseJob,
    PhraseJob,
)
from triptych.mining.opening import photograph_state
from triptych.mining.perform import unjudged
from triptych.mining.rewording import RewordedState, uncompared
from triptych.mining.schedule import (
    AttemptTask,
    DerivedTask,
    RewordTask,
    Scheduler,
    SourceTask,
    Spending,
    Task,
    WriteTask,
)
from triptych.mining.slots import DUPLICATE, Slot
from triptych.mining.state import (
    AttemptState,
    DerivedState,
    Lane,
    PairState,
    Plan,
    SceneState,
    SourceState,
    describe_job_id,
    description_asked,
    description_wanted,
    open_lanes,
    scene_state,
    take,
)
from triptych.records import (
    Brief,
    Edit,
    Fact,
    Pair,
    Paraphrase,
    Phrase,
    Scene,
    Source,
    Verdict,
    judge_job_id,
)
from triptych.validator.rule import (
    Accepted,
    Undecided,
    low_level_decision,
    soft_filter_decision,
    validator_decision,
)


class Miner:
    """Mines what a plan owes. `slots` are the scenes in the order of their briefs."""

    def __init__(
        self,
        plan: Plan,
        slots: Sequence[Slot],
        engine: Engine,
        spending: Spending,
        observer: Observer,
        known: Callable[[str], tuple[SceneFacts, Brief | None] | None] = lambda _: None,
        gone: frozenset[str] = frozenset(),
        canaries: CanaryFacts | None = None,
    ) -> None:
        self.plan = plan
        self.slots = list(slots)
        self.scheduler = Scheduler(plan, self.slots, spending)
        self._engine = engine
        self._asker = Asker(engine, plan.recipe.retries, spending, observer)
        self._canaries = Canaries(plan, self._asker, canaries or CanaryFacts())
        self._observe = observer
        self._known = known  # what the ledger has of a scene, and the description of a photograph
        self._gone = gone
        self._wording: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def stop(self) -> None:
        """Let calls in flight finish and begin no more."""
        self._asker.stop()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._asker.stopped

    async def mine(self) -> None:
        """Do everything owed, within the budget. Raises WorkFailed where a role stays unreachable."""
        window = 2 * self._engine.slots()
        running: dict[asyncio.Task[None], Task] = {}
        ended: asyncio.Queue[asyncio.Task[None]] = asyncio.Queue()
        failure: BaseException | None = None
        try:
            while True:
                while len(running) < window and not self.stopped:
                    task = self.scheduler.next()
                    if task is None:
                        break
                    chain = asyncio.create_task(self._chain(task))
                    chain.add_done_callback(ended.put_nowait)
                    running[chain] = task
                if not running:
                    break
                finished = [await ended.get()]
                while not ended.empty():
                    finished.append(ended.get_nowait())
                for chain in finished:
                    task = running.pop(chain)
                    if chain.exception() is None:
                        self.scheduler.done(task)
                    else:  # let the calls in flight end and be recorded before it is told
                        failure = failure or chain.exception()
                        self.stop()
        finally:
            for chain in running:
                chain.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        if failure is not None:
            raise failure
        if not self.stopped:
            await self._canaries.at_end()

    async def _chain(self, task: Task) -> None:
        try:
            match task:
                case WriteTask(slot):
                    await self._write(slot)
                case SourceTask(slot, source):
                    await self._source(_state(slot), source)
                case AttemptTask(slot, _, lane, attempt):
                    await self._attempt(_state(slot), lane, attempt)
                case DerivedTask(slot, _, derived):
                    await self._derive(_state(slot), derived)
                case RewordTask(slot, state):
                    await self._reword(_state(slot), state)
        except Stopping:
            return

    # -- the chains, stage by stage ------------------------------------------------------------------------

    async def _write(self, slot: Slot) -> None:
        """Stage 1: a brief becomes a scene with its edits; a photograph becomes a source."""
        assert not isinstance(slot.opening, PairsBrought)  # noqa: S101  (those are scenes already)
        done = await self._asker.ask(slot.opening, slot.history)
        if done.outcome != "made":
            slot.spent = done.reason
            return
        scene = next(fact for fact in done.facts if isinstance(fact, Scene))
        twin = next((other for other in self.slots if other.state and other.state.scene.id == scene.id), None)
        if twin is not None:
            slot.spent = DUPLICATE
            if twin.opening.name != slot.opening.name:  # a photograph that was only touched says nothing new
                self._observe(Notice(f"{slot.opening.name} is the same as {twin.opening.name}: counted once"))
            return
        slot.state = self._opened(slot, scene, done.facts)

    def _opened(self, slot: Slot, scene: Scene, facts: Sequence[Fact]) -> SceneState:
        """The state of a scene that just turned up, with what an earlier recipe may have left of it."""
        known = self._known(scene.id)
        if known is None:
            edits = tuple(fact for fact in facts if isinstance(fact, Edit))
            sources = tuple(fact for fact in facts if isinstance(fact, Source))
            known = SceneFacts(scene, edits, (), (), sources, {}, {}, {}, {}), None
        if scene.origin == "photograph":
            return photograph_state(self.plan, slot.ordinal, *known, self._gone)
        (brief,) = (fact for fact in facts if isinstance(fact, Brief))
        return scene_state(self.plan, slot.ordinal, known[0], brief.edits, self._gone)

    async def _source(self, scene: SceneState, source: SourceState) -> None:
        """Stages 2 and 3: paint and screen; a photograph is there already and wants its edits written."""
        if scene.scene.origin == "photograph":
            await self._describe(scene, source)
            return
        if source.source is None:
            job = PaintJob(
                source.id,
                scene.scene.id,
                scene.scene.prompt or "",
                source.seed,
                source.width,
                source.height,
                source.lost,
            )
            done = await self._asker.ask(job, scene.calls.get(job.id))
            if done.outcome != "made":
                source.spent = done.reason
                return
            take(source, done.facts)
            open_lanes(self.plan, scene, source)
        painted = source.source
        assert painted is not None  # noqa: S101  (taken just now, or there before)
        if isinstance(source.decision(self.plan, scene.scene), Undecided):
            await self._judge(
                scene, source, "screen", painted.image, painted.image, scene.scene.prompt or "", None
            )

    async def _describe(self, scene: SceneState, source: SourceState) -> None:
        assert source.source is not None  # noqa: S101  (photographs are imported before mining)
        job = DescribeJob(
            describe_job_id(scene.scene, self.plan),
            scene.scene.id,
            source.source.image,
            description_asked(scene.scene, self.plan),
            description_wanted(scene.scene, self.plan),
        )
        done = await self._asker.ask(job, scene.calls.get(job.id))
        if done.outcome != "made":
            source.spent = done.reason
            return
        scene.edits = tuple(fact for fact in done.facts if isinstance(fact, Edit))
        open_lanes(self.plan, scene, source)

    async def _attempt(self, scene: SceneState, lane: Lane, state: AttemptState) -> None:
        """Stage 4: an edit, and then the gates."""
        if state.attempt is None:
            job = EditJob(
                state.id,
                scene.scene.id,
                lane.base_id,
                state.source_image,
                lane.edit.id,
                lane.edit.instruction,
                state.seed,
                state.lost,
            )
            done = await self._asker.ask(job, scene.calls.get(job.id), state.count_call)
            if done.outcome != "made":
                state.spent = done.reason
                return
            take(state, done.facts)
        await self._gates(scene, scene.shared(state))

    async def _derive(self, scene: SceneState, state: DerivedState) -> None:
        """Stages 9 to 11: word the instruction, then the same gates as for an attempt."""
        id_ = state.phrase_id(self.plan)
        async with self._wording[id_]:  # sources of one scene want the same words
            if id_ not in scene.phrases and id_ not in scene.unphrased:
                await self._phrase(scene, state, id_)
        state.phrase, state.spent = scene.phrases.get(id_), scene.unphrased.get(id_)
        if state.phrase is not None:
            state.know(self.plan, scene.facts)
            await self._gates(scene, scene.shared(state))

    async def _phrase(self, scene: SceneState, state: DerivedState, id_: str) -> None:
        first, second = self._to_join(state)
        job = PhraseJob(
            id_,
            scene.scene.id,
            state.phrase_kind,
            state.edits[0].id,
            state.edits[1].id if second is not None else None,
            scene.scene.prompt,
            first,
            second,
            state.edits[0].category,
        )
        done = await self._asker.ask(job, scene.calls.get(job.id))
        if done.outcome == "made":
            scene.phrases[id_] = next(fact for fact in done.facts if isinstance(fact, Phrase))
        else:
            scene.unphrased[id_] = done.reason or done.outcome

    def _to_join(self, state: DerivedState) -> tuple[str, str | None]:
        """An inverse starts from the edit's instruction, a composite from the inverse of its first edit."""
        if state.kind == "inverse":
            return state.edits[0].instruction, None
        if state.kind == "stack":
            return state.edits[0].instruction, state.edits[1].instruction
        inverse = state.rests_on[0].phrase
        assert inverse is not None  # noqa: S101  (composites rest on accepted inverses)
        return inverse.instruction, state.edits[1].instruction

    async def _reword(self, scene: SceneState, state: RewordedState) -> None:
        """Other wordings of an instruction that leaves, and whether they mean the same."""
        if not state.paraphrases:
            paraphrase = ParaphraseJob(state.job_id, scene.scene.id, state.instruction)
            done = await self._asker.ask(paraphrase, scene.calls.get(state.job_id))
            if done.outcome != "made":
                state.spent = done.reason or done.outcome
                return
            state.paraphrases = tuple(fact for fact in done.facts if isinstance(fact, Paraphrase))
        spec = self.plan.spec_id("embedder")
        job_id = judge_job_id(state.job_id, spec)
        job = MeaningJob(job_id, scene.scene.id, state.instruction, state.unchecked)
        done = await self._asker.ask(job, scene.calls.get(job_id))
        facts = done.facts
        if done.outcome != "made":
            facts = uncompared(job, spec, done.reason or done.outcome)
            await self._engine.record(facts)
        state.verdicts |= {fact.subject_id: fact for fact in facts if isinstance(fact, Verdict)}

    async def _gates(self, scene: SceneState, state: PairState) -> None:
        """Stages 5 to 7: soft filter, low-level check, validator; each only if the last was passed."""
        pair = state.pair
        assert pair is not None  # noqa: S101  (callers made it)
        rule, specs = state.rule(self.plan), self.plan.spec_id
        judged = pair.id, pair.source_image, pair.instruction, pair.edited_image
        if isinstance(low_level_decision(state.signals, rule), Undecided):
            derivations = state.derivations() if isinstance(state, DerivedState) else ()
            check = CheckJob(judge_job_id(pair.id, specs("checks")), scene.scene.id, pair, derivations)
            take(state, (await self._asker.ask(check)).facts)
        if isinstance(soft_filter_decision(state.verdicts, specs("soft_filter"), rule), Undecided):
            await self._judge(scene, state, "soft_filter", *judged)
        if not isinstance(soft_filter_decision(state.verdicts, specs("soft_filter"), rule), Accepted):
            return
        if not isinstance(low_level_decision(state.signals, rule), Accepted):
            return
        if isinstance(validator_decision(state.verdicts, specs("validator"), rule), Undecided):
            await self._judge(scene, state, "validator", *judged)

    async def _judge(
        self,
        scene: SceneState,
        state: PairState | SourceState,
        role: JudgeName,
        subject: str,
        image: str,
        text: str,
        edited: str | None,
    ) -> None:
        spec = self.plan.spec_id(role)
        first = scene.facts.again.get(subject, {}).get(spec, 0)
        repeats = self.plan.repeats(role)
        asked = scene.scene.id, subject, image, text, edited
        job = JudgeJob(judge_job_id(subject, spec, first), role, *asked, first, repeats)
        if role == "validator":
            await self._canaries.before()
        try:
            done = await self._asker.ask(job, scene.calls.get(job.id))
        finally:
            if role == "validator":
                self._canaries.answered()
        facts = done.facts
        if done.outcome != "made":
            facts = unjudged(job, spec, done.reason or done.outcome)
            await self._engine.record(facts)
        take(state, facts)
        if role == "validator" and edited is not None:
            await self._canaries.after(Pair(subject, image, text, edited), facts)


def _state(slot: Slot) -> SceneState:
    assert slot.state is not None  # noqa: S101  (the scheduler opens only slots with a state)
    return slot.state
