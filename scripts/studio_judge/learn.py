"""Heads, forests and scales from measured attempts: out of fold for honest figures, then on all."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.isotonic import IsotonicRegression
from sklearn.neural_network import MLPClassifier

from studio_judge.carried import carried_out
from studio_judge.measured import Measured
from triptych.backends.studio.judge.forest import Forest
from triptych.backends.studio.judge.heads import HEADS, UNDAMAGED, Head, opinion
from triptych.backends.studio.judge.model import Scale
from triptych.backends.studio.judge.pairs import look_features, pair_features
from triptych.backends.studio.judge.reading import Order, read_instruction, read_prompt
from triptych.backends.studio.judge.sources import (
    SourceMeasured,
    source_features,
    source_look_features,
    thing_rows,
)
from triptych.backends.studio.truth import UNSEEN_FLAWS, UNSEEN_SETTINGS

FOLDS: Final = 5
Matrix = NDArray[np.float32]
Row = dict[str, Any]


def seen(row: Row) -> bool:
    """Whether a row may be learned from: none of its flaws and neither of its settings is reserved."""
    flaws = {kind.removeprefix("source_") for kind, _ in row["truth"]["flaws"]} | set(row.get("bears", ()))
    scenes = [row["scene"], row.get("source_scene", row["scene"])]
    settings = {scene["setting"] for scene in scenes}
    asked = {part["value"] for part in [row["plan"], *row["plan"]["parts"]]} if "plan" in row else set()
    return not (flaws & UNSEEN_FLAWS or (settings | asked) & UNSEEN_SETTINGS)


def fold_of(row: Row) -> int:
    """All rows of a scene share a fold."""
    return int(row["seed"]) % FOLDS


def matrix(rows: Sequence[Mapping[str, float]], names: Sequence[str]) -> Matrix:
    """Features in the order of the names; NaN where a row has none."""
    return np.array([[_number(row.get(name)) for name in names] for row in rows], np.float32)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


# ---- heads -----------------------------------------------------------------------------------------------


def label(scene: Mapping[str, Any], head: str) -> str | None:
    """The class of a scene for a head; None: it can't be told, or may not be learned from."""
    if scene["setting"] in UNSEEN_SETTINGS or scene["grade"] is not None:
        return None
    if head == "season" and scene["setting"] not in ("meadow", "lake", "forest"):
        return None
    if head == "degradation":
        return scene["degradation"] or UNDAMAGED
    return str(scene[head])


