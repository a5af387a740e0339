"""How far a calibration can be trusted, on held-out ratings: every figure with its n, interval and baselines.

Nothing here knows where ratings come from: people, or raters simulated from the studio's truth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from triptych.errors import UserError
from triptych.validator.agreement import bootstrap_counts, interval, spearman
from triptych.validator.calibrate import CalibratedScores, Calibration, SignalTable
from triptych.validator.curves import (
    auc,
    precision_recall,
    reliability,
    share_told,
    survival,
    survival_knees,
)
from triptych.validator.fitting import RatedItems
from triptych.validator.ratings import AXES, Axis

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
PAPER_THRESHOLD: Final = 4.7  # arXiv 2507.14119: midway between the knees of its survival curve
_RESAMPLES = 500
_BUCKETS = ((1.0, 2.0), (2.0, 3.0), (3.0, 4.0), (4.0, 4.5), (4.5, 5.0))
_FEWEST_IN_CATEGORY = 20
_FEWEST_TO_REPORT = 20


@dataclass(frozen=True, slots=True)
class Predictions:
    """A calibration's scores of rated items, and what people said."""

    items: RatedItems
    scored: CalibratedScores
    counts: FloatArray  # bootstrap draws of sources, [resamples, items]

    @classmethod
    def of(cls, items: RatedItems, calibration: Calibration) -> Predictions:
        """Score rated items; UserError where there are too few to say anything."""
        if len(items.table.items) < _FEWEST_TO_REPORT:
            raise UserError(
                f"{len(items.table.items)} rated pairs are held out: a report needs {_FEWEST_TO_REPORT}; rate"
                " more pairs, or hold out more with `fit --hold-out`"
            )
        _, place = np.unique(np.array(items.table.sources), return_inverse=True)
        counts = bootstrap_counts(int(place.max()) + 1, _RESAMPLES, seed=0)[:, place]
        return cls(items, calibration.apply(items.table), counts)

    @property
    def accept(self) -> FloatArray:
        """P(accept)."""
        if self.scored.accept is None:
            raise UserError("this calibration gives no P(accept): fit it with `triptych validator fit`")
        return self.scored.accept


def report(
    predicted: Predictions, threshold: float | None, trained: RatedItems | None = None
) -> dict[str, Any]:
    """Every figure. `threshold`: lowest P(accept), None: a half. `trained`: what baselines may learn from."""
    items, lowest = predicted.items, 0.5 if threshold is None else threshold
    people, accept = items.accepted, predicted.accept
    lower_of_both = np.minimum(*(predicted.scored.scores[axis] for axis in AXES))
    knees, midpoint = survival_knees(lower_of_both)
    return {
        "n": {"pairs": len(people), "sources": len(set(items.table.sources))},
        "base_rate": share_told(int(people.sum()), len(people)),
        "axes": {axis: _axis(predicted, axis, trained) for axis in AXES},
        "accept": {
            "auc": _told(predicted, lambda counts: auc(accept, people, counts)),
            "brier": _told(predicted, lambda counts: _mean((accept - people) ** 2, counts)),
            "at_threshold": decided(predicted, accept >= lowest) | {"threshold": round(lowest, 4)},
            "baselines": _accept_baselines(predicted, trained),
        },
        "paper_rule": {
            "threshold": PAPER_THRESHOLD,
            "raw": _paper_rule(predicted, PAPER_THRESHOLD),
            "calibrated": decided(predicted, lower_of_both >= PAPER_THRESHOLD),
            "knees": knees,
            "midpoint": midpoint,
            "at_midpoint": None if midpoint is None else decided(predicted, lower_of_both >= midpoint),
        },
        "reliability": reliability(accept, people),
        "confusion": _confusion(predicted),
        "survival": survival(lower_of_both),
        "precision_recall": precision_recall(accept, people),
        "categories": _categories(predicted, lowest),
    }


# ---- one axis ----------------------------------------------------------------------------------------------


def _axis(predicted: Predictions, axis: Axis, trained: RatedItems | None) -> dict[str, Any]:
    target, scores = predicted.items.targets[axis], predicted.scored.scores[axis]
    found = _errors(predicted, scores, target)
    found["mae_by_bucket"] = [
        {"from": low, "to": high, **_bucket(scores, target, low, high)} for low, high in _BUCKETS
    ]
    found["baselines"] = _axis_baselines(predicted, axis, target, trained)
    return found


