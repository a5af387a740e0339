"""Signals: everything that is said about a pair, by judges, by measurements, by its own words, as columns.

    <role>.<question>     a judge's answer (of several repeats, the mean of those that it gave)
    low_level.… drift.…   what `pixels/signals.py` measures, where more is worse as a magnitude
    instruction.…         read off the instruction's words; derived from the pair, so nothing stores them

Facts stay as they were recorded; heavy tails are taken as log(1 + x) here. An answer that was not given, or a
measurement that could not be made, is NaN: missing, never a number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log1p, nan
from typing import Final

import numpy as np

from triptych.records import Spec
from triptych.validator.calibrate import Direction, SignalColumn, SignalTable
from triptych.validator.rule import PairFacts

INSTRUCTION_SPEC: Final = Spec("checks", "triptych.validator.signals:instruction_features", "1", {})

_QUESTIONS: Final[Mapping[str, Direction]] = {
    "adherence": 1,
    "aesthetics": 1,
    "unasked_change": -1,
    "pleasing": 1,
}
_IN_CONSENSUS: Final = ("adherence", "aesthetics")
_ASKED: Final[Mapping[str, Sequence[str]]] = {"soft_filter": tuple(_QUESTIONS), "validator": _IN_CONSENSUS}


@dataclass(frozen=True, slots=True)
class _Measure:
    """How a measurement becomes a column."""

    direction: Direction
    read: Callable[[float], float]
    context: bool = False


def _as_is(value: float) -> float:
    return value


def _magnitude(value: float) -> float:
    return log1p(abs(value))


def _lost(ratio: float) -> float:
    return max(0.0, 1 - ratio)


_MEASURES: Final[Mapping[str, _Measure]] = {
    "low_level.changed_share": _Measure(0, _as_is, context=True),
    "low_level.largest_share": _Measure(0, _as_is),
    "registration.shift": _Measure(-1, _magnitude),
    "registration.zoom": _Measure(-1, _magnitude),
    "drift.lightness": _Measure(-1, _magnitude),
    "drift.cast": _Measure(-1, _magnitude),
    "drift.colour": _Measure(-1, _magnitude),
    "sharpness.ratio": _Measure(-1, _lost),
}
_PLACES: Final = re.compile(
    r"\b(above|behind|below|beside|between|bottom|centre|corner|front|left|middle|near|next|right|top|under)\b"
)
_JOINS: Final = re.compile(r"\b(and|then|also|while)\b")
_LIMITS: Final = re.compile(r"\b(without|keep|keeping|leave|leaving|only|not)\b")


def columns(specs: Mapping[str, str]) -> tuple[SignalColumn, ...]:
    """Every signal that judges and checks of these specs (role → spec id) give."""
    judges = [role for role in specs if role != "checks"]
    asked = [
        SignalColumn(
            f"{role}.{question}",
            _QUESTIONS[question],
            specs[role],
            group=question if question in _IN_CONSENSUS else "",
        )
        for role in judges
        for question in _ASKED.get(role, _IN_CONSENSUS)
    ]
    measured = [
        SignalColumn(name, measure.direction, specs["checks"], context=measure.context)
        for name, measure in _MEASURES.items()
    ]
    words = [SignalColumn(name, 0, INSTRUCTION_SPEC.id) for name in instruction_features("")]
    return (*asked, *measured, *words)


def instruction_features(instruction: str) -> dict[str, float]:
    """How long an instruction is; how many of its words join orders, name a place, hold something back."""
    text = instruction.lower()
    return {
        "instruction.words": log1p(len(text.split())),
        "instruction.joined": float(len(_JOINS.findall(text))),
        "instruction.places": float(len(_PLACES.findall(text))),
        "instruction.limits": float(len(_LIMITS.findall(text))),
    }


def signal_row(wanted: Sequence[SignalColumn], pair: PairFacts) -> list[float]:
    """Values of these columns for a pair; NaN where there is none."""
    words: dict[str, float] | None = None
    row = []
    for column in wanted:
        measure = _MEASURES.get(column.name)
        if measure is not None:
            value = pair.signals.get(column.name)
            row.append(nan if value is None else measure.read(value))
        elif column.spec_id == INSTRUCTION_SPEC.id:
            words = instruction_features(pair.instruction) if words is None else words
            row.append(words[column.name])
        else:
            verdict = pair.verdicts.get((column.spec_id, column.name.rpartition(".")[2]))
            row.append(nan if verdict is None or verdict.value is None else verdict.value)
    return row


def signal_table(wanted: Sequence[SignalColumn], pairs: Iterable[PairFacts]) -> SignalTable:
    """The signals of pairs, in their order."""
    known = list(pairs)
    values = np.array([signal_row(wanted, pair) for pair in known], dtype=np.float64)
    return SignalTable(
        tuple(pair.id for pair in known),
        tuple(wanted),
        values.reshape(len(known), len(wanted)),
        tuple(pair.source for pair in known),
        tuple(pair.category for pair in known),
    )
