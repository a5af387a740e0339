"""The three judges fitted: predictions out of fold, scales from those, and the model to ship."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from studio_judge.learn import (
    FOLDS,
    Recipe,
    Row,
    add_look_features,
    add_parts,
    fold_of,
    grow,
    known,
    matrix,
    out_of_fold,
    pairs_of,
    part_targets,
    pictures_of,
    scale_to,
    seen,
    train_heads,
    upper_scale,
)
from studio_judge.measured import Measured
from triptych.backends.studio.judge.forest import Forest
from triptych.backends.studio.judge.model import (
    FLAW_FORESTS,
    SCREEN_FORESTS,
    SOFT_FORESTS,
    VALIDATOR_FORESTS,
    Model,
    Scale,
    early_values,
    raw_scores,
)
from triptych.backends.studio.judge.novelty import Limits, excess, group_of, limits_from
from triptych.backends.studio.truth import GOOD, truth_from

Target = NDArray[np.float64]
AXES: Final = ("adherence", "aesthetics")
RECIPES: Final = {
    "validator": Recipe(trees=260, leaves=16, rate=0.05),
    "parts": Recipe(trees=150, leaves=12, rate=0.06),
    "flaws": Recipe(trees=110, leaves=10, rate=0.07, columns=0.3),
    "soft": Recipe(trees=90, leaves=8, rate=0.06, columns=0.6),
    "screen": Recipe(trees=160, leaves=10, rate=0.05),
}
UNASKED: Final = frozenset({"lost", "moved", "collateral", "over_edit", "wrong_object", "zoom"})
PLAINLY: Final = 0.3  # strength from which on a flaw counts as an unasked change
PLEASING: Final = 3.5
ENOUGH: Final = 60  # good edits of a group, for limits to be drawn from them


@dataclass(frozen=True)
class Fitted:
    """The model, and each judge's predictions on the rows it was fitted to, made out of fold."""

    model: Model
    attempts: dict[str, Target]  # by forest, and the scaled scores by name
    sources: dict[str, Target]


def targets(rows: Sequence[Row]) -> dict[str, Target]:
    """What the forests of the pair judges learn.

    The scores: the rank of what the flaws alone cost (the matters of taste are drawn by chance), on 1..5.
    """
    truth = [row["truth"] for row in rows]
    of_flaws = [truth_from(tuple((kind, strength) for kind, strength in t["flaws"])) for t in truth]
    adherence = np.array([t["adherence"] for t in truth])
    aesthetics = np.array([t["aesthetics"] for t in truth])
    unasked = np.array([any(k in UNASKED and s > PLAINLY for k, s in t["flaws"]) for t in truth])
    ranked = {axis: ranks(np.array([getattr(t, axis) for t in of_flaws])) for axis in AXES}
    return {
        "adherence": ranked["adherence"],
        "aesthetics": ranked["aesthetics"],
        "adheres": (adherence > GOOD).astype(np.float64),
        "pleases": (aesthetics > GOOD).astype(np.float64),
        "soft_adherence": adherence,
        "soft_aesthetics": aesthetics,
        "soft_unasked": unasked.astype(np.float64),
        "soft_pleasing": (aesthetics > PLEASING).astype(np.float64),
    }


def ranks(values: Target) -> Target:
    """Each value's place among all, 1..5, equals sharing theirs."""
    return np.asarray(1 + 4 * (rankdata(values) - 1) / max(1, len(values) - 1), np.float64)


def source_targets(rows: Sequence[Row]) -> dict[str, Target]:
    """What the screen's forests learn."""
    return {
        "screen_shows": np.array([float(row["truth"]["shows_prompt"]) for row in rows]),
        "screen_right": np.array([float(row["truth"]["looks_right"]) for row in rows]),
    }


def logistic(name: str) -> bool:
    """Whether a judge's forest gives a chance."""
    return name in ("adheres", "pleases", "soft_unasked", "soft_pleasing", *SCREEN_FORESTS)


