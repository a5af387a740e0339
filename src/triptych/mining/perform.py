"""How a job is done, wherever the engine likes: load images, ask the role, write the image, return the facts.

Never touches the ledger: the facts go there through the engine, after the image they name is on disk.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

import numpy as np

from triptych.bootstrap.invert import points_back
from triptych.errors import CallFailed, InfrastructureError, ModelError, PictureError, Refused
from triptych.ledger.images import ImageStore
from triptych.mining.distinct import DistinctScenes
from triptych.mining.jobs import (
    CHECKS_SPEC,
    QUESTIONS,
    CheckJob,
    DescribeJob,
    EditJob,
    ImportJob,
    Job,
    JudgeJob,
    MeaningJob,
    PaintJob,
    ParaphraseJob,
    PhraseJob,
    WriteJob,
    importer_spec,
)
from triptych.mining.recent import Recent
from triptych.mining.rewording import compared, paraphrases_of_answer
from triptych.pixels import signals
from triptych.pixels.photographs import fit, read_photograph
from triptych.pixels.picture import Picture, pixel_hash
from triptych.pixels.sizes import nearest
from triptych.records import (
    Attempt,
    Brief,
    Call,
    Edit,
    Fact,
    ImageFormat,
    Outcome,
    Pair,
    Phrase,
    Receipt,
    RoleName,
    Scene,
    Signal,
    Source,
    Spec,
    Verdict,
    edit_id,
    pair_id,
    scene_id,
    source_id,
)
from triptych.roles import (
    Answered,
    Editor,
    EditRequest,
    Embedder,
    EmbedRequest,
    InvertRequest,
    JoinRequest,
    Judge,
    JudgeRequest,
    Metered,
    Painter,
    PaintRequest,
    PairSubject,
    ParaphraseRequest,
    PhotographRequest,
    Question,
    SceneDraft,
    Scored,
    SourceSubject,
    Unscored,
    Writer,
)

T = TypeVar("T")

SOURCE_BYTES = 64_000_000  # of decoded sources kept at hand: 14 of a megapixel

_SMALL = 32_768  # pixels: what is done with so few takes about a millisecond

_LONGEST_RAW = 20_000  # characters kept of what a model said


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a job: the facts to record, the call's outcome first among what the miner asks."""

    outcome: Outcome
    reason: str | None
    facts: tuple[Fact, ...]
    detail: str = ""  # more about the reason, for people
    worked: float = 0.0  # seconds that a worker was busy with it


class Roles(Protocol):
    """The loaded back ends of a worker."""

    def backend(self, role: RoleName) -> object:
        """The back end that fills a role, loaded on first use."""

    def spec(self, role: RoleName) -> Spec:
        """What determines that back end's answers."""

    def price(self, role: RoleName) -> float | None:
        """Price of one call, where the recipe gives it."""

    def seconds(self, role: RoleName) -> float | None:
        """Nominal model-seconds of one call, where the recipe gives them."""


class Crunch(Protocol):
    """Where pixel work is done, so that it disturbs nobody."""

    async def __call__(self, work: Callable[[], T], area: int | None = None) -> T:
        """Do it. `area`: of its picture, in pixels; None: unknown, or the disk is waited for."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What a worker needs to do jobs."""

    roles: Roles
    images: ImageStore
    image_format: ImageFormat
    crunch: Crunch
    recent: Recent[bytes] = field(default_factory=lambda: Recent(0))  # encoded images, by their hash
    scenes: DistinctScenes | None = None  # of the whole run, where one process sees them all
    # Sources being edited: one is decoded, and its own part of the checks done, once for its attempts.
    sources: Recent[signals.Before] = field(default_factory=lambda: Recent(SOURCE_BYTES))


@dataclass(slots=True)
class Bill:
    """What the back end says of one call, whether it gave an answer or failed."""

    receipt: Receipt = field(default_factory=Receipt)


def _nobody_waits() -> None:
    return None


