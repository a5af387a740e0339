"""Finite-sample risk control: how good a share surely is, and the loosest threshold that surely keeps one.

Thresholds are tested from a start towards the looser ones, each against "precision is below the target" by
the exact (Clopper-Pearson) bound, until one fails: fixed-sequence testing in Learn-then-Test (arXiv
2110.01052). The order is fixed without a look at the ratings, so every test has the whole error budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log

import numpy as np
from numpy.typing import NDArray

from triptych.errors import UserError
from triptych.validator.fitting import INSTALL

FloatArray = NDArray[np.float64]
_MOST_RATINGS = 100_000  # where "how many more" is looked for
# When a start is chosen, misses are taken to be so much likelier than predicted, and never rarer than this.
_PESSIMISM, _RAREST_MISS = 1.5, 0.02


def lower_bound(good: FloatArray, n: FloatArray, confidence: float) -> FloatArray:
    """Clopper-Pearson's lower bound of a share; 0 of nothing. Counts may be fractions (effective ones)."""
    good, n = np.broadcast_arrays(np.asarray(good, dtype=np.float64), np.asarray(n, dtype=np.float64))
    bound = _beta_quantile(1 - confidence, np.maximum(good, 1e-12), n - good + 1)
    return np.where((n > 0) & (good > 0), bound, 0.0)


def exact_interval(good: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson's two-sided interval of a share; the whole range of nothing."""
    if n <= 0:
        return 0.0, 1.0
    each = (1 + confidence) / 2
    low = float(lower_bound(np.array(good), np.array(n), each))
    high = 1 - float(lower_bound(np.array(n - good), np.array(n), each))
    return low, high


def fewest_without_a_miss(target: float, confidence: float) -> int:
    """How many ratings, all of them good, show that precision is at least the target."""
    return ceil(log(1 - confidence) / log(target))


def fewest_at(share: float, target: float, confidence: float) -> int | None:
    """How many ratings show it at this share of good ones; None where no number does."""
    if share <= target:
        return None
    sizes = np.unique(np.geomspace(1, _MOST_RATINGS, 2000).astype(int)).astype(float)
    enough = lower_bound(np.floor(share * sizes), sizes, confidence) >= target
    return int(sizes[np.argmax(enough)]) if enough.any() else None


@dataclass(frozen=True, slots=True)
class Descent:
    """What would be selected at each threshold, strictest first, and what people said of it."""

    thresholds: FloatArray
    n: FloatArray  # rated
    good: FloatArray  # of those
    predicted: FloatArray  # mean P(accept) of what is selected: known without its ratings

    def start(self, target: float, confidence: float) -> int:
        """Where testing begins: where it is likeliest to pass, by what is predicted alone."""
        hopeful = np.clip(1 - _RAREST_MISS - _PESSIMISM * (1 - self.predicted), 0, 1)
        return int(np.argmax(_chance_to_pass(self.n, hopeful, target, confidence)))

    def certified(self, target: float, confidence: float, inflation: float = 1.0) -> int | None:
        """Place of the loosest threshold whose precision is surely ≥ target; None where the start fails.

        `inflation`: how many ratings of the same sources are worth one (the design effect, ≥ 1).
        """
        bound = lower_bound(self.good / inflation, self.n / inflation, confidence)
        passed = None
        for place in range(self.start(target, confidence), len(self.thresholds)):
            if bound[place] < target:
                break
            passed = place
        return passed


def design_effect(
    good: NDArray[np.bool_], clusters: NDArray[np.intp], weights: FloatArray | None = None
) -> float:
    """How much the variance of a share grows because items of a cluster are alike; at least 1."""
    counts = np.ones(len(good)) if weights is None else weights
    total = counts.sum()
    if total == 0:
        return 1.0
    share = float(counts @ good / total)
    drawn = np.zeros(clusters.max() + 1)
    residual = np.zeros_like(drawn)
    np.add.at(residual, clusters, good - share)
    np.maximum.at(drawn, clusters, counts)  # a cluster that was drawn twice counts as two
    plain = total * share * (1 - share)
    return max(1.0, float(drawn @ residual**2) / plain) if plain > 0 else 1.0


def _chance_to_pass(n: FloatArray, share: FloatArray, target: float, confidence: float) -> FloatArray:
    try:
        from scipy.stats import binom
    except ImportError:
        raise UserError(f"thresholds need SciPy: {INSTALL}") from None
    chances = np.zeros(len(n))
    for place, (size, good) in enumerate(zip(np.floor(n).astype(int), share, strict=True)):
        counts = np.arange(size + 1)
        enough = lower_bound(counts.astype(float), np.full(size + 1, float(size)), confidence) >= target
        if enough.any():
            chances[place] = binom.sf(int(np.argmax(enough)) - 1, size, good)
    return chances


def _beta_quantile(level: float, a: FloatArray, b: FloatArray) -> FloatArray:
    try:
        from scipy.special import betaincinv
    except ImportError:
        raise UserError(f"thresholds need SciPy: {INSTALL}") from None
    quantile: FloatArray = betaincinv(a, b, level)
    return quantile