def fit(data: Measured, looks: Model | None = None) -> Fitted:
    """Everything from measured attempts; rows with anything unseen are judged but never learned from.

    `looks`: a model made from other scenes, of which the heads and the screen are taken as they are, and
    whose scores are features.
    """
    if looks is None:
        folds = {
            fold: train_heads(pictures_of(data, lambda row, fold=fold: fold_of(row) != fold))  # type: ignore[misc]
            for fold in range(FOLDS)
        }
        heads = train_heads(pictures_of(data, lambda _: True))
    else:
        heads = dict(looks.heads)
        folds = dict.fromkeys(range(FOLDS), heads)
    add_look_features(data, folds)

    attempts, sources = data.attempts, data.sources
    early = None if looks is None else looks.early or looks.as_early()
    parts, before = Model({}, {}, {}, {}, {}, early).parts(pairs_of(attempts))
    for row, own, said in zip(attempts, parts, before, strict=True):
        row["parts"], row["early"] = own, said
    forests: dict[str, Forest] = {}
    features: dict[str, list[str]] = {}
    forests["order"], features["order"], chances = _fit_parts(attempts)
    add_parts(attempts, chances)
    features["flaws"] = _names([row["x"] for row in attempts])
    forests |= _fit_flaws(attempts, features["flaws"])
    fitted = _fit_judge("validator", attempts, [row["x"] for row in attempts], targets(attempts))
    soft = _fit_judge("soft", attempts, [row["soft"] for row in attempts], targets(attempts))
    if looks is None:
        forests["thing"], features["thing"], chances = _fit_parts(sources)
        add_parts(sources, chances)
        screen = _fit_judge("screen", sources, [row["x"] for row in sources], source_targets(sources))
        screened = screen.predicted
        judges = {"validator": fitted, "soft": soft, "screen": screen}
    else:
        for name in ("thing", *SCREEN_FORESTS):
            forests[name] = looks.forests[name]
        features |= {name: list(looks.features[name]) for name in ("thing", "screen")}
        screened = _screened(looks, sources)
        judges = {"validator": fitted, "soft": soft}
    for name, judge in judges.items():
        forests |= judge.forests
        features[name] = judge.names
    predicted = fitted.predicted | soft.predicted | early_values(before)
    model = Model({k: tuple(v) for k, v in features.items()}, heads, forests, {}, _limits(attempts), early)
    predicted["strange"] = strangeness(model, attempts)
    model = replace(model, scales=_scales(attempts, predicted))
    return Fitted(model, predicted | scaled(model, predicted), screened)


@dataclass(frozen=True)
class _Judge:
    """One judge's forests, their features' names, and what they say out of fold."""

    names: list[str]
    forests: dict[str, Forest]
    predicted: dict[str, Target]


def _fit_judge(
    judge: str, rows: Sequence[Row], measured: Sequence[dict[str, float]], wanted: dict[str, Target]
) -> _Judge:
    names = _names(measured)
    x = matrix(measured, names)
    learnable = np.array([seen(row) for row in rows])
    of = {"validator": VALIDATOR_FORESTS, "soft": SOFT_FORESTS, "screen": SCREEN_FORESTS}[judge]
    forests: dict[str, Forest] = {}
    predicted: dict[str, Target] = {}
    for name in of:
        y = wanted[name]
        predicted[name] = out_of_fold(rows, x, y, RECIPES[judge], logistic=logistic(name))
        forests[name] = grow(x[learnable], y[learnable], RECIPES[judge], logistic=logistic(name))
    return _Judge(names, forests, predicted)


def _screened(model: Model, sources: Sequence[Row]) -> dict[str, Target]:
    """What a model's screen says of sources."""
    add_parts(sources, model.chances("thing", [row["parts"] for row in sources]))
    rows = model.rows("screen", [row["x"] for row in sources])
    return {name: model.forests[name](rows) for name in SCREEN_FORESTS}


def _fit_flaws(rows: Sequence[Row], names: list[str]) -> dict[str, Forest]:
    """A forest for each kind of flaw; its chances, made out of fold, are joined to the rows' features."""
    x = matrix([row["x"] for row in rows], names)
    learnable = np.array([seen(row) for row in rows])
    forests: dict[str, Forest] = {}
    for kind in FLAW_FORESTS:
        y = np.array([float(strength_of(row, kind) > PLAINLY) for row in rows])
        chance = out_of_fold(rows, x, y, RECIPES["flaws"], logistic=True)
        for row, value in zip(rows, chance, strict=True):
            row["x"][f"flaw_{kind}"] = float(value)
        forests[f"flaw_{kind}"] = grow(x[learnable], y[learnable], RECIPES["flaws"], logistic=True)
    return forests