async def perform(job: Job, number: int, bench: Bench, answered: Callable[[], None] = _nobody_waits) -> Done:
    """Do a job. A failed call becomes its `Call` fact; a bug is raised.

    `answered` is told when the model is free again, before its picture is stored and measured.
    """
    started = time.perf_counter()
    facts: tuple[Fact, ...] = ()
    outcome: Outcome = "made"
    reason: str | None = None
    detail = ""
    spec = _spec(job, bench)
    bill = Bill()
    try:
        facts, seconds, detail = await _made(job, number, spec, bench, started, answered, bill)
    except CallFailed as failure:
        seconds = time.perf_counter() - started
        outcome, reason, detail = _outcome(failure), failure.reason, failure.detail
    if outcome == "made" and isinstance(job, CheckJob | ImportJob):
        return Done(outcome, reason, facts, detail, time.perf_counter() - started)
    nominal, told = bench.roles.seconds(job.role), bill.receipt
    seconds = seconds if told.seconds is None else told.seconds
    call = Call(
        role=job.role,
        spec_id=spec.id,
        job_id=job.id,
        number=number,
        outcome=outcome,
        reason=reason,
        seconds=seconds if nominal is None else nominal * _requests(job),
        price=_price(job, bench) if told.price is None else told.price,
        finished_at=time.time(),
        scene_id=None if isinstance(job, WriteJob | ImportJob) else job.scene_id,
        tokens_in=told.tokens_in,
        tokens_out=told.tokens_out,
        terms=told.terms,
        raw=None if told.raw is None else storable(told.raw)[:_LONGEST_RAW],
    )
    return Done(outcome, reason, (*facts, call), detail or told.warning or "", time.perf_counter() - started)


def _requests(job: Job) -> int:
    """How many requests a job's call makes."""
    return job.repeats if isinstance(job, JudgeJob) else 1


def _price(job: Job, bench: Bench) -> float | None:
    each = bench.roles.price(job.role)
    return None if each is None else each * _requests(job)


def failed_call(job: Job, number: int, spec_id: str, failure: CallFailed, seconds: float) -> Call:
    """The fact of a call whose worker could not even report, e.g. because it died."""
    return Call(
        role=job.role,
        spec_id=spec_id,
        job_id=job.id,
        number=number,
        outcome=_outcome(failure),
        reason=failure.reason,
        seconds=seconds,
        price=None,
        finished_at=time.time(),
        scene_id=None if isinstance(job, WriteJob | ImportJob) else job.scene_id,
    )


def _outcome(failure: CallFailed) -> Outcome:
    if isinstance(failure, Refused):
        return "rejected"
    return "infrastructure_error" if isinstance(failure, InfrastructureError) else "model_error"


def _spec(job: Job, bench: Bench) -> Spec:
    if isinstance(job, CheckJob):
        return CHECKS_SPEC
    return (
        importer_spec(job.fit, job.megapixels) if isinstance(job, ImportJob) else bench.roles.spec(job.role)
    )


def _backend(bench: Bench, role: RoleName) -> Writer | Painter | Editor | Judge | Embedder:
    return bench.roles.backend(role)  # type: ignore[return-value]  # its class was checked when it was loaded


async def _made(
    job: Job,
    number: int,
    spec: Spec,
    bench: Bench,
    started: float,
    answered: Callable[[], None],
    bill: Bill,
) -> tuple[tuple[Fact, ...], float, str]:
    """Facts made by the job, the seconds its model took, and what people should know of it."""
    detail = ""
    match job:
        case WriteJob():
            facts = await _write(job, number, bench, bill)
        case ImportJob():
            facts, detail = await bench.crunch(lambda: _import(job, spec, bench))
        case DescribeJob():
            facts = await _describe(job, bench, bill)
        case PaintJob():
            picture = await _paint(job, bench, bill)
            seconds = time.perf_counter() - started
            answered()
            area = None if bench.images.durable else job.width * job.height
            return await bench.crunch(lambda: _store_source(job, spec, picture, bench), area), seconds, detail
        case EditJob():
            source = await _source(bench, job.source_image)
            picture = await _edit(job, source.picture, bench, bill)
            seconds = time.perf_counter() - started
            answered()
            area = None if bench.images.durable else source.picture.width * source.picture.height
            facts = await bench.crunch(lambda: _store_attempt(job, spec, source, picture, bench), area)
            return facts, seconds, detail
        case CheckJob():
            facts = await bench.crunch(lambda: _check(job, bench))
        case PhraseJob():
            facts = await _phrase(job, number, spec, bench, bill)
        case ParaphraseJob():
            facts = await _paraphrase(job, number, spec, bench, bill)
        case MeaningJob():
            facts = await _compare(job, spec, bench, bill)
        case JudgeJob():
            facts = await _judge(job, spec, bench, bill)
    return facts, time.perf_counter() - started, detail


async def _load(bench: Bench, *images: str) -> list[Picture]:
    """Pictures by name, decoded only if somebody looks."""
    recent = [bench.recent.get(image) for image in images]
    found = [Picture.from_encoded(data) for data in recent if data is not None]
    if len(found) == len(images):
        return found
    return await bench.crunch(lambda: [_read(bench, image) for image in images])


