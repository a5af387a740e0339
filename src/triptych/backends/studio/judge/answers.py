"""How the studio's judges come to their answers, with everything that looks at pictures."""

from __future__ import annotations

from collections.abc import Callable

from triptych.backends.studio.judge.appearance import describe
from triptych.backends.studio.judge.heads import opinion
from triptych.backends.studio.judge.look import Look, Looks
from triptych.backends.studio.judge.model import Model, doubted, load_model
from triptych.backends.studio.judge.opinions import Opinion
from triptych.backends.studio.judge.pairs import glance, look_features, measure
from triptych.backends.studio.judge.reading import read_instruction, read_prompt
from triptych.backends.studio.judge.sources import (
    measure_source,
    source_features,
    source_look_features,
    thing_rows,
)
from triptych.roles import PairSubject, Scored, SourceSubject, Unscored

Answers = dict[str, Scored | Unscored]
DIGITS = 4
NOT_UNDERSTOOD = "instruction_not_understood"
SIZES_DIFFER = "sizes_differ"


def of_source(subject: SourceSubject) -> Answers:
    """The screen's."""
    look = LOOKS.of(subject.picture)
    model = load_model()
    reading = read_prompt(subject.prompt)
    measured, seen = measure_source(look, reading), _opinion(model, look)
    (shown,) = model.chances("thing", [thing_rows(measured, seen)])
    row = model.rows("screen", [source_features(measured, shown) | source_look_features(reading, seen)])
    shows, right = (float(model.forests[name](row)[0]) for name in ("screen_shows", "screen_right"))
    return {"shows_prompt": _scored(shows), "looks_right": _scored(right)}


def at_a_glance(subject: PairSubject) -> Answers:
    """The soft filter's."""
    return _judged(subject, _soft_answers, ("adherence", "aesthetics", "unasked_change", "pleasing"))


def of_pair(subject: PairSubject) -> Answers:
    """The validator's."""
    return _judged(subject, _validator_answers, ("adherence", "aesthetics"))


def _judged(
    subject: PairSubject, judge: Callable[[PairSubject], Answers], questions: tuple[str, ...]
) -> Answers:
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
