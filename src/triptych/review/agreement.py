"""How far raters agree with each other and with the validator, as it stands while they rate."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from statistics import fmean
from typing import Final

import numpy as np

from triptych.errors import UserError
from triptych.records import Finding, Json, Rating
from triptych.review.index import Table
from triptych.review.rows import STAGES
from triptych.validator.agreement import (
    Estimate,
    inter_rater_spearman,
    krippendorff_alpha,
    rater_table,
    spearman,
)
from triptych.validator.ratings import Axis

_AXES: Final[tuple[Axis, ...]] = ("adherence", "aesthetics")
_RESAMPLES = 300  # it is computed anew with every rating
_REALLY_GOOD = 4.0  # of people's scores on both axes, as in arXiv 2507.14119


def agreement(table: Table, ratings: list[Rating], findings: Iterable[Finding] = ()) -> dict[str, Json]:
    """Between raters by axis, with the validator by axis, and of what it accepted how much people accept."""
    known = [rating for rating in ratings if rating.pair_id in table.by_id]
    return {
        "raters": _raters(known),
        "between": {axis: _between(known, axis) for axis in _AXES},
        "validator": {axis: _with_validator(table, known, axis) for axis in _AXES},
        "accepted": _accepted(table, verdicts(known, findings)),
    }


def verdicts(ratings: Iterable[Rating], findings: Iterable[Finding] = ()) -> dict[str, bool]:
    """Whether people find a pair good: most of those who accepted, rejected or spot-checked it.

    Where nobody did: both mean scores above 4. A tie is a no.
    """
    said: dict[str, list[float]] = defaultdict(list)
    scored: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for rating in ratings:
        if rating.score is None:
            continue
        if rating.axis == "accept":
            said[rating.pair_id].append(rating.score)
        else:
            scored[rating.pair_id][rating.axis].append(rating.score)
    for found in findings:
        if found.flaw is not None:
            said[found.pair_id].append(float(found.flaw == "none"))
    good = {
        pair: all(fmean(axes[axis]) > _REALLY_GOOD for axis in _AXES)
        for pair, axes in scored.items()
        if all(axes[axis] for axis in _AXES)
    }
    return good | {pair: fmean(scores) > 0.5 for pair, scores in said.items()}


def _raters(ratings: Iterable[Rating]) -> list[Json]:
    pairs: dict[str, set[str]] = defaultdict(set)
    means: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for rating in ratings:
        if rating.score is not None:
            pairs[rating.rater].add(rating.pair_id)
            means[rating.rater][rating.axis].append(rating.score)
    return [
        {
            "rater": rater,
            "pairs": len(rated),
            "means": {axis: round(fmean(scores), 2) for axis, scores in sorted(means[rater].items())},
        }
        for rater, rated in sorted(pairs.items())
    ]


def _between(ratings: Iterable[Rating], axis: Axis) -> dict[str, Json]:
    try:
        laid_out = rater_table(ratings, axis)
    except UserError:  # one rater, or none
        return {"n": 0, "spearman": None, "alpha": None}
    shared = int((np.isfinite(laid_out.scores).sum(axis=0) > 1).sum())
    if not shared:
        return {"n": 0, "spearman": None, "alpha": None}
    rho = inter_rater_spearman(laid_out, resamples=_RESAMPLES)
    alpha = krippendorff_alpha(laid_out, "ordinal", resamples=_RESAMPLES)
    return {"n": shared, "spearman": _told(rho), "alpha": _told(alpha)}


def _told(estimate: Estimate) -> list[Json] | None:
    if math.isnan(estimate.value):
        return None
    bounds = [None if math.isnan(bound) else round(bound, 3) for bound in (estimate.low, estimate.high)]
    return [round(estimate.value, 3), *bounds]


def _with_validator(table: Table, ratings: Iterable[Rating], axis: Axis) -> dict[str, Json]:
    said: dict[str, list[float]] = defaultdict(list)
    for rating in ratings:
        if rating.axis == axis and rating.score is not None:
            said[rating.pair_id].append(rating.score)
    pairs = [
        (fmean(scores), float(table.columns[axis][table.by_id[pair]]))
        for pair, scores in sorted(said.items())
    ]
    pairs = [(people, judge) for people, judge in pairs if not math.isnan(judge)]
    if not pairs:
        return {"n": 0, "spearman": None, "mae": None}
    people, judge = np.array(pairs).T
    rho = float(spearman(people, judge)) if len(pairs) > 2 else math.nan
    return {
        "n": len(pairs),
        "spearman": None if math.isnan(rho) else round(rho, 3),
        "mae": round(float(np.abs(people - judge).mean()), 3),
    }


def _accepted(table: Table, good: dict[str, bool]) -> dict[str, Json]:
    """Of the pairs that people judged, how many they find good: of what the validator passed, and not."""
    passed = STAGES.index("validator")
    counts = {True: [0, 0], False: [0, 0]}
    for pair, fine in good.items():
        place = table.by_id.get(pair)
        if place is not None:
            of = counts[table.rows[place].stage >= passed]
            of[0] += fine
            of[1] += 1
    return {
        "by_validator": {"good": counts[True][0], "n": counts[True][1]},
        "rejected": {"good": counts[False][0], "n": counts[False][1]},
    }