def _read(bench: Bench, image: str) -> Picture:
    data = bench.images.get(image)
    bench.recent.add(image, data, len(data))
    return Picture.from_encoded(data)


async def _source(bench: Bench, image: str) -> signals.Before:
    """A source that is edited or judged, decoded once while that goes on."""
    known = bench.sources.get(image)
    if known is None:
        (picture,) = await _load(bench, image)
        known = signals.Before(picture)
        bench.sources.add(image, known, signals.BYTES_A_PIXEL * picture.width * picture.height)
    return known


def _only(answers: Answered[T], bill: Bill, kind: type[T]) -> T:
    """The one answer. ModelError where it is none, or nothing of the kind that was asked for."""
    if not isinstance(answers, Sequence):
        raise ModelError("wrong_type", f"{type(answers).__name__} instead of a list of answers")
    if len(answers) != 1:
        raise ModelError("wrong_count", f"{len(answers)} answers to one request")
    answer = answers[0]
    if isinstance(answer, Metered):
        bill.receipt = bill.receipt + answer.receipt
        answer = answer.answer
    if isinstance(answer, CallFailed):
        raise answer
    if not isinstance(answer, kind):
        raise ModelError("wrong_type", f"{type(answer).__name__} instead of {kind.__name__}")
    return answer


def storable(text: str) -> str:
    """A model's text without what no database takes (NUL, lone surrogates) and without outer white space."""
    return text.replace("\0", "").encode("utf-8", "ignore").decode().strip()


def _edits(scene: str, draft: SceneDraft, wanted: int) -> tuple[Edit, ...]:
    kept: dict[str, Edit] = {}
    for item in draft.edits[:wanted]:
        instruction = storable(item.instruction)
        id_ = edit_id(scene, instruction)
        kept.setdefault(id_, Edit(id_, scene, len(kept), instruction, storable(item.category)))
    return tuple(kept.values())


async def _write(job: WriteJob, number: int, bench: Bench, bill: Bill) -> tuple[Fact, ...]:
    writer: Writer = _backend(bench, "writer")  # type: ignore[assignment]
    draft = _only(await writer.write([replace(job.request, again=number - 1)]), bill, SceneDraft)
    prompt = storable(draft.prompt or "")
    if not prompt:
        raise ModelError("empty_prompt")
    twin = bench.scenes.near(prompt) if bench.scenes else None
    if twin is not None:
        raise ModelError("near_duplicate_scene", f"{prompt!r} is nearly {twin!r}")
    scene = Scene(scene_id("written", prompt), "written", prompt, draft.style)
    edits = _edits(scene.id, draft, job.request.edits)
    if not edits:
        raise ModelError("no_edits")
    if bench.scenes:
        bench.scenes.add(prompt)
    ids = [edit.id for edit in edits]
    return (scene, *edits, Brief(job.id, job.ordinal, job.asked, scene.id, ids))


async def _describe(job: DescribeJob, bench: Bench, bill: Bill) -> tuple[Fact, ...]:
    writer: Writer = _backend(bench, "writer")  # type: ignore[assignment]
    (picture,) = await _load(bench, job.image)
    wish = job.wish
    request = PhotographRequest(wish.seed, picture, wish.edits, wish.categories, wish.guide)
    draft = _only(await writer.describe([request]), bill, SceneDraft)
    edits = _edits(job.scene_id, draft, wish.edits)
    if not edits:
        raise ModelError("no_edits")
    return (*edits, Brief(job.id, 0, job.asked, job.scene_id, [edit.id for edit in edits]))


async def _phrase(job: PhraseJob, number: int, spec: Spec, bench: Bench, bill: Bill) -> tuple[Fact, ...]:
    """A writer that leans on an earlier picture is asked again, with another seed."""
    writer: Writer = _backend(bench, "writer")  # type: ignore[assignment]
    if job.second is None:
        request = InvertRequest(job.prompt, job.first, job.category, number)
        text = storable(_only(await writer.invert([request]), bill, str))
        word = points_back(text)
        if word is not None:
            raise ModelError("inverse_points_back", f"{word!r} in {text!r}")
    else:
        text = storable(_only(await writer.join([JoinRequest(job.first, job.second, number)]), bill, str))
        word = points_back(text)
        if word is not None and word not in f"{job.first} {job.second}".lower():
            raise ModelError("joined_points_back", f"{word!r} in {text!r}")
    if not text:
        raise ModelError("empty_instruction")
    return (Phrase(job.id, job.scene_id, job.kind, job.edit_id, job.other_id, spec.id, text),)


