"""The decision rule: which measured and judged pairs are accepted, and the named reason where not.

The gates stand in the order of the paper (arXiv 2507.14119, stages 5-7): soft filter, low-level check (with
ours for registration), validator. A rule only reads facts, so another rule costs no call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from triptych.records import Verdict

Gate = Literal["screen", "soft_filter", "low_level", "validator", "backward"]
Verdicts = Mapping[tuple[str, str], Verdict]  # (spec id, question) → verdict


@dataclass(frozen=True, slots=True)
class PairFacts:
    """What the facts say of one pair, as far as a validator may know it."""

    id: str
    instruction: str
    category: str  # of its edit; a derived pair's is its kind
    source: str  # image of its source; where ratings are held out, the painted one that all of it comes of
    verdicts: Verdicts
    signals: Mapping[str, float]  # of the checks


class AxisThresholds(BaseModel):
    """Lowest accepted score on each axis, 1..5."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    adherence: float = Field(default=4.7, ge=1, le=5)
    aesthetics: float = Field(default=4.7, ge=1, le=5)


class _OneNumberForBoth(BaseModel):
    """`threshold` may be given as one number for both axes."""

    @model_validator(mode="before")
    @classmethod
    def _one_number_for_both(cls, values: object) -> object:
        if isinstance(values, dict) and isinstance(values.get("threshold"), int | float | str):
            both = values["threshold"]
            return {**values, "threshold": {"adherence": both, "aesthetics": both}}
        return values


class DerivedRule(_OneNumberForBoth):
    """Thresholds of inverses, composites and stacks where they aren't those of attempts.

    Such pairs show pictures that were accepted already. Far more of them are good than of attempts, and
    the same score speaks for a better pair.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    soft_adherence: float | None = Field(default=None, ge=1, le=5)
    soft_aesthetics: float | None = Field(default=None, ge=1, le=5)
    soft_unasked_change: float | None = Field(default=None, ge=0, le=1)
    soft_pleasing: float | None = Field(default=None, ge=0, le=1)
    threshold: AxisThresholds | None = None


class Rule(_OneNumberForBoth):
    """Thresholds of every gate. `threshold` is one number for both axes, or one for each."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    shows_prompt: float = Field(default=0.5, ge=0, le=1, description="lowest answer to 'shows the prompt'")
    looks_right: float = Field(default=0.5, ge=0, le=1, description="lowest answer to 'looks right'")
    soft_adherence: float = Field(default=3.0, ge=1, le=5)
    soft_aesthetics: float = Field(default=3.0, ge=1, le=5)
    soft_unasked_change: float = Field(
        default=0.5, ge=0, le=1, description="highest answer to 'any unasked change'"
    )
    soft_pleasing: float = Field(default=0.5, ge=0, le=1, description="lowest answer to 'pleasing'")
    largest_component: float = Field(
        default=0.005,
        ge=0,
        le=1,
        description="lowest share of all flagged pixels; 0: no change at all passes",
    )
    shift: float = Field(default=1.0, ge=0, description="highest shift outside the change, in pixels")
    zoom: float = Field(default=0.5, ge=0, description="highest zoom outside the change, in percent")
    threshold: AxisThresholds = AxisThresholds()
    calibration: Path | None = Field(
        default=None, description="a file by `triptych validator fit` or `threshold`: its scores decide"
    )
    accept: float | None = Field(
        default=None, ge=0, le=1, description="lowest P(accept); needs a calibration, and replaces threshold"
    )
    backward: float = Field(
        default=4.0, ge=1, le=5, description="lowest adherence of its inverse that leaves a triplet in"
    )
    derived: DerivedRule = DerivedRule()
    same_meaning: float = Field(
        default=0.8, ge=-1, le=1, description="lowest cosine of another wording to its instruction"
    )

    @cached_property
    def for_derived(self) -> Rule:
        """The rule that inverses, composites and stacks are held to."""
        own = {name: value for name, value in self.derived if value is not None}
        return self.model_copy(update=own)

    @model_validator(mode="after")
    def _accept_needs_a_calibration(self) -> Rule:
        if self.accept is not None and self.calibration is None:
            raise ValueError("accept is a calibration's probability: name its file in calibration")
        return self


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores on both axes, 1..5, the validator's own or calibrated; rounded to 1e-4: comparisons repeat."""

    adherence: float
    aesthetics: float
    accept: float | None = None  # P(a person accepts), where a calibration gives it

    @property
    def geometric_mean(self) -> float:
        """√(adherence·aesthetics), what selection ranks by (stage 8)."""
        return round(sqrt(self.adherence * self.aesthetics), 4)


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What a calibration says of a pair, and the P(accept) that is enough for it (None: scores decide)."""

    scores: Scores
    lowest_accept: float | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """Passed every gate asked about."""

    scores: Scores | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Stopped at a gate, for a reason that failures are counted by."""

    gate: Gate
    reason: str


