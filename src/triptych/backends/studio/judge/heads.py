"""Small classifiers of a picture as a whole: its setting, time of day, season, weather, style and damage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triptych.backends.studio.canvas import Array
from triptych.backends.studio.judge.appearance import FINE
from triptych.backends.studio.judge.change import Features
from triptych.backends.studio.judge.opinions import Opinion
from triptych.backends.studio.judge.reading import Order

UNDAMAGED: Final = "none"
# Which head answers for which operation on the whole picture.
HEAD_OF: Final = MappingProxyType(
    {
        "background": "setting",
        "time_of_day": "time",
        "season": "season",
        "weather": "weather",
        "style": "style",
        "degrade": "degradation",
        "restore": "degradation",
    }
)
HEADS: Final = ("setting", "time", "season", "weather", "style", "degradation")


@dataclass(frozen=True, eq=False)
class Head:
    """One hidden layer over standardised descriptors."""

    classes: tuple[str, ...]
    mean: Array
    scale: Array
    hidden: tuple[Array, Array]  # weights, biases
    output: tuple[Array, Array]

    def __call__(self, descriptors: Array) -> Array:
        """Probabilities of the classes, n × classes, for n × descriptors."""
        x = np.clip((descriptors - self.mean) / self.scale, -6, 6)
        h = np.maximum(x @ self.hidden[0] + self.hidden[1], 0)
        z = h @ self.output[0] + self.output[1]
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return np.asarray(e / e.sum(axis=1, keepdims=True), np.float32)

    def packed(self, name: str) -> dict[str, NDArray[np.generic]]:
        """The arrays of a file, each named `name.…`."""
        return {
            f"{name}.classes": np.array(self.classes),
            f"{name}.mean": self.mean.astype(np.float32),
            f"{name}.scale": self.scale.astype(np.float32),
            f"{name}.w1": self.hidden[0].astype(np.float16),
            f"{name}.b1": self.hidden[1].astype(np.float16),
            f"{name}.w2": self.output[0].astype(np.float16),
            f"{name}.b2": self.output[1].astype(np.float16),
        }

    @classmethod
    def unpacked(cls, arrays: Mapping[str, NDArray[np.generic]], name: str) -> Head:
        """The head that `packed` wrote under this name."""

        def floats(part: str) -> Array:
            return arrays[f"{name}.{part}"].astype(np.float32)

        return cls(
            classes=tuple(str(c) for c in arrays[f"{name}.classes"]),
            mean=floats("mean"),
            scale=floats("scale"),
            hidden=(floats("w1"), floats("b1")),
            output=(floats("w2"), floats("b2")),
        )


def opinion(heads: Mapping[str, Head], descriptors: Array) -> Opinion:
    """Every head's probabilities for one picture."""
    return Opinion(
        {
            name: dict(zip(head.classes, (float(p) for p in head(descriptors[None])[0]), strict=True))
            for name, head in heads.items()
        },
        descriptors[-FINE:],
    )


def order_features(order: Order, before: Opinion, after: Opinion) -> Features:
    """Whether the picture now looks as an order on the whole asks; empty for other orders."""
    head = HEAD_OF.get(order.operation)
    if head is None:
        return {}
    asked = UNDAMAGED if order.operation == "restore" else str(order.value)
    first, second = before.of[head], after.of[head]
    features: Features = {"g_other": max((p for c, p in second.items() if c != asked), default=float("nan"))}
    old = max(first, key=lambda c: first[c])
    features["g_old"] = _logit(second[old])
    if asked in second:
        features |= {
            "g_asked": _logit(second[asked]),
            "g_before": _logit(first[asked]),
            "g_gain": _logit(second[asked]) - _logit(first[asked]),
        }
    return features


def kept_features(before: Opinion, after: Opinion) -> Features:
    """How far the two pictures agree in each head's eyes, and what they are."""
    features: Features = {}
    for name in before.of:
        first, second = before.of[name], after.of[name]
        features[f"same_{name}"] = sum(min(first[c], second[c]) for c in first)
    for style in ("render", "sketch", "neon", "pixel", "noir", "poster"):
        features[f"source_{style}"] = before.of["style"].get(style, 0.0)
    features["source_undamaged"] = before.of["degradation"].get(UNDAMAGED, 0.0)
    features["source_night"] = before.of["time"].get("night", 0.0)
    for number, (first_value, second_value) in enumerate(zip(before.fine, after.fine, strict=True)):
        features[f"fine_{number}"] = float(second_value)
        features[f"fine_{number}_change"] = float(second_value - first_value)
    return features


def _logit(p: float) -> float:
    p = min(max(p, 1e-4), 1 - 1e-4)
    return log(p / (1 - p))
