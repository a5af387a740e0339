"""What leaves a run at a threshold on P(accept), for every threshold at once.

Selection picks winners of noise: the best of five, or the first that passes, is better by its score than by
its merit. So precision is never read off all pairs, only off those that a policy would pick at a threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
_STEPS = 60
NOBODY = -1


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pair that passed every gate before the validator's."""

    pair: str
    number: int  # of its attempt, from 0; of a derived pair 0
    accept: float  # P(accept)
    rank: float  # √(adherence·aesthetics), calibrated: what selection ranks by
    leaves: bool = True  # False: its inverse speaks against it, so nothing leaves where it is picked


@dataclass(frozen=True, slots=True)
class Lane:
    """All candidates of one (source, instruction), in the order of their attempts, or one derived pair."""

    kind: str  # forward, inverse, composite
    group: str  # what is calibrated together
    source: str
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Picks:
    """At each threshold, strictest first: which candidate of each lane is picked, or NOBODY."""

    thresholds: FloatArray
    chosen: IntArray  # [thresholds, lanes]


def thresholds_of(lanes: Sequence[Lane]) -> FloatArray:
    """Thresholds worth trying, strictest first: quantiles of P(accept), so that each lets in as many more."""
    accepts = [candidate.accept for lane in lanes for candidate in lane.candidates]
    if not accepts:
        return np.zeros(0)
    return np.unique(np.quantile(accepts, np.linspace(0, 1, _STEPS), method="inverted_cdf"))[::-1]


def picks(lanes: Sequence[Lane], thresholds: FloatArray, policy: str) -> Picks:
    """`until_accepted` takes a lane's first that passes; every other policy its best that does."""
    most = max((len(lane.candidates) for lane in lanes), default=0)
    accept = np.full((len(lanes), most), -np.inf)
    order = np.full((len(lanes), most), -np.inf)
    for row, lane in enumerate(lanes):
        for column, candidate in enumerate(lane.candidates):
            accept[row, column] = candidate.accept
            order[row, column] = -column if policy == "until_accepted" else candidate.rank
    chosen = np.full((len(thresholds), len(lanes)), NOBODY, dtype=np.intp)
    for place, lowest in enumerate(thresholds):
        passing = np.where(accept >= lowest, order, -np.inf)
        if most:
            best = passing.argmax(axis=1)
            found = np.isfinite(passing[np.arange(len(lanes)), best])
            chosen[place] = np.where(found, best, NOBODY)
    return Picks(thresholds, chosen)
