"""The file that the judges ship with: heads, forests, and the scales that their scores are read on."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from triptych.backends.studio.judge.change import Features
from triptych.backends.studio.judge.forest import Forest, Values
from triptych.backends.studio.judge.heads import Head
from triptych.backends.studio.judge.novelty import Limits, excess
from triptych.backends.studio.judge.pairs import order_rows, pair_features
from triptych.backends.studio.judge.reading import Order
from triptych.backends.studio.judge.shipped import file_bytes

Number = TypeVar("Number", float, Values)
Pair = tuple[Features, Sequence[Order]]  # what is measured on it, what is asked
EARLY: Final = "early/"  # how the arrays of the model before begin
# A judge's forests. Of each axis: the score itself, and the chance that it is above 4.
VALIDATOR_FORESTS: Final = ("adherence", "aesthetics", "adheres", "pleases")
SOFT_FORESTS: Final = ("soft_adherence", "soft_aesthetics", "soft_unasked", "soft_pleasing")
# Each order of an instruction: carried out? Each thing of a prompt: shown as it should be?
PART_FORESTS: Final = ("order", "thing")
# What may be wrong with a pair, each asked apart: their chances are features of the validator's.
FLAW_FORESTS: Final = ("lost", "moved", "collateral", "over_edit", "ghost", "zoom", "blur", "source_blur")
SCREEN_FORESTS: Final = ("screen_shows", "screen_right")


@dataclass(frozen=True, eq=False)
class Scale:
    """A rising curve by its knots."""

    raw: NDArray[np.float64]
    read: NDArray[np.float64]

    def __call__(self, raw: float) -> float:
        """The curve at `raw`; flat beyond its ends."""
        return float(np.interp(raw, self.raw, self.read))


@dataclass(frozen=True, eq=False)
class Model:
    """Everything learned. `features`: the names of each judge's features, in its forests' order."""

    features: Mapping[str, tuple[str, ...]]
    heads: Mapping[str, Head]
    forests: Mapping[str, Forest]
    scales: Mapping[str, Scale]
    limits: Mapping[str, Limits]  # by group of orders
    early: Model | None = None  # learned before, from other scenes: what it says of a pair is a feature here

    def rows(self, judge: str, measured: Sequence[Features]) -> NDArray[np.float32]:
        """Measured features as rows of one judge's forests."""
        names = self.features[judge]
        values = [[each.get(name, np.nan) for name in names] for each in measured]
        return np.array(values, np.float32).reshape(len(measured), len(names))

    def chances(self, forest: str, parts: Sequence[Sequence[Features]]) -> list[list[float]]:
        """What one of the forests that look at parts says of each part of each thing judged."""
        flat = [part for own in parts for part in own]
        told = iter(self.forests[forest](self.rows(forest, flat))) if flat else iter(())
        return [[float(next(told)) for _ in own] for own in parts]

    def scores(self, measured: Features, orders: Sequence[Order]) -> tuple[float, float]:
        """The validator's scores, 1..5 on both axes, from all that is measured on a pair."""
        (features,), values = self.judged([(measured, orders)])
        raw, strange = raw_scores(values), excess(self.limits, features, orders)
        return (
            self.scales["adherence"](float(raw["adherence"][0]) - strange),
            self.scales["aesthetics"](float(raw["aesthetics"][0]) - strange),
        )

    def judged(self, pairs: Sequence[Pair]) -> tuple[list[Features], dict[str, Values]]:
        """Each pair's features, and what each of the validator's forests says of it."""
        parts, early = self.parts(pairs)
        features = [
            pair_features(measured, orders, chances) | before
            for (measured, orders), chances, before in zip(
                pairs, self.chances("order", parts), early, strict=True
            )
        ]
        if "flaws" in self.features:
            rows = self.rows("flaws", features)
            for name in FLAW_FORESTS:
                for each, chance in zip(features, self.forests[f"flaw_{name}"](rows), strict=True):
                    each[f"flaw_{name}"] = float(chance)
        rows = self.rows("validator", features)
        values = {name: self.forests[name](rows) for name in VALIDATOR_FORESTS}
        return features, values | early_values(early)

    def parts(self, pairs: Sequence[Pair]) -> tuple[list[list[Features]], list[Features]]:
        """What each pair's orders are judged by, and what the model before says of each pair."""
        parts = [order_rows(measured, orders) for measured, orders in pairs]
        if self.early is None:
            return parts, [{} for _ in pairs]
        before, _ = self.early.parts(pairs)
        for own, chances in zip(parts, self.early.chances("order", before), strict=True):
            for part, chance in zip(own, chances, strict=True):
                part["early_done"] = chance
        _, values = self.early.judged(pairs)
        return parts, [
            {f"early_{name}": float(values[name][n]) for name in VALIDATOR_FORESTS} for n in range(len(pairs))
        ]

    def packed(self) -> bytes:
        """The file's bytes."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **self._arrays())  # type: ignore[arg-type]
        return buffer.getvalue()

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        arrays: dict[str, NDArray[np.generic]] = {}
        for judge, names in self.features.items():
            arrays[f"features.{judge}"] = np.array(names)
        for name, head in self.heads.items():
            arrays |= head.packed(f"head.{name}")
        for name, forest in self.forests.items():
            arrays |= forest.packed(f"forest.{name}")
        for name, limits in self.limits.items():
            arrays[f"limits.{name}"] = np.stack([limits.ceiling, limits.spread])
        for name, scale in self.scales.items():
            arrays[f"scale.{name}"] = np.stack([scale.raw, scale.read])
        if self.early is not None:
            arrays |= {f"{EARLY}{name}": array for name, array in self.early._arrays().items()}
        return arrays

    @classmethod
    def unpacked(cls, data: bytes) -> Model:
        """The model in a file's bytes."""
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return cls._of({name: file[name] for name in file.files})

    @classmethod
    def _of(cls, arrays: dict[str, NDArray[np.generic]]) -> Model:
        def names(prefix: str) -> list[str]:
            found = [name.removeprefix(prefix).split(".")[0] for name in arrays if name.startswith(prefix)]
            return list(dict.fromkeys(found))

        early = {name.removeprefix(EARLY): a for name, a in arrays.items() if name.startswith(EARLY)}
        return cls(
            features={
                judge: tuple(str(n) for n in arrays[f"features.{judge}"]) for judge in names("features.")
            },
            heads={name: Head.unpacked(arrays, f"head.{name}") for name in names("head.")},
            forests={name: Forest.unpacked(arrays, f"forest.{name}") for name in names("forest.")},
            scales={name: Scale(*arrays[f"scale.{name}"].astype(np.float64)) for name in names("scale.")},
            limits={n: Limits(*arrays[f"limits.{n}"].astype(np.float64)) for n in names("limits.")},
            early=cls._of(early) if early else None,
        )

    def as_early(self) -> Model:
        """Of a model what another one asks of it: whether orders were carried out, and the pair's scores."""
        kept = {name: self.forests[name] for name in ("order", *VALIDATOR_FORESTS)}
        flaws = {name: forest for name, forest in self.forests.items() if name.startswith("flaw_")}
        features = {n: v for n, v in self.features.items() if n in ("order", "flaws", "validator")}
        return Model(features, {}, kept | flaws, {}, {}, self.early)


def raw_scores(forests: Mapping[str, Values]) -> dict[str, Values]:
    """Each axis before its scale: the mean of its score and of 1 + 4 times the chance that it is good.

    Where an earlier model spoke too, the mean of both: it learned from other scenes.
    """
    raw: dict[str, Values] = {}
    for axis, chance in (("adherence", "adheres"), ("aesthetics", "pleases")):
        own = (forests[axis] + 1 + 4 * forests[chance]) / 2
        if f"early_{axis}" in forests:
            early = (forests[f"early_{axis}"] + 1 + 4 * forests[f"early_{chance}"]) / 2
            own = (own + early) / 2
        raw[axis] = own
    return raw


def early_values(said: Sequence[Features]) -> dict[str, Values]:
    """What an earlier model said of each pair, by forest; empty where there was none."""
    names = list(said[0]) if said else []
    return {name: np.array([each[name] for each in said], np.float64) for name in names}


def doubted(chance: Number) -> Number:
    """A chance of something bad as a lenient judge gives it: a half only at odds of three to two."""
    return chance / (chance + 1.5 * (1 - chance))


@cache
def load_model() -> Model:
    """The shipped model, read once a process."""
    return Model.unpacked(file_bytes())
