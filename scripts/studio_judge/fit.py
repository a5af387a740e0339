"""The three judges fitted: predictions out of fold, scales from those, and the model to ship."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from studio_judge.learn import (
    FOLDS,
    Recipe,
    Row,
    add_look_features,
    add_parts,
    fold_of,
    grow,
    matrix,
    out_of_fold,
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
    SCREEN_FORESTS,
    SOFT_FORESTS,
    VALIDATOR_FORESTS,
    Model,
    Scale,
    raw_scores,
)
from triptych.backends.studio.judge.novelty import Limits, excess, group_of, limits_from
from triptych.backends.studio.judge.reading import read_instruction
from triptych.backends.studio.truth import GOOD

Target = NDArray[np.float64]
RECIPES: Final = {
    "validator": Recipe(trees=260, leaves=16, rate=0.05),
    "parts": Recipe(trees=150, leaves=12, rate=0.06),
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
    """What the forests of the pair judges learn."""
    truth = [row["truth"] for row in rows]
    adherence = np.array([t["adherence"] for t in truth])
    aesthetics = np.array([t["aesthetics"] for t in truth])
    unasked = np.array([any(k in UNASKED and s > PLAINLY for k, s in t["flaws"]) for t in truth])
    return {
        "adherence": adherence,
        "aesthetics": aesthetics,
        "adheres": (adherence > GOOD).astype(np.float64),
        "pleases": (aesthetics > GOOD).astype(np.float64),
        "soft_adherence": adherence,
        "soft_aesthetics": aesthetics,
        "soft_unasked": unasked.astype(np.float64),
        "soft_pleasing": (aesthetics > PLEASING).astype(np.float64),
    }


def source_targets(rows: Sequence[Row]) -> dict[str, Target]:
    """What the screen's forests learn."""
    return {
        "screen_shows": np.array([float(row["truth"]["shows_prompt"]) for row in rows]),
        "screen_right": np.array([float(row["truth"]["looks_right"]) for row in rows]),
    }


def logistic(name: str) -> bool:
    """Whether a judge's forest gives a chance."""
    return name in ("adheres", "pleases", "soft_unasked", "soft_pleasing", *SCREEN_FORESTS)


def fit(data: Measured) -> Fitted:
    """Everything from measured attempts; rows with anything unseen are judged but never learned from."""
    folds = {
        fold: train_heads(pictures_of(data, lambda row, fold=fold: fold_of(row) != fold))  # type: ignore[misc]
        for fold in range(FOLDS)
    }
    add_look_features(data, folds)
    heads = train_heads(pictures_of(data, lambda _: True))

    attempts, sources = data.attempts, data.sources
    forests: dict[str, Forest] = {}
    features: dict[str, list[str]] = {}
    for name, group in (("order", attempts), ("thing", sources)):
        forests[name], features[name], chances = _fit_parts(group)
        add_parts(group, chances)
    features |= {
        "validator": _names([row["x"] for row in attempts]),
        "soft": _names([row["soft"] for row in attempts]),
        "screen": _names([row["x"] for row in sources]),
    }
    rows = {
        "validator": matrix([row["x"] for row in attempts], features["validator"]),
        "soft": matrix([row["soft"] for row in attempts], features["soft"]),
        "screen": matrix([row["x"] for row in sources], features["screen"]),
    }
    wanted = {"pairs": targets(attempts), "sources": source_targets(sources)}
    predicted: dict[str, dict[str, Target]] = {"pairs": {}, "sources": {}}
    for judge, names, group in (
        ("validator", VALIDATOR_FORESTS, "pairs"),
        ("soft", SOFT_FORESTS, "pairs"),
        ("screen", SCREEN_FORESTS, "sources"),
    ):
        of = attempts if group == "pairs" else sources
        learnable = np.array([seen(row) for row in of])
        for name in names:
            y = wanted[group][name]
            predicted[group][name] = out_of_fold(of, rows[judge], y, RECIPES[judge], logistic=logistic(name))
            forests[name] = grow(
                rows[judge][learnable], y[learnable], RECIPES[judge], logistic=logistic(name)
            )
    model = Model({k: tuple(v) for k, v in features.items()}, heads, forests, {}, _limits(attempts))
    predicted["pairs"]["strange"] = strangeness(model, attempts)
    model = replace(model, scales=_scales(attempts, predicted["pairs"], wanted["pairs"]))
    return Fitted(model, predicted["pairs"] | scaled(model, predicted["pairs"]), predicted["sources"])


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
    raw = raw_of(predicted)
    return {
        f"score_{name}": np.round(np.array([model.scales[name](float(v)) for v in raw[name]]), 4)
        for name in ("adherence", "aesthetics", "soft_adherence", "soft_aesthetics")
    }


def predict(model: Model, data: Measured) -> tuple[dict[str, Target], dict[str, Target]]:
    """What the shipped model says of rows it was not fitted to."""
    add_look_features(data, {fold: dict(model.heads) for fold in range(FOLDS)})
    for name, group in (("order", data.attempts), ("thing", data.sources)):
        add_parts(group, [model.chances(name, row["parts"]) for row in group])
    pairs = {
        "validator": matrix([row["x"] for row in data.attempts], model.features["validator"]),
        "soft": matrix([row["soft"] for row in data.attempts], model.features["soft"]),
    }
    of_sources = matrix([row["x"] for row in data.sources], model.features["screen"])
    predicted = {
        name: model.forests[name](pairs["soft" if name.startswith("soft_") else "validator"])
        for name in (*VALIDATOR_FORESTS, *SOFT_FORESTS)
    }
    screened = {name: model.forests[name](of_sources) for name in SCREEN_FORESTS}
    predicted["strange"] = strangeness(model, data.attempts)
    return predicted | scaled(model, predicted), screened


def raw_of(predicted: dict[str, Target]) -> dict[str, Target]:
    """Every score before its scale."""
    soft = {name: predicted[name] for name in ("soft_adherence", "soft_aesthetics")}
    return {name: value - predicted["strange"] for name, value in raw_scores(predicted).items()} | soft


def strangeness(model: Model, rows: Sequence[Row]) -> Target:
    """What is strange about each pair, in points."""
    return np.array(
        [excess(model.limits, known(row["x"]), read_instruction(row["instruction"])) for row in rows]
    )


def known(features: Mapping[str, float | None]) -> dict[str, float]:
    """Features without those that couldn't be measured."""
    return {name: value for name, value in features.items() if value is not None}


def _limits(rows: Sequence[Row]) -> dict[str, Limits]:
    """What good edits show, for each group that has enough of them; nothing unseen among them."""
    groups: dict[str, list[dict[str, float]]] = defaultdict(list)
    for row in rows:
        if row["good"] and seen(row):
            groups[group_of(read_instruction(row["instruction"]))].append(known(row["x"]))
    return {name: limits_from(good) for name, good in groups.items() if len(good) >= ENOUGH}


def _names(rows: Sequence[Row]) -> list[str]:
    return sorted({name for row in rows for name in row})


def _scales(rows: Sequence[Row], predicted: dict[str, Target], wanted: dict[str, Target]) -> dict[str, Scale]:
    learnable = np.array([seen(row) for row in rows])
    raw = raw_of(predicted)
    means = {
        name: scale_to(raw[name][learnable], wanted[name][learnable]) for name in ("adherence", "aesthetics")
    }
    # The soft filter gives the benefit of the doubt: it scores what a pair may well deserve, not the mean.
    lenient = {
        name: upper_scale(raw[name][learnable], wanted[name][learnable])
        for name in ("soft_adherence", "soft_aesthetics")
    }
    return means | lenient