def _errors(predicted: Predictions, scores: FloatArray, target: FloatArray) -> dict[str, Any]:
    given = np.isfinite(scores)
    scores, target, counts = scores[given], target[given], predicted.counts[:, given]
    return {
        "mae": _estimate(lambda c: _mean(np.abs(scores - target), c), counts),
        "spearman": _estimate(lambda c: spearman(scores, target, c), counts),
        "pearson": _estimate(lambda c: _pearson(scores, target, c), counts),
        "n": int(given.sum()),
    }


def _bucket(scores: FloatArray, target: FloatArray, low: float, high: float) -> dict[str, Any]:
    inside = (target >= low) & ((target < high) | (high == _BUCKETS[-1][1]))
    if low == _BUCKETS[0][0]:
        inside |= target < low
    n = int(inside.sum())
    return {"n": n, "mae": round(float(np.abs(scores - target)[inside].mean()), 4) if n else None}


def _axis_baselines(
    predicted: Predictions, axis: Axis, target: FloatArray, trained: RatedItems | None
) -> dict[str, Any]:
    """The judges' own scores of the axis: the best single one, their plain mean, and a constant."""
    table = predicted.items.table
    names = [column.name for column in table.columns if column.asked and column.group == axis]
    best = _best_signal(names, predicted.items if trained is None else trained, axis)
    found: dict[str, Any] = {}
    if best is not None:
        found["best_single"] = {"signal": best, **_errors(predicted, _signal(table, best), target)}
        found["plain_mean"] = _errors(predicted, _plain_mean(table, names), target)
    constant = float((target if trained is None else trained.targets[axis]).mean())
    found["constant"] = {
        "score": round(constant, 4),
        **_errors(predicted, np.full(len(target), constant), target),
    }
    return found


def _best_signal(names: Sequence[str], items: RatedItems, axis: Axis) -> str | None:
    """The judge that ranks best, on the ratings that calibrations are fitted on."""
    ranked = []
    for name in names:
        values = _signal(items.table, name)
        given = np.isfinite(values)
        rho = float(spearman(values[given], items.targets[axis][given])) if given.sum() > 2 else np.nan
        ranked.append((-np.inf if np.isnan(rho) else rho, name))
    return max(ranked)[1] if ranked else None


def _signal(table: SignalTable, name: str) -> FloatArray:
    values: FloatArray = table.named([name]).values[:, 0]
    return values


def _plain_mean(table: SignalTable, names: Sequence[str]) -> FloatArray:
    values = table.named(names).values
    given = np.isfinite(values)
    number = given.sum(axis=1)
    return np.where(number > 0, np.where(given, values, 0).sum(axis=1) / np.maximum(number, 1), np.nan)


# ---- decisions ---------------------------------------------------------------------------------------------


def decided(predicted: Predictions, accepted: BoolArray) -> dict[str, Any]:
    """Precision, recall, F1 and accuracy of decisions, precision and recall with exact intervals."""
    people = predicted.items.accepted
    both, chosen, good = int((accepted & people).sum()), int(accepted.sum()), int(people.sum())
    precision, recall = both / chosen if chosen else None, both / good if good else None
    f1 = 2 * both / (chosen + good) if chosen + good else None
    return {
        "precision": share_told(both, chosen),
        "recall": share_told(both, good),
        "f1": None if precision is None or recall is None or f1 is None else round(f1, 4),
        "accuracy": share_told(int((accepted == people).sum()), len(people)),
    }


def _accept_baselines(predicted: Predictions, trained: RatedItems | None) -> dict[str, Any]:
    """A judge's mean score, each read at the threshold with the best F1 on the ratings of the fit."""
    people = predicted.items.accepted
    learn = predicted.items if trained is None else trained
    names = [column.name for column in learn.table.columns if column.asked and column.group]
    found: dict[str, Any] = {}
    if names:
        best = max(names, key=lambda name: _auc_of_given(_signal(learn.table, name), learn.accepted))
        for label, read in (("best_single", [best]), ("plain_mean", names)):
            values = _plain_mean(predicted.items.table, read)
            lowest = _best_f1(_plain_mean(learn.table, read), learn.accepted)
            told = decided(predicted, np.nan_to_num(values, nan=-np.inf) >= lowest)
            found[label] = {"auc": round(_auc_of_given(values, people), 4), "threshold": lowest, **told}
        found["best_single"]["signal"] = best
    majority = bool(learn.accepted.mean() > 0.5)
    found["majority"] = {"accepts": majority, **decided(predicted, np.full(len(people), majority))}
    return found


