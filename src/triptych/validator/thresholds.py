"""Thresholds for a target precision with confidence, of what leaves the run, by group where data allow.

Ratings that the calibration was fitted on are no evidence here; only held-out ones are counted, and of those
only the pairs that the policy would select at the threshold under test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triptych.errors import UserError
from triptych.validator.guarantee import POOLED, Bar
from triptych.validator.risk import (
    Descent,
    design_effect,
    exact_interval,
    fewest_at,
    fewest_without_a_miss,
    lower_bound,
)
from triptych.validator.selection import NOBODY, Lane, Picks, picks, thresholds_of

FloatArray = NDArray[np.float64]
_ROOM = 8  # a group of its own wants this many times the ratings that would do without a miss


@dataclass(frozen=True, slots=True)
class Goal:
    """What is asked for."""

    precision: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Share:
    """Good ones among selected rated pairs, with the exact 95 % interval."""

    good: int
    n: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What was found."""

    bars: Mapping[str, Bar]
    confidence_each: float  # of every group, so that all hold together
    selected: int  # that would leave the run, rated or not
    lanes: int
    by_kind: Mapping[str, Share]
    by_number: Mapping[int, Share]  # of the attempt that was selected, from 0
    advice: Mapping[str, str]  # of groups without a threshold: what would help

    def lowest(self, group: str) -> float:
        """Threshold of a group; above 1 where nothing may be accepted."""
        bar = self.bars.get(group, self.bars[POOLED])
        return 2.0 if bar.lowest is None else bar.lowest


@dataclass(frozen=True, slots=True)
class Rated:
    """Lanes with what people said of their picks at each threshold."""

    lanes: tuple[Lane, ...]
    picks: Picks
    known: NDArray[np.bool_]  # [thresholds, lanes]: a pick that was rated
    good: NDArray[np.bool_]
    accept: FloatArray  # P(accept) of the picks; 0 where there is none

    @classmethod
    def of(cls, lanes: Sequence[Lane], accepted: Mapping[str, bool], policy: str) -> Rated:
        """Lay out lanes and held-out ratings (pair → whether people accept it)."""
        found = picks(lanes, thresholds_of(lanes), policy)
        shape = found.chosen.shape
        known, good = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.bool_)
        accept = np.zeros(shape)
        for column, lane in enumerate(lanes):
            said = [accepted.get(candidate.pair) for candidate in lane.candidates]
            chances = np.array([candidate.accept for candidate in lane.candidates] + [0.0])
            leaves = [candidate.leaves for candidate in lane.candidates]
            is_known = np.array([one is not None for one in said] + [False]) & np.array([*leaves, False])
            is_good = np.array([bool(one) for one in said] + [False])
            at = found.chosen[:, column]  # NOBODY is the last
            known[:, column], good[:, column] = is_known[at], is_good[at]
            accept[:, column] = chances[at]
        return cls(tuple(lanes), found, known, good, accept)


def find_thresholds(rated: Rated, goal: Goal, weights: FloatArray | None = None) -> Thresholds:
    """The loosest thresholds that the ratings certify. `weights`: how often each lane counts (a resample).

    Raises UserError, saying how many ratings it takes, where not even the pooled threshold can be certified.
    """
    counts = np.ones(len(rated.lanes)) if weights is None else weights
    groups = np.array([lane.group for lane in rated.lanes])
    own = _own_groups(rated, groups, counts, goal)
    each = 1 - (1 - goal.confidence) / (len(own) + 1)
    bars: dict[str, Bar] = {}
    advice: dict[str, str] = {}
    for name in (*own, POOLED):
        member = groups == name if name != POOLED else ~np.isin(groups, own)
        if name == POOLED and own and not (member & (counts > 0)).any():
            bars[name] = Bar(None, None, 0, 0)
            continue
        bars[name], told = _bar(rated, member, counts, goal.precision, each)
        if told:
            advice[name] = told
    if all(bar.lowest is None for bar in bars.values()):
        told = advice.get(POOLED) or next(iter(advice.values()))
        raise UserError(
            f"no threshold keeps precision ≥ {goal.precision:g} at {goal.confidence:.0%} confidence: {told}"
        )
    return _summed_up(rated, groups, bars, advice, each)


