"""Fitting a calibration: ridge under sign constraints, everything chosen on folds grouped by source.

Two loops. The inner one picks the candidate (which signals, interactions or not, how much shrinkage) and fits
the curve and the categories' offsets on predictions for items that the weights never saw. The outer one does
all of that again without each fold in turn, and only its predictions are reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych import __version__
from triptych.errors import UserError
from triptych.records import Json, Rating
from triptych.validator.agreement import bootstrap_counts, interval, spearman
from triptych.validator.calibrate import (
    Acceptance,
    AxisModel,
    Calibration,
    Curve,
    Design,
    FloatArray,
    SignalTable,
)
from triptych.validator.ratings import AXES, HIGHEST, LOWEST, Axis, remove_rater_bias

IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]
Score = Callable[[FloatArray], float]  # predictions of all items → more is better
FEWEST_ITEMS = 40
FEWEST_SOURCES = 10
REALLY_GOOD = 4.0  # arXiv 2507.14119: both human scores above it
_CURVE_BINS = 10
_RESAMPLES = 300
INSTALL = "pip install 'triptych[validator]'"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One configuration that the inner folds may choose."""

    signals: tuple[str, ...]
    interactions: bool
    shrinkage: float  # ridge penalty an item, on standardised terms


@dataclass(frozen=True, slots=True)
class RatedItems:
    """Items that people rated on every axis, with their signals."""

    table: SignalTable
    targets: Mapping[Axis, FloatArray]  # bias of raters removed
    accepted: BoolArray  # by people

    def rows(self, chosen: BoolArray) -> RatedItems:
        """Some of the items."""
        targets = {axis: target[chosen] for axis, target in self.targets.items()}
        return RatedItems(self.table.rows(chosen), targets, self.accepted[chosen])


def join_ratings(
    table: SignalTable,
    ratings: Sequence[Rating],
    *,
    accepted: Mapping[str, bool] | None = None,
    judged_only: bool = False,
) -> RatedItems:
    """Lay people's scores beside signals. Items rated on one axis alone are left out.

    `accepted`: who is accepted, by item; else those with both scores above 4. Raises UserError for a single
    rater and, unless `judged_only` leaves them out, for ratings of items that the table doesn't hold.
    """
    known = set(table.items)
    unknown = [] if judged_only else sorted({rating.pair_id for rating in ratings} - known)
    if unknown:
        raise UserError(
            f"{len(unknown)} rated items are unknown, e.g. {unknown[0]!r}; give the run they were rated in"
        )
    scores = {axis: remove_rater_bias(ratings, axis).scores for axis in AXES}
    rated = np.array([all(item in scores[axis] for axis in AXES) for item in table.items], dtype=np.bool_)
    chosen = table.rows(rated)
    targets = {axis: np.array([scores[axis][item] for item in chosen.items]) for axis in AXES}
    good = np.all([target > REALLY_GOOD for target in targets.values()], axis=0)
    if accepted is not None:
        good = np.array([accepted[item] for item in chosen.items], dtype=np.bool_)
    return RatedItems(chosen, targets, good)


def default_candidates(table: SignalTable) -> tuple[Candidate, ...]:
    """All signals, judges' answers alone, and each judge's alone, at three strengths of shrinkage.

    The small ones are for few ratings. Only all signals together come with interactions too.
    """
    every = tuple(column.name for column in table.columns)
    asked = tuple(column.name for column in table.columns if column.asked)
    judges = dict.fromkeys(name.rpartition(".")[0] for name in asked)
    each = [tuple(name for name in asked if name.rpartition(".")[0] == judge) for judge in judges]
    menus = dict.fromkeys(
        [(every, False), (every, True), *((names, False) for names in (asked, *each) if names)]
    )
    return tuple(
        Candidate(names, interactions, shrinkage)
        for names, interactions in menus
        for shrinkage in (0.03, 0.2, 1)
    )


def grouped_folds(sources: Sequence[str], folds: int, seed: int) -> IntArray:
    """Fold of each item; items of one source share a fold."""
    distinct, place = np.unique(np.array(sources), return_inverse=True)
    fold_of_source: IntArray = np.random.default_rng(seed).permutation(len(distinct)) % folds
    return fold_of_source[place]