async def _paraphrase(
    job: ParaphraseJob, number: int, spec: Spec, bench: Bench, bill: Bill
) -> tuple[Fact, ...]:
    writer: Writer = _backend(bench, "writer")  # type: ignore[assignment]
    texts = _only(await writer.paraphrase([ParaphraseRequest(job.instruction, number)]), bill, tuple)
    return paraphrases_of_answer(job, [storable(text) for text in texts], spec.id)


async def _compare(job: MeaningJob, spec: Spec, bench: Bench, bill: Bill) -> tuple[Fact, ...]:
    embedder: Embedder = _backend(bench, "embedder")  # type: ignore[assignment]
    texts = job.instruction, *(made.text for made in job.paraphrases)
    answers = await embedder.embed([EmbedRequest(text) for text in texts])
    if len(answers) != len(texts):
        raise ModelError("wrong_count", f"{len(answers)} answers to {len(texts)} requests")
    vectors = [_only([answer], bill, np.ndarray) for answer in answers]
    return compared(job, vectors, spec.id, knows_meaning=embedder.knows_meaning)


async def _paint(job: PaintJob, bench: Bench, bill: Bill) -> Picture:
    painter: Painter = _backend(bench, "painter")  # type: ignore[assignment]
    return _only(
        await painter.paint([PaintRequest(job.prompt, job.seed, job.width, job.height)]), bill, Picture
    )


async def _edit(job: EditJob, source: Picture, bench: Bench, bill: Bill) -> Picture:
    editor: Editor = _backend(bench, "editor")  # type: ignore[assignment]
    return _only(await editor.edit([EditRequest(source, job.instruction, job.seed)]), bill, Picture)


def _size(picture: Picture) -> tuple[int, int]:
    """Width and height; ModelError where a model gave no picture."""
    try:
        return picture.width, picture.height
    except PictureError as error:
        raise ModelError("unreadable_picture", str(error)) from None


def _stored(picture: Picture, bench: Bench) -> tuple[str, Picture]:
    """Write the picture; what is measured and judged later is what was stored, after its codec."""
    try:
        stored = picture.stored(bench.image_format)
        _ = stored.pixels
    except PictureError as error:
        raise ModelError("unreadable_picture", str(error)) from None
    data = stored.encoded(bench.image_format)
    image = bench.images.put(data)
    bench.recent.add(image, data, len(data))
    return image, stored


def _store_source(job: PaintJob, spec: Spec, picture: Picture, bench: Bench) -> tuple[Fact, ...]:
    size = _size(picture)
    if size != (job.width, job.height):
        raise ModelError("wrong_size", f"asked for {job.width}x{job.height}, got {size[0]}x{size[1]}")
    image, stored = _stored(picture, bench)
    return (
        Source(
            job.id,
            job.lost.next_revision(image) if job.lost else 0,
            job.scene_id,
            spec.id,
            job.seed,
            stored.width,
            stored.height,
            image,
            pixel_hash(stored.pixels),
        ),
    )


def _store_attempt(
    job: EditJob, spec: Spec, source: signals.Before, picture: Picture, bench: Bench
) -> tuple[Fact, ...]:
    wanted, size = (source.picture.width, source.picture.height), _size(picture)
    if size != wanted:
        raise ModelError("wrong_size", f"the source is {wanted[0]}x{wanted[1]}, the edit {size[0]}x{size[1]}")
    image, stored = _stored(picture, bench)
    pair = Pair(pair_id(job.source_image, job.instruction, image), job.source_image, job.instruction, image)
    attempt = Attempt(
        job.id,
        job.lost.next_revision(image) if job.lost else 0,
        job.source_id,
        job.edit_id,
        spec.id,
        job.seed,
        image,
        pixel_hash(stored.pixels),
        pair.id,
    )
    return (attempt, pair, *_signals(pair.id, source, stored))


def _signals(pair: str, source: signals.Before, edited: Picture) -> tuple[Signal, ...]:
    measured = signals.measure(source, edited.pixels)
    return tuple(Signal(pair, name, CHECKS_SPEC.id, round(value, 6)) for name, value in measured.items())


def _check(job: CheckJob, bench: Bench) -> tuple[Fact, ...]:
    source = signals.Before(Picture.from_encoded(bench.images.get(job.pair.source_image)))
    edited = Picture.from_encoded(bench.images.get(job.pair.edited_image))
    return (job.pair, *job.derivations, *_signals(job.pair.id, source, edited))


