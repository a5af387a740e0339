"""How far a run's validator agrees with the people who rated its pairs, for the card."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from triptych.records import Rating
from triptych.validator.agreement import spearman
from triptych.validator.rule import Scores

AXES = ("adherence", "aesthetics")
_FEWEST = 3  # pairs that a rank correlation takes


@dataclass(frozen=True, slots=True)
class JudgeAgreement:
    """On one axis; None where too few pairs were rated, or all alike."""

    axis: str
    pairs: int
    spearman: float | None
    mean_error: float | None  # mean absolute difference from people's mean score


def judge_agreement(ratings: Iterable[Rating], scores: Mapping[str, Scores]) -> list[JudgeAgreement]:
    """The validator's scores, by pair, against the mean of people's on the same pair."""
    said: dict[str, dict[str, list[float]]] = {axis: defaultdict(list) for axis in AXES}
    for rating in ratings:
        if rating.axis in said and rating.score is not None and rating.pair_id in scores:
            said[rating.axis][rating.pair_id].append(rating.score)
    found = []
    for axis, by_pair in said.items():
        people = [fmean(given) for given in by_pair.values()]
        judge = [getattr(scores[pair], axis) for pair in by_pair]
        rho = float(spearman(people, judge)) if len(people) >= _FEWEST else np.nan
        error = fmean(abs(a - b) for a, b in zip(people, judge, strict=True)) if people else None
        found.append(
            JudgeAgreement(
                axis,
                len(people),
                None if np.isnan(rho) else round(rho, 3),
                None if error is None else round(error, 3),
            )
        )
    return found