def fit_weights(
    terms: FloatArray, monotone: BoolArray, targets: FloatArray, shrinkages: Sequence[float]
) -> tuple[FloatArray, FloatArray]:
    """Ridge with weights ≥ 0 where `monotone`, for each shrinkage and each column of `targets` [items, t].

    Returns weights [shrinkages, t, terms] and intercepts [shrinkages, t].
    """
    nnls = _nnls()
    items = len(terms)
    mean, target_mean = terms.mean(axis=0), targets.mean(axis=0)
    centred = terms - mean
    gram = centred.T @ centred
    moments = centred.T @ (targets - target_mean)
    variance = np.maximum(np.diag(gram), 1e-9 * items)
    # a free weight is the difference of two that are ≥ 0
    signs = np.hstack([np.eye(len(gram)), -np.eye(len(gram))[:, ~monotone]])
    weights = np.zeros((len(shrinkages), targets.shape[1], terms.shape[1]))
    for at, shrinkage in enumerate(shrinkages):
        root = np.linalg.cholesky(gram + np.diag(shrinkage * variance))
        reduced = np.linalg.solve(root, moments)
        for column in range(targets.shape[1]):
            weights[at, column] = signs @ nnls(root.T @ signs, reduced[:, column])
    return weights, target_mean - weights @ mean


def _nnls() -> Callable[[FloatArray, FloatArray], FloatArray]:
    try:
        from scipy.optimize import nnls
    except ImportError:
        raise UserError(f"fitting needs SciPy: {INSTALL}") from None

    def solve(matrix: FloatArray, right: FloatArray) -> FloatArray:
        solution: FloatArray = nnls(matrix, right, maxiter=30 * matrix.shape[1])[0]
        return solution

    return solve


def held_out_latents(
    table: SignalTable, targets: FloatArray, candidates: Sequence[Candidate], fold: IntArray
) -> FloatArray:
    """Latents [candidates, items, t] of each item, from weights fitted without its fold."""
    latents = np.empty((len(candidates), len(table.items), targets.shape[1]))
    designs: dict[tuple[tuple[str, ...], bool], list[int]] = {}
    for at, candidate in enumerate(candidates):
        designs.setdefault((candidate.signals, candidate.interactions), []).append(at)
    for (signals, interactions), members in designs.items():
        read = table.named(signals)
        shrinkages = [candidates[at].shrinkage for at in members]
        for number in np.unique(fold):
            out = fold == number
            design = Design.of(read.rows(~out), interactions=interactions)
            terms = design.terms(read.values)
            weights, intercepts = fit_weights(terms.values[~out], terms.monotone, targets[~out], shrinkages)
            predicted = np.einsum("it,sat->sia", terms.values[out], weights) + intercepts[:, None, :]
            for at, latent in zip(members, predicted, strict=True):
                latents[at, out] = latent
    return latents


def choose(latents: FloatArray, score: Score) -> int:
    """Place of the best candidate by a score of its held-out latents [candidates, items]; first of equals."""
    scores = [score(predicted) for predicted in latents]
    return int(np.nanargmax(scores)) if np.isfinite(scores).any() else 0


def fit_axis(
    table: SignalTable, target: FloatArray, candidates: Sequence[Candidate], folds: int, seed: int
) -> tuple[AxisModel, FloatArray, Candidate]:
    """Fit one axis on rated items. Also gives the held-out scores of the same items, and what was chosen."""
    fold = grouped_folds(table.sources, folds, seed)
    latents = held_out_latents(table, target[:, None], candidates, fold)[:, :, 0]
    at = choose(latents, lambda predicted: float(spearman(predicted, target)))
    chosen, latent = candidates[at], latents[at]
    curve = fit_curve(latent, target)
    offsets = shrunk_offsets(target - curve(latent), table.categories)
    model = fit_latent(table, target, chosen, curve, offsets)
    held_out = curve(latent)
    if table.categories is not None:
        held_out = held_out + np.array([offsets.get(category, 0.0) for category in table.categories])
    return model, np.clip(held_out, LOWEST, HIGHEST), chosen


def fit_latent(
    table: SignalTable,
    target: FloatArray,
    chosen: Candidate,
    curve: Curve | None = None,
    offsets: Mapping[str, float] | None = None,
) -> AxisModel:
    """Weights of one candidate on all items of a table, under a curve and offsets found elsewhere."""
    read = table.named(chosen.signals)
    design = Design.of(read, interactions=chosen.interactions)
    terms = design.terms(read.values)
    weights, intercepts = fit_weights(terms.values, terms.monotone, target[:, None], [chosen.shrinkage])
    scale = np.array([LOWEST, HIGHEST])
    intercept = float(intercepts[0, 0])
    return AxisModel(design, weights[0, 0], intercept, curve or Curve(scale, scale), offsets or {})


