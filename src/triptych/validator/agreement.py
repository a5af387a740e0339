"""How far people agree with each other: Spearman between raters, Krippendorff's alpha, bootstrap intervals.

Every statistic here takes item weights, so that a bootstrap over items is one array operation: a resample is
how often each item was drawn, and a weighted statistic equals the plain one on the items so repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from triptych.errors import UserError
from triptych.records import Rating
from triptych.validator.ratings import Axis, scores_of

FloatArray = NDArray[np.float64]
Level = Literal["ordinal", "interval"]
_FEWEST_SHARED = 3  # items a pair of raters must share for a rank correlation to say anything


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic with its bootstrap interval. NaN where the data leave it undefined."""

    value: float
    low: float
    high: float
    n: int  # items


@dataclass(frozen=True, slots=True)
class RaterTable:
    """Scores of one axis, laid out [raters, items]; NaN where a rater didn't score an item."""

    raters: tuple[str, ...]
    items: tuple[str, ...]
    scores: FloatArray


def rater_table(ratings: Iterable[Rating], axis: Axis) -> RaterTable:
    """Lay out one axis, of a rater's sittings the last. Raises UserError for one rater."""
    cells = {(rater, item): score for item, rater, score in scores_of(ratings, axis)}
    raters = tuple(sorted({rater for rater, _ in cells}))
    items = tuple(sorted({item for _, item in cells}))
    if len(raters) < 2:
        raise UserError(
            f"{len(raters) or 'no'} rater of {axis}: agreement needs at least 2 who scored the same items"
        )
    scores = np.full((len(raters), len(items)), np.nan)
    rows = {rater: row for row, rater in enumerate(raters)}
    columns = {item: column for column, item in enumerate(items)}
    for (rater, item), score in cells.items():
        scores[rows[rater], columns[item]] = score
    return RaterTable(raters, items, scores)


def spearman(x: ArrayLike, y: ArrayLike, weights: FloatArray | None = None) -> FloatArray:
    """Spearman's rank correlation, ties at mid-rank. NaN where either side is constant.

    `weights` [resamples, n] says how often each item counts; the result is [resamples], or a scalar without.
    """
    counts = np.ones((1, np.size(x))) if weights is None else weights
    total = counts.sum(axis=1, keepdims=True)
    centred = []
    for side in (x, y):
        ranks = _mid_ranks(np.asarray(side, dtype=np.float64), counts)
        centred.append(ranks - (counts * ranks).sum(axis=1, keepdims=True) / np.maximum(total, 1e-12))
    a, b = centred
    covariance = (counts * a * b).sum(axis=1)
    spread = np.sqrt((counts * a * a).sum(axis=1) * (counts * b * b).sum(axis=1))
    rho: FloatArray = np.divide(covariance, spread, out=np.full(len(counts), np.nan), where=spread > 1e-9)
    return rho if weights is not None else rho[0]


def _mid_ranks(values: FloatArray, counts: FloatArray) -> FloatArray:
    _, place, tied = np.unique(values, return_inverse=True, return_counts=True)
    drawn = np.cumsum(counts[:, np.argsort(place, kind="stable")], axis=1)
    drawn = np.hstack([np.zeros((len(counts), 1)), drawn])
    ends = np.cumsum(tied)
    ranks: FloatArray = ((drawn[:, ends - tied] + drawn[:, ends]) / 2)[:, place]
    return ranks


def bootstrap_counts(items: int, resamples: int, seed: int) -> FloatArray:
    """How often each item is drawn in each resample, [resamples, items]."""
    drawn = np.random.default_rng(seed).multinomial(items, np.full(items, 1 / items), size=resamples)
    return drawn.astype(np.float64)


def interval(resampled: FloatArray, confidence: float = 0.95) -> tuple[float, float]:
    """Percentile interval over resamples; undefined ones are left out."""
    defined = resampled[np.isfinite(resampled)]
    if not len(defined):
        return np.nan, np.nan
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def inter_rater_spearman(table: RaterTable, *, resamples: int = 2000, seed: int = 0) -> Estimate:
    """Mean over pairs of raters of Spearman over the items that both scored, every pair counting the same.

    A pair that shares fewer than 3 items, or in which one gave a single score throughout, is left out. The
    interval resamples items.
    """
    return _estimate(lambda counts: _mean_pair_spearman(table.scores, counts), table, resamples, seed)


def _mean_pair_spearman(scores: FloatArray, counts: FloatArray) -> FloatArray:
    correlations = []
    for one, other in combinations(scores, 2):
        shared = np.isfinite(one) & np.isfinite(other)
        if shared.sum() >= _FEWEST_SHARED:
            correlations.append(spearman(one[shared], other[shared], counts[:, shared]))
    return mean_of_defined(np.array(correlations).reshape(-1, len(counts)))


def mean_of_defined(values: FloatArray) -> FloatArray:
    """Mean over the first dimension of what isn't NaN; NaN where nothing is defined."""
    defined = np.isfinite(values)
    total = np.where(defined, values, 0).sum(axis=0)
    number = defined.sum(axis=0)
    mean: FloatArray = np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
    return mean


def krippendorff_alpha(table: RaterTable, level: Level, *, resamples: int = 2000, seed: int = 0) -> Estimate:
    """Krippendorff's alpha, 1 − observed ⁄ expected disagreement; the interval resamples items.

    Items with a single rating have no pair and say nothing. Undefined where everybody gave one score.
    """
    values, by_item = _coincidences(table.scores)
    return _estimate(lambda counts: _alpha(values, by_item, counts, level), table, resamples, seed)


def _coincidences(scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Distinct scores [v], and each item's coincidence matrix [items, v, v] (K. Krippendorff, 2011, §C)."""
    values = np.unique(scores[np.isfinite(scores)])
    said = (scores[:, :, None] == values).sum(axis=0).astype(np.float64)  # [items, v]
    raters = said.sum(axis=1)
    pairs = said[:, :, None] * said[:, None, :] - said[:, :, None] * np.eye(len(values))
    by_item: FloatArray = pairs / np.maximum(raters - 1, 1)[:, None, None]
    return values, by_item


def _alpha(values: FloatArray, by_item: FloatArray, counts: FloatArray, level: Level) -> FloatArray:
    size = len(values)
    coincidences = (counts @ by_item.reshape(len(by_item), -1)).reshape(-1, size, size)
    said = coincidences.sum(axis=2)  # [resamples, v]
    if level == "interval":
        distance = np.broadcast_to((values[:, None] - values) ** 2, coincidences.shape)
    else:
        middle = np.cumsum(said, axis=1) - said / 2
        distance = (middle[:, :, None] - middle[:, None, :]) ** 2
    observed = (coincidences * distance).sum(axis=(1, 2))
    expected = (said[:, :, None] * said[:, None, :] * distance).sum(axis=(1, 2))
    ratio: FloatArray = np.divide(
        observed * (said.sum(axis=1) - 1), expected, out=np.full(len(counts), np.nan), where=expected > 1e-12
    )
    return 1 - ratio


def _estimate(
    statistic: Callable[[FloatArray], FloatArray], table: RaterTable, resamples: int, seed: int
) -> Estimate:
    items = len(table.items)
    value = float(statistic(np.ones((1, items)))[0])
    low, high = interval(statistic(bootstrap_counts(items, resamples, seed)))
    return Estimate(value, low, high, items)
