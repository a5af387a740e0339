"""Boosted trees, evaluated with numpy alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees whose leaves add up. All nodes of all trees in one row; a leaf points to itself."""

    feature: NDArray[np.int32]
    threshold: Values  # not above it: left
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    missing_left: NDArray[np.bool_]
    value: Values
    roots: NDArray[np.int32]
    base: float
    depth: int
    logistic: bool

    def __call__(self, rows: NDArray[np.float32]) -> Values:
        """The sum of the leaves for each row (n × features, NaN: unknown); where logistic, a probability."""
        node = np.broadcast_to(self.roots, (len(rows), len(self.roots))).copy()
        sample = np.arange(len(rows))[:, None]
        for _ in range(self.depth):
            x = rows[sample, self.feature[node]].astype(np.float64)
            goes_left = np.where(np.isnan(x), self.missing_left[node], x <= self.threshold[node])
            node = np.where(goes_left, self.left[node], self.right[node])
        total = self.value[node].sum(axis=1) + self.base
        return np.asarray(1 / (1 + np.exp(-total)) if self.logistic else total, np.float64)

    def packed(self, name: str) -> dict[str, NDArray[np.generic]]:
        """The arrays of a file, each named `name.…`."""
        return {
            f"{name}.feature": self.feature.astype(np.int16),
            f"{name}.threshold": self.threshold,
            f"{name}.left": self.left.astype(np.int32),
            f"{name}.right": self.right.astype(np.int32),
            f"{name}.missing_left": self.missing_left,
            f"{name}.value": self.value.astype(np.float32),
            f"{name}.roots": self.roots,
            f"{name}.shape": np.array([self.base, self.depth, self.logistic], np.float64),
        }

    @classmethod
    def unpacked(cls, arrays: Mapping[str, NDArray[np.generic]], name: str) -> Forest:
        """The forest that `packed` wrote under this name."""
        base, depth, logistic = (float(v) for v in arrays[f"{name}.shape"].astype(np.float64))
        return cls(
            feature=arrays[f"{name}.feature"].astype(np.int32),
            threshold=arrays[f"{name}.threshold"].astype(np.float64),
            left=arrays[f"{name}.left"].astype(np.int32),
            right=arrays[f"{name}.right"].astype(np.int32),
            missing_left=arrays[f"{name}.missing_left"].astype(np.bool_),
            value=arrays[f"{name}.value"].astype(np.float64),
            roots=arrays[f"{name}.roots"].astype(np.int32),
            base=base,
            depth=int(depth),
            logistic=bool(logistic),
        )