@dataclass(frozen=True, slots=True)
class Undecided:
    """Facts that this gate needs are still owed."""

    gate: Gate


Decision = Accepted | Rejected | Undecided


def screen_decision(verdicts: Verdicts, screen_spec: str, rule: Rule) -> Decision:
    """Whether a source passes the screen (stage 3)."""
    bounds = (("shows_prompt", rule.shows_prompt), ("looks_right", rule.looks_right))
    for question, lowest in bounds:
        verdict = verdicts.get((screen_spec, question))
        if verdict is None:
            return Undecided("screen")
        if verdict.value is None:
            return Rejected("screen", f"screen_unscored_{verdict.reason}")
        if round(verdict.value, 4) < lowest:
            return Rejected("screen", f"screen_{question}")
    return Accepted()


def soft_filter_decision(verdicts: Verdicts, soft_spec: str, rule: Rule) -> Decision:
    """Whether a pair passes the soft filter (stage 5)."""
    bounds = (
        ("adherence", rule.soft_adherence, 1),
        ("aesthetics", rule.soft_aesthetics, 1),
        ("unasked_change", rule.soft_unasked_change, -1),
        ("pleasing", rule.soft_pleasing, 1),
    )
    for question, bound, sign in bounds:
        verdict = verdicts.get((soft_spec, question))
        if verdict is None:
            return Undecided("soft_filter")
        if verdict.value is None:
            return Rejected("soft_filter", f"soft_unscored_{verdict.reason}")
        if sign * round(verdict.value, 4) < sign * bound:
            return Rejected("soft_filter", f"soft_{question}")
    return Accepted()


def low_level_decision(signals: Mapping[str, float], rule: Rule) -> Decision:
    """Whether a pair passes the low-level check (stage 6) and the registration check.

    A registration that could not be measured (too little of the picture is unchanged) rejects nothing.
    """
    changed = signals.get("low_level.changed_share")
    if changed is None:
        return Undecided("low_level")
    if changed == 0 and rule.largest_component > 0:
        return Rejected("low_level", "nothing_changed")
    if round(signals.get("low_level.largest_share", 1.0), 6) < rule.largest_component:
        return Rejected("low_level", "dust")
    if round(signals.get("registration.shift", 0.0), 4) > rule.shift:
        return Rejected("low_level", "shifted")
    if round(abs(signals.get("registration.zoom", 0.0)), 4) > rule.zoom:
        return Rejected("low_level", "zoomed")
    return Accepted()


def validator_decision(
    verdicts: Verdicts, validator_spec: str, rule: Rule, calibrated: Callable[[], Calibrated] | None = None
) -> Decision:
    """Whether a pair passes the validator on both axes (stage 7), by its own scores or by calibrated ones."""
    values: list[float] = []
    for question in ("adherence", "aesthetics"):
        verdict = verdicts.get((validator_spec, question))
        if verdict is None:
            return Undecided("validator")
        if verdict.value is None:
            return Rejected("validator", f"unscored_{verdict.reason}")
        values.append(round(verdict.value, 4))
    read = Calibrated(Scores(*values), None) if calibrated is None else calibrated()
    scores, lowest = read.scores, read.lowest_accept
    if lowest is not None and scores.accept is not None:
        return Accepted(scores) if scores.accept >= lowest else Rejected("validator", "accept")
    if scores.adherence < rule.threshold.adherence:
        return Rejected("validator", "adherence")
    if scores.aesthetics < rule.threshold.aesthetics:
        return Rejected("validator", "aesthetics")
    return Accepted(scores)


def pair_decision(
    verdicts: Verdicts,
    signals: Mapping[str, float],
    soft_spec: str,
    validator_spec: str,
    rule: Rule,
    calibrated: Callable[[], Calibrated] | None = None,
) -> Decision:
    """The first gate that does not accept decides; all gates passed gives the scores that decided."""
    for decision in (
        soft_filter_decision(verdicts, soft_spec, rule),
        low_level_decision(signals, rule),
    ):
        if not isinstance(decision, Accepted):
            return decision
    return validator_decision(verdicts, validator_spec, rule, calibrated)


def backward_decision(inverse: Verdicts, soft_spec: str, validator_spec: str, rule: Rule) -> Decision:
    """Whether a triplet survives what its inverse shows (stage 11).

    Where nothing was painted that could be removed, "remove the cat" passes every gate, and the inverse adds
    no cat. The validator's adherence counts; of an inverse that the soft filter stopped, the soft filter's.
    """
    for spec in (validator_spec, soft_spec):
        verdict = inverse.get((spec, "adherence"))
        if verdict is not None and verdict.value is not None:
            low = round(verdict.value, 4) < rule.backward
            return Rejected("backward", "backward_inconsistent") if low else Accepted()
    return Accepted()  # a judge that has no answer is no evidence against the triplet