async def _judge(job: JudgeJob, spec: Spec, bench: Bench, bill: Bill) -> tuple[Fact, ...]:
    judge: Judge = _backend(bench, job.role)  # type: ignore[assignment]
    questions = QUESTIONS[job.role]
    subject: SourceSubject | PairSubject
    if job.edited_image is None:
        (picture,) = await _load(bench, job.image)
        subject = SourceSubject(picture, job.text)
    else:
        source = await _source(bench, job.image)
        (edited,) = await _load(bench, job.edited_image)
        subject = PairSubject(source.picture, job.text, edited)
    numbers = range(job.first, job.first + job.repeats)
    given = await judge.judge([JudgeRequest(subject, questions, number) for number in numbers])
    if not isinstance(given, Sequence):
        raise ModelError("wrong_type", f"{type(given).__name__} instead of a list of answers")
    if len(given) != job.repeats:
        raise ModelError("wrong_count", f"{len(given)} answers to {job.repeats} requests")
    facts: list[Fact] = []
    for number, answered in zip(numbers, given, strict=True):
        answers = _only([answered], bill, tuple)
        if len(answers) != len(questions):
            raise ModelError("wrong_count", f"{len(answers)} answers to {len(questions)} questions")
        if not all(isinstance(answer, Scored | Unscored) for answer in answers):
            raise ModelError("wrong_type", f"{answers!r} instead of scores")
        facts += (
            _verdict(job, number, question, answer, spec)
            for question, answer in zip(questions, answers, strict=True)
        )
    return tuple(facts)


def _verdict(
    job: JudgeJob, repeat: int, question: Question, answer: Scored | Unscored, spec: Spec
) -> Verdict:
    raw = None if answer.raw is None else storable(answer.raw)
    asked = job.subject_id, question.name, spec.id, repeat
    if isinstance(answer, Unscored):
        return Verdict(*asked, None, answer.reason, raw)
    lowest, highest = (1.0, 5.0) if question.kind == "score" else (0.0, 1.0)
    if not lowest <= answer.value <= highest:  # NaN fails too
        return Verdict(*asked, None, "out_of_range", raw)
    return Verdict(*asked, round(answer.value, 4), None, raw)


def unjudged(job: JudgeJob, spec_id: str, reason: str) -> tuple[Verdict, ...]:
    """Verdicts of a judge that was asked as often as the recipe allows and never gave a usable answer."""
    return tuple(
        Verdict(job.subject_id, question.name, spec_id, job.first, None, reason, None)
        for question in QUESTIONS[job.role]
    )


def _import(job: ImportJob, spec: Spec, bench: Bench) -> tuple[tuple[Fact, ...], str]:
    """A photograph is named by its own pixels, so the same picture under two names is one source."""
    try:
        photograph = read_photograph(job.path, job.largest_megapixels)
    except PictureError as error:
        raise Refused("unreadable_photograph", str(error)) from None
    height, width = photograph.pixels.shape[:2]
    size = nearest(width, height, job.megapixels)
    scene = Scene(scene_id("photograph", photograph.pixels_hash), "photograph", None, None)
    image, stored = _stored(Picture.from_pixels(fit(photograph.pixels, size, job.fit)), bench)
    id_ = source_id(scene.id, spec.id, 0, size.width, size.height)
    pixels = pixel_hash(stored.pixels)
    source = Source(id_, 0, scene.id, spec.id, 0, size.width, size.height, image, pixels)
    notes = f"{job.name}: {'; '.join(photograph.notes)}" if photograph.notes else ""
    return (spec, scene, source, Brief(job.id, job.ordinal, job.asked, scene.id, [])), notes


async def in_place(work: Callable[[], T], area: int | None = None) -> T:  # noqa: ARG001  (a `Crunch`)
    """A `crunch` for workers of their own: nobody else waits on this process."""
    return work()


class CrunchThreads:
    """A `crunch` for the event loop: codecs and OpenCV release the interpreter lock. One thread a core.

    Small pictures stay on the loop: a thread fights for the lock, which costs more than the work itself and
    holds the loop up for longer.
    """

    def __init__(self, cores: int) -> None:
        self._threads = ThreadPoolExecutor(cores, thread_name_prefix="pixels")

    async def __call__(self, work: Callable[[], T], area: int | None = None) -> T:
        """Do it, on one of the threads unless it is small."""
        if area is None or area > _SMALL:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        for _ in range(2):  # the model is free: let go of its place, and let who waits for it begin
            await asyncio.sleep(0)
        return work()

    def get_ready(self) -> None:
        """Have ready what the first checks need, while the first calls are waited for."""
        self._threads.submit(signals.get_ready)

    def close(self) -> None:
        """Let go of the threads; what they are on is finished first."""
        self._threads.shutdown(wait=False, cancel_futures=True)