def fit_curve(latent: FloatArray, target: FloatArray) -> Curve:
    """A rising curve through the mean target of equal bins of latents (pooled where they would fall).

    Beyond the outermost bins it goes on to the ends of the scale, so that no two latents near the data tie.
    """
    order = np.argsort(latent, kind="stable")
    bins = [part for part in np.array_split(order, min(_CURVE_BINS, max(len(order) // 20, 2))) if len(part)]
    knots = np.array([latent[part].mean() for part in bins])
    scores = _pooled([float(target[part].mean()) for part in bins], [len(part) for part in bins])
    knots, first = np.unique(knots, return_index=True)
    scores = scores[first]
    reach = max(float(latent.max() - latent.min()), 1e-6)
    knots = np.concatenate([[latent.min() - reach], knots, [latent.max() + reach]])
    scores = np.concatenate([[LOWEST], np.clip(scores, LOWEST, HIGHEST), [HIGHEST]])
    # keeps pooled stretches rising, by at most 0.01 points
    slight = 0.01 * (knots - knots[0]) / (knots[-1] - knots[0])
    return Curve(knots, np.minimum(scores + slight, HIGHEST))


def _pooled(values: Sequence[float], weights: Sequence[float]) -> FloatArray:
    """Nearest rising sequence (pool adjacent violators)."""
    blocks: list[tuple[float, float, int]] = []  # mean, weight, length
    for value, weight in zip(values, weights, strict=True):
        blocks.append((value, weight, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, m, k), (b, n, length) = blocks[-2:]
            blocks[-2:] = [((a * m + b * n) / (m + n), m + n, k + length)]
    return np.concatenate([np.full(length, value) for value, _, length in blocks])


def shrunk_offsets(residuals: FloatArray, categories: Sequence[str] | None) -> dict[str, float]:
    """Mean residual of each category, shrunk to 0 by how little it is told from noise.

    Offset = n ⁄ (n + σ²⁄τ²) · mean, with τ² the variance between categories that σ² ⁄ n doesn't explain
    (method of moments); τ² = 0 leaves every category at the global fit.
    """
    if categories is None:
        return {}
    names, place, counts = np.unique(np.array(categories), return_inverse=True, return_counts=True)
    if len(names) < 2 or len(residuals) <= len(names):
        return {}
    means = np.bincount(place, residuals) / counts
    within = float(((residuals - means[place]) ** 2).sum() / (len(residuals) - len(names)))
    between = float(np.average(means**2 - within / counts, weights=counts))
    if between <= 0:
        return {}
    shrunk = counts / (counts + within / between) * means
    return {str(name): float(offset) for name, offset in zip(names, shrunk, strict=True)}


def fit_acceptance(scores: Mapping[str, FloatArray], accepted: BoolArray) -> Acceptance:
    """Logistic regression of people's decisions on held-out scores, weights ≥ 0, lightly shrunk."""
    try:
        from scipy.optimize import minimize
    except ImportError:
        raise UserError(f"fitting needs SciPy: {INSTALL}") from None
    if accepted.all() or not accepted.any():
        which = "accepted" if accepted.all() else "rejected"
        raise UserError(f"every rated item was {which}: P(accept) needs some of both; rate more items")
    lowest = np.min(list(scores.values()), axis=0)
    inputs = np.column_stack([np.ones(len(accepted)), *scores.values(), lowest])
    side = np.where(accepted, 1.0, -1.0)

    def loss(weights: FloatArray) -> tuple[float, FloatArray]:
        margin = side * (inputs @ weights)
        gradient = -(inputs * (side / (1 + np.exp(margin)))[:, None]).sum(axis=0)
        gradient[1:] += 0.1 * weights[1:]
        return float(np.logaddexp(0, -margin).sum() + 0.05 * (weights[1:] ** 2).sum()), gradient

    bounds = [(None, None)] + [(0.0, None)] * (len(scores) + 1)
    best = minimize(loss, np.zeros(inputs.shape[1]), jac=True, bounds=bounds, method="L-BFGS-B").x
    weights = {axis: float(weight) for axis, weight in zip(scores, best[1:-1], strict=True)}
    return Acceptance(float(best[0]), weights, float(best[-1]))


def fit_calibration(
    table: SignalTable,
    targets: Mapping[str, FloatArray],
    accepted: BoolArray | None,
    *,
    data: Mapping[str, Json],
    date: str,
    candidates: Sequence[Candidate] | None = None,
    folds: int = 5,
    seed: int = 0,
) -> Calibration:
    """Fit every axis, and P(accept) where decisions are given. `data` and `date` go on the card as they are.

    Raises UserError for too few items or sources, a constant signal, or scores out of 1..5.
    """
    check_fit(table, targets, folds)
    tried = tuple(candidates) if candidates is not None else default_candidates(table)
    fold = grouped_folds(table.sources, folds, seed)
    reported = {axis: np.empty(len(table.items)) for axis in targets}
    probability = np.empty(len(table.items))
    for number in range(folds):
        out = fold == number
        inside = {axis: target[~out] for axis, target in targets.items()}
        decided = None if accepted is None else accepted[~out]
        part = _fit(table.rows(~out), inside, decided, tried, folds, seed + 1)
        scored = Calibration(part.axes, part.acceptance, {}).apply(table.rows(out))
        for axis in targets:
            reported[axis][out] = scored.scores[axis]
        if scored.accept is not None:
            probability[out] = scored.accept
    final = _fit(table, targets, accepted, tried, folds, seed)
    metrics: dict[str, Json] = {
        axis: axis_metrics(reported[axis], target, table.sources) for axis, target in targets.items()
    }
    if accepted is not None:
        brier = float(((probability - accepted) ** 2).mean())
        metrics["accept"] = {"brier": round(brier, 4), "n": len(accepted)}
    specs: list[Json] = list(dict.fromkeys(column.spec_id for column in table.columns))
    card: dict[str, Json] = {
        "data": dict(data),
        "date": date,
        "version": __version__,
        "folds": {"outer": folds, "inner": folds, "grouped_by": "source", "seed": seed},
        "candidates_tried": len(tried),
        "chosen": {axis: _told(chosen) for axis, chosen in final.chosen.items()},
        "metrics": metrics,
        "signals": [column.name for column in table.columns],
        "specs": specs,
        "n": {"items": len(table.items), "sources": len(set(table.sources))},
    }
    return Calibration(final.axes, final.acceptance, card)


@dataclass(frozen=True, slots=True)
class _Fit:
    axes: dict[str, AxisModel]
    acceptance: Acceptance | None
    chosen: dict[str, Candidate]


def _fit(
    table: SignalTable,
    targets: Mapping[str, FloatArray],
    accepted: BoolArray | None,
    candidates: Sequence[Candidate],
    folds: int,
    seed: int,
) -> _Fit:
    fitted = {axis: fit_axis(table, target, candidates, folds, seed) for axis, target in targets.items()}
    held_out = {axis: scores for axis, (_, scores, _) in fitted.items()}
    acceptance = None if accepted is None else fit_acceptance(held_out, accepted)
    axes = {axis: model for axis, (model, _, _) in fitted.items()}
    return _Fit(axes, acceptance, {axis: chosen for axis, (_, _, chosen) in fitted.items()})


def _told(chosen: Candidate) -> Json:
    signals: list[Json] = list(chosen.signals)
    return {"signals": signals, "interactions": chosen.interactions, "shrinkage": chosen.shrinkage}


def axis_metrics(predicted: FloatArray, target: FloatArray, sources: Sequence[str]) -> Json:
    """MAE, Spearman and Pearson of predictions, with the plain mean's MAE beside; intervals over sources."""
    distinct, place = np.unique(np.array(sources), return_inverse=True)
    counts = bootstrap_counts(len(distinct), _RESAMPLES, seed=0)[:, place]
    errors = np.abs(predicted - target)
    drawn = {"mae": counts @ errors / counts.sum(axis=1), "spearman": spearman(predicted, target, counts)}
    intervals = {f"{name}_95": _told_interval(resampled) for name, resampled in drawn.items()}
    constant = np.full(len(target), target.mean())
    pearson = float(np.corrcoef(predicted, target)[0, 1]) if predicted.std() > 1e-9 else None
    rho = float(spearman(predicted, target))
    return {
        "mae": round(float(errors.mean()), 4),
        "mae_of_mean": round(float(np.abs(constant - target).mean()), 4),
        "spearman": round(rho, 4) if np.isfinite(rho) else None,
        "pearson": round(pearson, 4) if pearson is not None else None,
        "n": len(target),
        **intervals,
    }


def _told_interval(resampled: FloatArray) -> Json:
    return [round(end, 4) if np.isfinite(end) else None for end in interval(resampled)]


def check_fit(table: SignalTable, targets: Mapping[str, FloatArray], folds: int) -> None:
    """Raise UserError, in one line with the mend, where the data can't carry a fit."""
    items, sources = len(table.items), len(set(table.sources))
    if items < FEWEST_ITEMS or sources < max(FEWEST_SOURCES, folds):
        raise UserError(
            f"{items} rated items of {sources} sources are too few to calibrate on: rate at least"
            f" {FEWEST_ITEMS} items of {max(FEWEST_SOURCES, folds)} sources"
        )
    for axis, target in targets.items():
        if not np.isfinite(target).all() or target.min() < LOWEST - 1 or target.max() > HIGHEST + 1:
            raise UserError(f"scores of {axis} are missing or far out of 1..5; mend the ratings")
        if np.ptp(target) == 0:
            raise UserError(
                f"every item has the same {axis}, {target[0]:g}: nothing to calibrate on; rate others"
            )
    for column, values in zip(table.columns, table.values.T, strict=True):
        present = values[np.isfinite(values)]
        if not len(present):
            raise UserError(
                f"signal {column.name} is missing on all {items} rated items; measure it, or leave it out"
            )
        if np.ptp(present) == 0:
            raise UserError(
                f"signal {column.name} is constant ({present[0]:g} on all {len(present)} items that have it);"
                " leave it out, or see why it never varies"
            )