def _paper_rule(predicted: Predictions, threshold: float) -> dict[str, Any] | None:
    """The validator's own scores at a threshold; None where no validator gave any."""
    names = [f"validator.{axis}" for axis in AXES]
    if not set(names) <= {column.name for column in predicted.items.table.columns}:
        return None
    values = predicted.items.table.named(names).values
    passed: BoolArray = np.all(np.nan_to_num(values, nan=-np.inf) >= threshold, axis=1)
    return decided(predicted, passed)


def _auc_of_given(values: FloatArray, people: BoolArray) -> float:
    given = np.isfinite(values)
    return float(auc(values[given], people[given], np.ones((1, int(given.sum()))))[0])


def _best_f1(values: FloatArray, people: BoolArray) -> float:
    tried = np.unique(values[np.isfinite(values)])
    accepted = np.nan_to_num(values, nan=-np.inf)[None, :] >= tried[:, None]
    f1 = 2 * (accepted & people).sum(axis=1) / np.maximum(accepted.sum(axis=1) + people.sum(), 1)
    return float(tried[int(np.argmax(f1))])


def _confusion(predicted: Predictions) -> dict[str, Any]:
    """How many of each bucket of people's scores fall into each bucket of ours, for both axes."""
    edges = [low for low, _ in _BUCKETS][1:]
    tables = {}
    for axis in AXES:
        rows = np.digitize(predicted.items.targets[axis], edges)
        columns = np.digitize(predicted.scored.scores[axis], edges)
        table = np.zeros((len(_BUCKETS), len(_BUCKETS)), dtype=int)
        np.add.at(table, (rows, columns), 1)
        tables[axis] = table.tolist()
    return {"buckets": [f"{low:g}-{high:g}" for low, high in _BUCKETS], "people_by_ours": tables}


def _categories(predicted: Predictions, lowest: float) -> dict[str, Any]:
    """Figures of each category with enough held-out ratings; the others are only counted."""
    categories = predicted.items.table.categories or ()
    found: dict[str, Any] = {}
    for name in sorted(set(categories)):
        inside = np.array([category == name for category in categories])
        n = int(inside.sum())
        if n < _FEWEST_IN_CATEGORY:
            found[name] = {"n": n}
            continue
        scored = CalibratedScores(
            {axis: scores[inside] for axis, scores in predicted.scored.scores.items()},
            predicted.accept[inside],
        )
        part = Predictions(predicted.items.rows(inside), scored, predicted.counts[:, inside])
        axes = {axis: _errors(part, scored.scores[axis], part.items.targets[axis]) for axis in AXES}
        told = decided(part, part.accept >= lowest)
        base = share_told(int(part.items.accepted.sum()), n)
        found[name] = {"n": n, "base_rate": base, "axes": axes, "at_threshold": told}
    return found


# ---- estimates ---------------------------------------------------------------------------------------------


def _told(predicted: Predictions, statistic: Callable[[FloatArray], FloatArray]) -> dict[str, Any]:
    return _estimate(statistic, predicted.counts)


def _estimate(statistic: Callable[[FloatArray], FloatArray], counts: FloatArray) -> dict[str, Any]:
    """A statistic with its 95 % bootstrap interval over sources."""
    if not counts.shape[1]:
        return {"value": None, "ci": [None, None]}
    value = float(statistic(np.ones((1, counts.shape[1])))[0])
    ends = interval(statistic(counts))
    told = [round(end, 4) if np.isfinite(end) else None for end in (value, *ends)]
    return {"value": told[0], "ci": told[1:]}


def _mean(values: FloatArray, counts: FloatArray) -> FloatArray:
    total = counts.sum(axis=1)
    mean: FloatArray = np.divide(counts @ values, total, out=np.full(len(counts), np.nan), where=total > 0)
    return mean


def _pearson(x: FloatArray, y: FloatArray, counts: FloatArray) -> FloatArray:
    x_mean, y_mean = _mean(x, counts)[:, None], _mean(y, counts)[:, None]
    covariance = (counts * (x - x_mean) * (y - y_mean)).sum(axis=1)
    spread = np.sqrt((counts * (x - x_mean) ** 2).sum(axis=1) * (counts * (y - y_mean) ** 2).sum(axis=1))
    rho: FloatArray = np.divide(covariance, spread, out=np.full(len(counts), np.nan), where=spread > 1e-9)
    return rho