def train_heads(pictures: Sequence[tuple[NDArray[np.float32], Mapping[str, Any]]]) -> dict[str, Head]:
    """One small network for each head, from (descriptors, scene)."""
    heads: dict[str, Head] = {}
    for name in HEADS:
        labelled = [(d, label(scene, name)) for d, scene in pictures]
        labelled = [(d, c) for d, c in labelled if c is not None]
        x = np.array([d for d, _ in labelled])
        y = np.array([c for _, c in labelled])
        mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-3
        net = MLPClassifier((48,), alpha=1.0, max_iter=60, random_state=0, batch_size=64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            net.fit(np.clip((x - mean) / scale, -6, 6), y)
        w, b = net.coefs_, net.intercepts_
        output = (w[1], b[1])
        if len(net.classes_) == 2:  # scikit-learn has one output then
            output = (np.hstack([-w[1] / 2, w[1] / 2]), np.hstack([-b[1] / 2, b[1] / 2]))
        arrays = Head(
            tuple(net.classes_),
            mean.astype(np.float32),
            scale.astype(np.float32),
            (w[0].astype(np.float32), b[0].astype(np.float32)),
            (output[0].astype(np.float32), output[1].astype(np.float32)),
        )
        heads[name] = Head.unpacked(arrays.packed(name), name)  # as it will be when read back
    return heads


def pictures_of(data: Measured, keep: Callable[[Row], bool]) -> list[tuple[NDArray[np.float32], Row]]:
    """Descriptors and scene of every picture in the rows kept."""
    found: dict[str, tuple[NDArray[np.float32], Row]] = {}
    for row in data.sources:
        if keep(row):
            found[row["picture"]] = (data.descriptors[row["picture"]], row["scene"])
    for row in data.attempts:
        if keep(row) and seen(row) and all(kind not in ("blur",) for kind, _ in row["truth"]["flaws"]):
            found[row["edited"]] = (data.descriptors[row["edited"]], row["scene"])
    return list(found.values())


def add_look_features(data: Measured, heads_of_fold: Mapping[int, dict[str, Head]]) -> None:
    """Joins what the heads say to each row's features; each fold asks heads that never saw its scenes."""
    for row in data.sources:
        heads = heads_of_fold[fold_of(row)]
        seen_so = opinion(heads, data.descriptors[row["picture"]])
        things = [{n: _number(v) for n, v in thing.items()} for thing in row["measured"]["things"]]
        whole = {n: _number(v) for n, v in row["measured"]["whole"].items()}
        row["source"] = SourceMeasured(tuple(things), whole)
        row["parts"] = thing_rows(row["source"], seen_so)
        row["look"] = source_look_features(read_prompt(row["prompt"]), seen_so)
    cache: dict[tuple[int, str], Any] = {}
    for row in data.attempts:
        fold = fold_of(row)
        for name in (row["source"], row["edited"]):
            if (fold, name) not in cache:
                cache[fold, name] = opinion(heads_of_fold[fold], data.descriptors[name])
        orders = read_instruction(row["instruction"])
        row["orders"] = orders
        row["measured"] = known(row["full"]) | look_features(
            orders, cache[fold, row["source"]], cache[fold, row["edited"]]
        )


def known(features: Mapping[str, float | None]) -> dict[str, float]:
    """Features without those that couldn't be measured."""
    return {name: value for name, value in features.items() if value is not None}


def pairs_of(rows: Sequence[Row]) -> list[tuple[dict[str, float], tuple[Order, ...]]]:
    """Pairs as a model takes them."""
    return [(row["measured"], row["orders"]) for row in rows]


def add_parts(rows: Sequence[Row], chances: Sequence[Sequence[float]]) -> None:
    """Joins what the part forests say to each row's features."""
    for row, parts in zip(rows, chances, strict=True):
        if row["row"] == "source":
            row["x"] = source_features(row["source"], parts) | row["look"]
        else:
            row["x"] = pair_features(row["measured"], row["orders"], parts) | row["early"]


def part_targets(row: Row) -> list[float]:
    """Whether each part is as it should be; NaN where the truth doesn't tell."""
    if row["row"] == "attempt":
        return carried_out(row)[: len(row["parts"])]
    painted = {thing["id"]: thing for thing in row["scene"]["things"]}
    wished = row["wish"]["things"][: len(row["parts"])]
    return [_shown(described, painted.get(f"t{n + 1}")) for n, described in enumerate(wished)]


def _shown(described: Row, painted: Row | None) -> float:
    return float(
        painted is not None
        and all(painted[field] == described[field] for field in ("kind", "colour", "material"))
    )


# ---- forests ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recipe:
    """How large a forest is grown."""

    trees: int
    leaves: int
    rate: float
    least: int = 15
    columns: float = 0.4


def grow(x: Matrix, y: NDArray[np.float64], recipe: Recipe, *, logistic: bool) -> Forest:
    """A forest of boosted trees."""
    kind = HistGradientBoostingClassifier if logistic else HistGradientBoostingRegressor
    model = kind(
        max_iter=recipe.trees,
        max_leaf_nodes=recipe.leaves,
        learning_rate=recipe.rate,
        min_samples_leaf=recipe.least,
        l2_regularization=2.0,
        max_features=recipe.columns,
        early_stopping=False,
        random_state=0,
    )
    empty = np.isnan(x).all(axis=0)
    if empty.any():  # scikit-learn can't bin a column that nobody has; a constant one is never split
        x = np.where(empty, np.float32(0), x)
    model.fit(x, y)
    return exported(model, logistic=logistic)


def exported(model: Any, *, logistic: bool) -> Forest:
    """scikit-learn's trees in our own arrays."""
    feature, threshold, left, right, missing, value, roots = [], [], [], [], [], [], []
    start, depth = 0, 0
    for (predictor,) in model._predictors:
        nodes = predictor.nodes
        own = np.arange(len(nodes))
        leaf = nodes["is_leaf"].astype(bool)
        feature.append(np.where(leaf, 0, nodes["feature_idx"]))
        threshold.append(np.where(leaf, np.inf, nodes["num_threshold"]))
        left.append(start + np.where(leaf, own, nodes["left"]))
        right.append(start + np.where(leaf, own, nodes["right"]))
        missing.append(nodes["missing_go_to_left"].astype(bool))
        value.append(np.where(leaf, nodes["value"], 0.0))
        roots.append(start)
        start += len(nodes)
        depth = max(depth, int(nodes["depth"].max()))
    joined = [np.concatenate(part) for part in (feature, threshold, left, right, missing, value)]
    return Forest(
        feature=joined[0].astype(np.int32),
        threshold=joined[1].astype(np.float64),
        left=joined[2].astype(np.int32),
        right=joined[3].astype(np.int32),
        missing_left=joined[4].astype(np.bool_),
        value=joined[5].astype(np.float64),
        roots=np.array(roots, np.int32),
        base=float(np.ravel(model._baseline_prediction)[0]),
        depth=depth,
        logistic=logistic,
    )


def folds(rows: Sequence[Row]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Row numbers to learn from and to judge, for each fold; only rows that may be seen are learned from."""
    number = np.array([fold_of(row) for row in rows])
    learnable = np.array([seen(row) for row in rows])
    for fold in range(FOLDS):
        yield np.flatnonzero((number != fold) & learnable), np.flatnonzero(number == fold)


def out_of_fold(
    rows: Sequence[Row], x: Matrix, y: NDArray[np.float64], recipe: Recipe, *, logistic: bool
) -> NDArray[np.float64]:
    """A prediction for each row from a forest that never saw its scene."""
    result = np.full(len(rows), np.nan)
    for learn, judge in folds(rows):
        result[judge] = grow(x[learn], y[learn], recipe, logistic=logistic)(x[judge])
    return result


def upper_scale(raw: NDArray[np.float64], truth: NDArray[np.float64], knots: int = 21) -> Scale:
    """The rising curve from a raw score to the truth that one in five pairs like it exceeds."""
    order = np.argsort(raw, kind="stable")
    reach = max(10, len(raw) // 20)
    places = np.linspace(0, len(raw) - 1, knots).astype(int)
    upper = [np.quantile(truth[order][max(0, p - reach) : p + reach + 1], 0.8) for p in places]
    at = raw[order][places]
    at[1:] = np.maximum(at[1:], at[:-1] + 1e-6)
    return Scale(at, np.maximum.accumulate(np.array(upper)) + np.linspace(0, 1e-3, knots))


def scale_to(raw: NDArray[np.float64], truth: NDArray[np.float64], knots: int = 25) -> Scale:
    """The rising curve from a raw score to the mean of the truth where that score is given."""
    rising = IsotonicRegression(out_of_bounds="clip").fit(raw, truth)
    at = np.quantile(raw, np.linspace(0, 1, knots))
    at[1:] = np.maximum(at[1:], at[:-1] + 1e-6)
    # The mean over the knot's neighbourhood: a staircase would tie scores that selection must rank.
    means = np.array(
        [
            rising.predict(np.quantile(raw, np.clip(np.linspace(q - 0.03, q + 0.03, 9), 0, 1))).mean()
            for q in np.linspace(0, 1, knots)
        ]
    )
    means = np.maximum.accumulate(means) + np.linspace(0, 1e-3, knots)
    return Scale(at.astype(np.float64), np.clip(means, 1, 5).astype(np.float64))
