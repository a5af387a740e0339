"""The studio's judges as back ends: screen, soft filter, validator. They see pictures and words only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from triptych.backends.studio.judge.appearance import describe
from triptych.backends.studio.judge.heads import opinion
from triptych.backends.studio.judge.look import Look, Looks
from triptych.backends.studio.judge.model import Model, doubted, file_hash, load_model
from triptych.backends.studio.judge.opinions import Opinion
from triptych.backends.studio.judge.pairs import glance, look_features, measure
from triptych.backends.studio.judge.reading import read_instruction, read_prompt
from triptych.backends.studio.judge.sources import (
    measure_source,
    source_features,
    source_look_features,
    thing_rows,
)
from triptych.errors import CallFailed, ModelError
from triptych.pixels.revision import REVISION as CHECKS_REVISION
from triptych.records import Spec
from triptych.roles import (
    Answered,
    BackendSettings,
    JudgeRequest,
    PairSubject,
    Placement,
    RoleConfig,
    Scored,
    SourceSubject,
    Unscored,
    spec_of,
)

Answers = dict[str, Scored | Unscored]
DIGITS = 4
NOT_UNDERSTOOD = "instruction_not_understood"
SIZES_DIFFER = "sizes_differ"


class _StudioJudge:
    """What the three share."""

    class Settings(BackendSettings):
        """Nothing to set."""

    # Of what is measured; the spec adds that of the pixel signals and the model file's hash.
    revision: ClassVar[str] = "3"
    placement: ClassVar[Placement] = "cpu"

    def __init__(self, config: RoleConfig) -> None:
        self.config = config
        self.settings = self.Settings.model_validate(dict(config.settings))

    @property
    def spec(self) -> Spec:
        """What determines the answers, the model file among it."""
        return spec_of(self.config, self.settings, f"{self.revision}.{CHECKS_REVISION}-{file_hash()}")

    async def judge(self, requests: Sequence[JudgeRequest]) -> Answered[tuple[Scored | Unscored, ...]]:
        """One answer for each question of each request."""
        return [self._judge(request) for request in requests]

    def _judge(self, request: JudgeRequest) -> tuple[Scored | Unscored, ...] | CallFailed:
        answers = self._answers(request)
        if isinstance(answers, CallFailed):
            return answers
        return tuple(answers.get(q.name, Unscored("question_not_known")) for q in request.questions)

    def _answers(self, request: JudgeRequest) -> Answers | CallFailed:
        raise NotImplementedError


class StudioScreen(_StudioJudge):
    """Does a source show its prompt, and does it look right?"""

    def _answers(self, request: JudgeRequest) -> Answers | CallFailed:
        if not isinstance(request.subject, SourceSubject):
            return ModelError("not_a_source", "the screen judges sources")
        look = LOOKS.of(request.subject.picture)
        model = load_model()
        reading = read_prompt(request.subject.prompt)
        measured, seen = measure_source(look, reading), _opinion(model, look)
        (shown,) = model.chances("thing", [thing_rows(measured, seen)])
        row = model.rows("screen", [source_features(measured, shown) | source_look_features(reading, seen)])
        shows, right = (float(model.forests[name](row)[0]) for name in ("screen_shows", "screen_right"))
        return {"shows_prompt": _scored(shows), "looks_right": _scored(right)}


class StudioSoftFilter(_StudioJudge):
    """A quick, coarse opinion of a pair: the whole of it at a glance, nothing looked for."""

    def _answers(self, request: JudgeRequest) -> Answers | CallFailed:
        return _judge_pair(request, _soft_answers, ("adherence", "aesthetics", "unasked_change", "pleasing"))


class StudioValidator(_StudioJudge):
    """The careful judge of a pair: finds what the instruction names, and looks at everything else."""

    def _answers(self, request: JudgeRequest) -> Answers | CallFailed:
        return _judge_pair(request, _validator_answers, ("adherence", "aesthetics"))


def _judge_pair(
    request: JudgeRequest, judge: Callable[[PairSubject], Answers], questions: tuple[str, ...]
) -> Answers | CallFailed:
    subject = request.subject
    if not isinstance(subject, PairSubject):
        return ModelError("not_a_pair", "this judge needs a source and an edited picture")
    if subject.source.pixels.shape != subject.edited.pixels.shape:
        return {name: Unscored(SIZES_DIFFER) for name in questions}
    if not read_instruction(subject.instruction):
        return {name: Unscored(NOT_UNDERSTOOD) for name in questions}
    return judge(subject)


def _soft_answers(subject: PairSubject) -> Answers:
    model = load_model()
    orders = read_instruction(subject.instruction)
    row = model.rows("soft", [glance(subject.source.pixels, subject.edited.pixels, orders)])
    raw = {name: float(forest(row)[0]) for name, forest in model.forests.items() if name.startswith("soft_")}
    return {
        "adherence": _scored(model.scales["soft_adherence"](raw["soft_adherence"])),
        "aesthetics": _scored(model.scales["soft_aesthetics"](raw["soft_aesthetics"])),
        "unasked_change": _scored(doubted(raw["soft_unasked"])),
        "pleasing": _scored(1 - doubted(1 - raw["soft_pleasing"])),
    }


def _validator_answers(subject: PairSubject) -> Answers:
    model = load_model()
    orders = read_instruction(subject.instruction)
    source, edited = LOOKS.of(subject.source), LOOKS.of(subject.edited)
    features = measure(source, edited, orders)
    features |= look_features(orders, _opinion(model, source), _opinion(model, edited))
    adherence, aesthetics = model.scores(features, orders)
    return {"adherence": _scored(adherence), "aesthetics": _scored(aesthetics)}


def _opinion(model: Model, look: Look) -> Opinion:
    if look.remembered is None:
        look.remembered = opinion(model.heads, describe(look))
    return look.remembered


def _scored(value: float) -> Scored:
    return Scored(round(value, DIGITS))


LOOKS = Looks()