def strength_of(row: Row, kind: str) -> float:
    """How strong a flaw is in a pair; in which of the pictures it lies matters for blur alone."""
    flaws = dict(row["truth"]["flaws"])
    if kind.endswith("blur"):
        return float(flaws.get(kind, 0.0))
    return float(max(flaws.get(kind, 0.0), flaws.get(f"source_{kind}", 0.0)))


def _fit_parts(rows: Sequence[Row]) -> tuple[Forest, list[str], list[list[float]]]:
    """The forest of the parts, its features, and its chances for each row's parts, made out of fold."""
    names = _names([part for row in rows for part in row["parts"]])
    owner = np.array([number for number, row in enumerate(rows) for _ in row["parts"]], np.intp)
    x = matrix([part for row in rows for part in row["parts"]], names)
    y = np.array([target for row in rows for target in part_targets(row)])
    learnable = np.array([seen(rows[number]) for number in owner]) & ~np.isnan(y)
    fold = np.array([fold_of(rows[number]) for number in owner])
    chance = np.zeros(len(y))
    for held_out in range(FOLDS):
        learn = learnable & (fold != held_out)
        judge = fold == held_out
        chance[judge] = grow(x[learn], y[learn], RECIPES["parts"], logistic=True)(x[judge])
    chances: list[list[float]] = [[] for _ in rows]
    for number, value in zip(owner, chance, strict=True):
        chances[int(number)].append(float(value))
    return grow(x[learnable], y[learnable], RECIPES["parts"], logistic=True), names, chances


def scaled(model: Model, predicted: dict[str, Target]) -> dict[str, Target]:
    """The scores as the judges would give them, from their forests' values."""
    return {
        f"score_{name}": np.round(np.array([model.scales[name](float(v)) for v in raw]), 4)
        for name, raw in raw_of(predicted).items()
    }


def predict(model: Model, data: Measured) -> tuple[dict[str, Target], dict[str, Target]]:
    """What the shipped model says of rows it was not fitted to."""
    add_look_features(data, {fold: dict(model.heads) for fold in range(FOLDS)})
    features, predicted = model.judged(pairs_of(data.attempts))
    for row, own in zip(data.attempts, features, strict=True):
        row["x"] = own
    soft = model.rows("soft", [known(row["soft"]) for row in data.attempts])
    predicted |= {name: model.forests[name](soft) for name in SOFT_FORESTS}
    predicted["strange"] = strangeness(model, data.attempts)
    return predicted | scaled(model, predicted), _screened(model, data.sources)


def raw_of(predicted: dict[str, Target]) -> dict[str, Target]:
    """Every score before its scale."""
    soft = {name: predicted[name] for name in ("soft_adherence", "soft_aesthetics")}
    return {name: value - predicted["strange"] for name, value in raw_scores(predicted).items()} | soft


def strangeness(model: Model, rows: Sequence[Row]) -> Target:
    """What is strange about each pair, in points."""
    return np.array([excess(model.limits, row["x"], row["orders"]) for row in rows])


def _limits(rows: Sequence[Row]) -> dict[str, Limits]:
    """What good edits show, for each group that has enough of them; nothing unseen among them."""
    groups: dict[str, list[dict[str, float]]] = defaultdict(list)
    for row in rows:
        if row["good"] and seen(row):
            groups[group_of(row["orders"])].append(row["x"])
    return {name: limits_from(good) for name, good in groups.items() if len(good) >= ENOUGH}


def _names(rows: Sequence[Row]) -> list[str]:
    return sorted({name for row in rows for name in row})


def _scales(rows: Sequence[Row], predicted: dict[str, Target]) -> dict[str, Scale]:
    learnable = np.array([seen(row) for row in rows])
    raw = raw_of(predicted)
    truth = {axis: np.array([row["truth"][axis] for row in rows]) for axis in AXES}
    means = {axis: scale_to(raw[axis][learnable], truth[axis][learnable]) for axis in AXES}
    # The soft filter gives the benefit of the doubt: it scores what a pair may well deserve, not the mean.
    lenient = {
        f"soft_{axis}": upper_scale(raw[f"soft_{axis}"][learnable], truth[axis][learnable]) for axis in AXES
    }
    return means | lenient
