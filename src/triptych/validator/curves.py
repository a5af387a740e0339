"""Curves that a report draws, and the counts behind them: reliability, survival, precision over recall."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from triptych.validator.risk import exact_interval

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
_RELIABILITY_BINS: Final = 10
_KNEES_FROM: Final = 3.5  # knees of the survival curve are looked for from here up


def auc(scores: FloatArray, good: BoolArray, counts: FloatArray) -> FloatArray:
    """Chance that a good one scores above a bad one, ties half, for each resample [resamples]."""
    values, place = np.unique(scores, return_inverse=True)
    hits = np.zeros((len(counts), len(values)))
    misses = np.zeros_like(hits)
    for column, (at, is_good) in enumerate(zip(place, good, strict=True)):
        (hits if is_good else misses)[:, at] += counts[:, column]
    below = np.cumsum(misses, axis=1) - misses
    pairs = hits.sum(axis=1) * misses.sum(axis=1)
    won = (hits * (below + misses / 2)).sum(axis=1)
    area: FloatArray = np.divide(won, pairs, out=np.full(len(counts), np.nan), where=pairs > 0)
    return area


def reliability(accept: FloatArray, people: BoolArray) -> list[dict[str, Any]]:
    """Share that people accept against P(accept), in bins of equal number, lowest first."""
    order = np.argsort(accept, kind="stable")
    bins = [part for part in np.array_split(order, _RELIABILITY_BINS) if len(part)]
    return [
        {"predicted": round(float(accept[part].mean()), 4), **share_told(int(people[part].sum()), len(part))}
        for part in bins
    ]


def survival(scores: FloatArray) -> list[dict[str, float]]:
    """Share of pairs with both scores at least T, for T from 1 to 5."""
    grid = np.round(np.arange(1, 5.001, 0.05), 2)
    return [{"t": float(t), "share": round(float((scores >= t).mean()), 4)} for t in grid]


def survival_knees(scores: FloatArray) -> tuple[list[float] | None, float | None]:
    """The two knees of the survival curve and the threshold midway, the rule of arXiv 2507.14119.

    The paper reads them by eye; here they are where three joined straight lines fit the curve best, from 3.5
    up. None where the curve is flat there.
    """
    grid = np.round(np.arange(_KNEES_FROM, 5.001, 0.05), 2)
    curve = (scores[:, None] >= grid).mean(axis=0)
    if np.ptp(curve) < 0.02:
        return None, None
    best: tuple[float, float, float] | None = None
    for first in range(2, len(grid) - 4):
        for second in range(first + 2, len(grid) - 2):
            bends = [np.maximum(grid - grid[at], 0) for at in (first, second)]
            columns = np.column_stack([np.ones(len(grid)), grid, *bends])
            residual = curve - columns @ np.linalg.lstsq(columns, curve, rcond=None)[0]
            error = float(residual @ residual)
            if best is None or error < best[0]:
                best = error, float(grid[first]), float(grid[second])
    assert best is not None  # noqa: S101  (the grid has room for two knees)
    return [best[1], best[2]], round((best[1] + best[2]) / 2, 3)


def precision_recall(accept: FloatArray, people: BoolArray) -> list[dict[str, Any]]:
    """Precision, with its exact interval, and recall at thresholds on P(accept), strictest first."""
    grid = np.unique(np.quantile(accept, np.linspace(0, 0.99, 40), method="inverted_cdf"))[::-1]
    points = []
    for lowest in grid:
        chosen = accept >= lowest
        both = int((chosen & people).sum())
        recall = both / people.sum() if people.any() else None
        points.append(
            {
                "threshold": round(float(lowest), 4),
                "precision": share_told(both, int(chosen.sum())),
                "recall": None if recall is None else round(float(recall), 4),
            }
        )
    return points


def share_told(part: int, whole: int) -> dict[str, Any]:
    """A share with its exact 95 % interval and what it is of."""
    low, high = exact_interval(part, whole)
    value = round(part / whole, 4) if whole else None
    return {"value": value, "ci": [round(low, 4), round(high, 4)], "n": whole}