def _own_groups(rated: Rated, groups: NDArray[np.str_], counts: FloatArray, goal: Goal) -> list[str]:
    """Groups with enough ratings for a threshold of their own, the largest first; chosen by number alone."""
    if not len(rated.picks.thresholds):
        return []
    sizes: Counter[str] = Counter()
    for group, known, count in zip(groups, rated.known[-1], counts, strict=True):
        sizes[str(group)] += int(known) * int(count)
    own: list[str] = []
    for group, size in sizes.most_common():
        confidence = 1 - (1 - goal.confidence) / (len(own) + 2)
        if len(sizes) == 1 or size < _ROOM * fewest_without_a_miss(goal.precision, confidence):
            break
        own.append(group)
    return own


def _bar(
    rated: Rated, member: NDArray[np.bool_], counts: FloatArray, target: float, confidence: float
) -> tuple[Bar, str]:
    """A group's threshold and what it rests on; where there is none, what would help."""
    of_group = counts * member
    known, good = rated.known * of_group, (rated.good & rated.known) * of_group
    n, hits = known.sum(axis=1), good.sum(axis=1)
    some = np.flatnonzero(n > 0)
    fewest = fewest_without_a_miss(target, confidence)
    if not len(some):
        return Bar(None, None, 0, 0), (
            f"0 of the selected pairs are rated and held out; at least {fewest} are needed, all accepted"
        )
    descent = Descent(
        rated.picks.thresholds[some],
        n[some],
        hits[some],
        (rated.accept * known).sum(axis=1)[some] / n[some],
    )
    start = some[descent.start(target, confidence)]
    inflation = _inflation(rated, start, of_group)
    place = descent.certified(target, confidence, inflation)
    if place is not None:
        at = some[place]
        bound = float(lower_bound(hits[at] / inflation, n[at] / inflation, confidence))
        return Bar(float(rated.picks.thresholds[at]), round(bound, 4), int(hits[at]), int(n[at])), ""
    return Bar(None, None, int(hits[start]), int(n[start])), _advice(
        hits[start], n[start], target, confidence, inflation
    )


def _inflation(rated: Rated, start: np.intp, counts: FloatArray) -> float:
    shown = rated.known[start] & (counts > 0)
    if not shown.any():
        return 1.0
    sources = np.array([lane.source for lane in rated.lanes])[shown]
    clusters = np.unique(sources, return_inverse=True)[1]
    return design_effect(rated.good[start][shown], clusters, counts[shown])


def _advice(good: float, n: float, target: float, confidence: float, inflation: float) -> str:
    said = f"{good:.0f} of {n:.0f} selected, rated and held-out pairs were accepted"
    fewest = fewest_without_a_miss(target, confidence)
    if n < fewest:
        return f"{said}; at least {fewest} are needed, all accepted: rate more of what would be selected"
    more = fewest_at(good / n, target, confidence)
    if more is None:
        return f"{said}: precision itself is too low there; ask for less, or use a better judge"
    more = round(more * inflation)
    return f"{said}; at this share about {more:,} are needed: rate more of what would be selected"


def _summed_up(
    rated: Rated, groups: NDArray[np.str_], bars: Mapping[str, Bar], advice: Mapping[str, str], each: float
) -> Thresholds:
    found = Thresholds(bars, each, 0, len(rated.lanes), {}, {}, advice)
    by_kind: dict[str, list[bool]] = {}
    by_number: dict[int, list[bool]] = {}
    selected = 0
    for column, (lane, group) in enumerate(zip(rated.lanes, groups, strict=True)):
        place = place_of(rated.picks.thresholds, found.lowest(str(group)))
        at = NOBODY if place is None else rated.picks.chosen[place, column]
        if at == NOBODY or not lane.candidates[at].leaves:
            continue
        selected += 1
        if rated.known[place, column]:
            good = bool(rated.good[place, column])
            by_kind.setdefault(lane.kind, []).append(good)
            by_number.setdefault(lane.candidates[at].number, []).append(good)
    return Thresholds(
        bars,
        each,
        selected,
        len(rated.lanes),
        {kind: share_of(sum(said), len(said)) for kind, said in sorted(by_kind.items())},
        {number: share_of(sum(said), len(said)) for number, said in sorted(by_number.items())},
        advice,
    )


def place_of(thresholds: FloatArray, lowest: float) -> int | None:
    """Place of a threshold that was tried; None of one that accepts nothing."""
    at = np.flatnonzero(thresholds == lowest)
    return int(at[0]) if len(at) else None


def share_of(good: int, n: int) -> Share:
    """A share with its exact interval."""
    low, high = exact_interval(good, n)
    return Share(good, n, round(low, 4), round(high, 4))
