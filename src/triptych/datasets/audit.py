"""The paper's table for any edit data set: both axes, their geometric mean, and how sure that is.

Means are over pairs; the geometric mean is that of each pair, then averaged. Intervals are a percentile
bootstrap of 95 % that draws source pictures, since edits of one picture are alike.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from triptych.records import Json
from triptych.validator.agreement import bootstrap_counts, interval
from triptych.validator.rule import Scores

AXES = ("adherence", "aesthetics", "geometric")
WITHOUT_CATEGORY = "without category"
UNCALIBRATED = "uncalibrated"

_RESAMPLES = 1_000


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """A pair that the judge scored on both axes."""

    source_image: str
    category: str | None
    scores: Scores


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table. Means and intervals by axis; None where nothing was scored, or too little."""

    n: int
    means: Mapping[str, float | None]
    intervals: Mapping[str, tuple[float, float] | None]

    def as_json(self) -> dict[str, Json]:
        """With the intervals under `ci`."""
        bounds: Json = {axis: list(ci) if ci else None for axis, ci in self.intervals.items()}
        return {"n": self.n, **self.means, "ci": bounds}


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found of one data set."""

    name: str
    whole: Line
    by_category: Mapping[str, Line]
    skipped: Mapping[str, int]  # reason → rows
    aligned: Mapping[str, int]  # what was done for pictures of one size → pairs
    note: str = ""  # `UNCALIBRATED`, where the judge knows nothing of such pictures

    def as_json(self) -> dict[str, Json]:
        """For programs."""
        by: Json = {category: line.as_json() for category, line in self.by_category.items()}
        told: dict[str, Json] = {**self.whole.as_json(), "by_category": by, "skipped": dict(self.skipped)}
        return told | {self.note: True} if self.note else told


def audit_of(
    name: str,
    scored: Iterable[ScoredPair],
    skipped: Mapping[str, int],
    aligned: Mapping[str, int],
    *,
    calibrated: bool = True,
) -> Audit:
    """The table of one data set; categories from the commonest on."""
    pairs = list(scored)
    by_category: dict[str, list[ScoredPair]] = defaultdict(list)
    for pair in pairs:
        by_category[pair.category or WITHOUT_CATEGORY].append(pair)
    ordered = sorted(by_category.items(), key=lambda item: (-len(item[1]), item[0]))
    return Audit(
        name,
        _line(pairs),
        {category: _line(members) for category, members in ordered},
        dict(Counter(skipped).most_common()),
        dict(Counter(aligned).most_common()),
        "" if calibrated else UNCALIBRATED,
    )


def _line(pairs: Sequence[ScoredPair]) -> Line:
    if not pairs:
        return Line(0, dict.fromkeys(AXES), dict.fromkeys(AXES))
    values = np.array(
        [(pair.scores.adherence, pair.scores.aesthetics, pair.scores.geometric_mean) for pair in pairs]
    )
    means = dict(zip(AXES, np.round(values.mean(axis=0), 4).tolist(), strict=True))
    sources = {image: place for place, image in enumerate(sorted({pair.source_image for pair in pairs}))}
    if len(sources) < 2:  # a bootstrap of one picture knows no spread
        return Line(len(pairs), means, dict.fromkeys(AXES))
    sums, sizes = np.zeros((len(sources), len(AXES))), np.zeros(len(sources))
    for pair, row in zip(pairs, values, strict=True):
        sums[sources[pair.source_image]] += row
        sizes[sources[pair.source_image]] += 1
    drawn = bootstrap_counts(len(sources), _RESAMPLES, seed=0)
    resampled = (drawn @ sums) / (drawn @ sizes)[:, None]
    bounds = [interval(resampled[:, number]) for number in range(len(AXES))]
    return Line(
        len(pairs),
        means,
        {axis: (round(low, 4), round(high, 4)) for axis, (low, high) in zip(AXES, bounds, strict=True)},
    )
