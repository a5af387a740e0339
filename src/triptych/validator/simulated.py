"""Simulated raters: known truth, seen through each one's own bias, noise and lapses.

They stand in for people where truth is known (the embedded studio), so that calibration and thresholds can be
measured. Nothing that judges reads this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from triptych.records import Rating
from triptych.validator.ratings import AXES, HIGHEST, LOWEST, Axis

BIAS: Final = 0.2  # points: standard deviation of how lenient they are, each on each axis
NOISE: Final = 0.3  # points: of one rating
LAPSE: Final = 0.01  # of ratings: given without a look


def simulated_ratings(
    truth: Mapping[str, Mapping[Axis, float]], *, raters: int, per_pair: int, seed: int
) -> Iterator[Rating]:
    """Ratings of pairs in half points, 1..5. `truth`: of each pair, on each axis, 1..5."""
    rng = np.random.default_rng([seed, raters, per_pair])
    bias = {axis: rng.normal(0, BIAS, raters) for axis in AXES}
    for pair in sorted(truth):
        for rater in rng.choice(raters, min(per_pair, raters), replace=False):
            for axis in AXES:
                felt = truth[pair][axis] + bias[axis][rater] + rng.normal(0, NOISE)
                if rng.random() < LAPSE:
                    felt = rng.uniform(LOWEST, HIGHEST)
                score = float(np.clip(np.round(2 * felt) / 2, LOWEST, HIGHEST))
                yield Rating(pair, f"simulated-{rater + 1}", axis, 0, score)
