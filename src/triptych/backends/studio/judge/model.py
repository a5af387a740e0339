"""The file that the judges ship with: heads, forests, and the scales that their scores are read on."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from triptych.backends.studio.judge.change import Features
from triptych.backends.studio.judge.forest import Forest, Values
from triptych.backends.studio.judge.heads import HEADS, Head
from triptych.backends.studio.judge.novelty import Limits, excess
from triptych.backends.studio.judge.reading import Order
from triptych.records import hash_bytes

Number = TypeVar("Number", float, Values)
FILE_NAME: Final = "judge.npz"
# A judge's forests. Of each axis: the score itself, and the chance that it is above 4.
VALIDATOR_FORESTS: Final = ("adherence", "aesthetics", "adheres", "pleases")
SOFT_FORESTS: Final = ("soft_adherence", "soft_aesthetics", "soft_unasked", "soft_pleasing")
# Each order of an instruction: carried out? Each thing of a prompt: shown as it should be?
PART_FORESTS: Final = ("order", "thing")
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

    def row(self, judge: str, measured: Features) -> NDArray[np.float32]:
        """Measured features as a row of one judge's forests."""
        return np.array([[measured.get(name, np.nan) for name in self.features[judge]]], np.float32)

    def chances(self, forest: str, rows: Sequence[Features]) -> list[float]:
        """What one of the forests that look at parts says of each part."""
        names = self.features[forest]
        values = [[row.get(name, np.nan) for name in names] for row in rows]
        return [float(p) for p in self.forests[forest](np.array(values, np.float32))] if rows else []

    def scores(self, measured: Features, orders: Sequence[Order]) -> tuple[float, float]:
        """The validator's scores, 1..5 on both axes, from all that is measured on a pair."""
        row = self.row("validator", measured)
        raw = raw_scores({name: self.forests[name](row) for name in VALIDATOR_FORESTS})
        strange = excess(self.limits, measured, orders)
        return (
            self.scales["adherence"](float(raw["adherence"][0]) - strange),
            self.scales["aesthetics"](float(raw["aesthetics"][0]) - strange),
        )

    def packed(self) -> bytes:
        """The file's bytes."""
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
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
        return buffer.getvalue()

    @classmethod
    def unpacked(cls, data: bytes) -> Model:
        """The model in a file's bytes."""
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}

        def names(prefix: str) -> list[str]:
            found = [name.removeprefix(prefix).split(".")[0] for name in arrays if name.startswith(prefix)]
            return list(dict.fromkeys(found))

        return cls(
            features={
                judge: tuple(str(n) for n in arrays[f"features.{judge}"]) for judge in names("features.")
            },
            heads={name: Head.unpacked(arrays, f"head.{name}") for name in HEADS},
            forests={name: Forest.unpacked(arrays, f"forest.{name}") for name in names("forest.")},
            scales={name: Scale(*arrays[f"scale.{name}"].astype(np.float64)) for name in names("scale.")},
            limits={n: Limits(*arrays[f"limits.{n}"].astype(np.float64)) for n in names("limits.")},
        )


def raw_scores(forests: Mapping[str, Values]) -> dict[str, Values]:
    """Each axis before its scale: the mean of its score and of 1 + 4 times the chance that it is good."""
    return {
        axis: (forests[axis] + 1 + 4 * forests[chance]) / 2
        for axis, chance in (("adherence", "adheres"), ("aesthetics", "pleases"))
    }


def doubted(chance: Number) -> Number:
    """A chance of something bad as a lenient judge gives it: a half only at odds of three to two."""
    return chance / (chance + 1.5 * (1 - chance))


def _file_bytes() -> bytes:
    return files("triptych.backends.studio.judge").joinpath(FILE_NAME).read_bytes()


@cache
def file_hash() -> str:
    """The first digits of the shipped file's hash: another file, another judge."""
    return hash_bytes(_file_bytes())[:12]


@cache
def load_model() -> Model:
    """The shipped model, read once a process."""
    return Model.unpacked(_file_bytes())
