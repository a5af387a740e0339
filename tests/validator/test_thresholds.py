"""Risk control: bounds by their definition, selection by the plain loop, the guarantee by simulation."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from triptych.errors import UserError
from triptych.validator.guarantee import POOLED
from triptych.validator.risk import (
    design_effect,
    exact_interval,
    fewest_at,
    fewest_without_a_miss,
    lower_bound,
)
from triptych.validator.selection import NOBODY, Candidate, Lane, picks, thresholds_of
from triptych.validator.thresholds import Goal, Rated, find_thresholds


@given(st.integers(1, 80), st.integers(0, 80), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
@settings(deadline=None)
def test_the_bound_is_the_least_share_that_the_count_does_not_speak_against(
    n: int, good: int, confidence: float
) -> None:
    good = min(good, n)
    bound = float(lower_bound(np.array(good), np.array(n), confidence))
    if good == 0:
        assert bound == 0
    else:
        assert binom.sf(good - 1, n, bound) == pytest.approx(1 - confidence, abs=1e-6)


def test_how_many_ratings_it_takes() -> None:
    assert fewest_without_a_miss(0.9, 0.95) == 29
    assert float(lower_bound(np.array(29), np.array(29), 0.95)) >= 0.9
    assert float(lower_bound(np.array(28), np.array(28), 0.95)) < 0.9
    at_95 = fewest_at(0.95, 0.9, 0.95)
    assert at_95 is not None
    assert 100 < at_95 < 300
    assert fewest_at(0.9, 0.9, 0.95) is None
    low, high = exact_interval(45, 50)
    assert low == pytest.approx(0.782, abs=1e-3)
    assert high == pytest.approx(0.967, abs=1e-3)


def test_items_that_are_alike_count_for_less() -> None:
    good = np.repeat(np.array([True, True, True, False]), 10)
    alone = np.arange(40)
    shared = np.repeat(np.arange(4), 10)
    assert design_effect(good, alone) == pytest.approx(1.0)
    assert design_effect(good, shared) == pytest.approx(10.0)


accepts = st.lists(st.tuples(st.floats(0, 1), st.floats(1, 5)), min_size=1, max_size=4)


@given(st.lists(accepts, min_size=1, max_size=6), st.sampled_from(["best_of", "until_accepted"]))
@settings(deadline=None)
def test_every_policy_picks_what_the_plain_loop_would(
    given_lanes: list[list[tuple[float, float]]], policy: str
) -> None:
    lanes = [
        Lane("forward", "add", f"s{row}", tuple(Candidate(f"{row}.{i}", i, *c) for i, c in enumerate(lane)))
        for row, lane in enumerate(given_lanes)
    ]
    thresholds = thresholds_of(lanes)
    assert list(thresholds) == sorted(thresholds, reverse=True)
    found = picks(lanes, thresholds, policy)
    for lowest, chosen in zip(thresholds, found.chosen, strict=True):
        for lane, at in zip(lanes, chosen, strict=True):
            passing = [candidate for candidate in lane.candidates if candidate.accept >= lowest]
            if not passing:
                assert at == NOBODY
            elif policy == "until_accepted":
                assert lane.candidates[at] == passing[0]
            else:
                assert lane.candidates[at].rank == max(candidate.rank for candidate in passing)


@cache
def meaning(noise: float) -> tuple[np.ndarray, np.ndarray]:
    """How likely acceptance is, by what is seen of it through noise."""
    rng = np.random.default_rng(0)
    true = rng.beta(0.4, 0.5, 100_000)
    seen = true + rng.normal(0, noise, len(true))
    parts = np.array_split(np.argsort(seen), 40)
    return np.array([seen[p].mean() for p in parts]), np.array([true[p].mean() for p in parts])


def world(seed: int, lanes: int, noise: float = 0.12) -> tuple[list[Lane], dict[str, bool]]:
    """Lanes of four attempts whose P(accept) is right on the whole, and noisy."""
    rng = np.random.default_rng(seed)
    knots, chances = meaning(noise)
    made, good = [], {}
    for row in range(lanes):
        true = rng.beta(0.4, 0.5, 4)
        seen = np.interp(true + rng.normal(0, noise, 4), knots, chances).round(4)
        said = rng.random(4) < true
        group = "add" if row % 3 else "remove"
        candidates = tuple(
            Candidate(f"{seed}.{row}.{i}", i, float(seen[i]), float(seen[i])) for i in range(4)
        )
        good |= {candidate.pair: bool(said[i]) for i, candidate in enumerate(candidates)}
        made.append(Lane("forward", group, f"{seed}.{row}", candidates))
    return made, good


@pytest.mark.parametrize("policy", ["best_of", "until_accepted"])
def test_the_precision_of_what_is_selected_holds_as_often_as_promised(policy: str) -> None:
    """Over many calibration sets: seldom below the target, and not by accepting nothing."""
    goal = Goal(0.85, 0.9)
    pool_lanes, pool_good = world(10_000, 2000)
    pool = Rated.of(pool_lanes, pool_good, policy)
    failed = found_some = 0
    trials = 30
    for seed in range(trials):
        lanes, good = world(seed, 400)
        try:
            found = find_thresholds(Rated.of(lanes, good, policy), goal)
        except UserError:
            continue
        found_some += 1
        chosen = [
            pool_good[lane.candidates[at].pair]
            for lane, at in zip(pool_lanes, picked(pool_lanes, found.lowest, policy), strict=True)
            if at != NOBODY
        ]
        failed += bool(np.mean(chosen) < goal.precision)
    assert pool.known.any()
    assert found_some > 0.8 * trials
    assert failed <= binom.ppf(0.999, trials, 1 - goal.confidence)


def picked(lanes: list[Lane], lowest: object, policy: str) -> list[int]:
    bars = {group: lowest(group) for group in ("add", "remove")}  # type: ignore[operator]
    by_group = {group: picks(lanes, np.array([bar]), policy).chosen[0] for group, bar in bars.items()}
    return [int(by_group[lane.group][row]) for row, lane in enumerate(lanes)]


def test_the_share_of_all_that_pass_is_not_the_share_of_what_is_picked() -> None:
    """Why only the selected are counted, by policy: the best of four beats the first that passes."""
    lanes, good = world(1, 3000, noise=0.3)
    shares = {}
    for policy in ("best_of", "until_accepted"):
        rated = Rated.of(lanes, good, policy)
        place = int(np.abs(rated.picks.thresholds - 0.6).argmin())
        shares[policy] = rated.good[place][rated.known[place]].mean()
        lowest = rated.picks.thresholds[place]
    passing = np.mean([good[c.pair] for lane in lanes for c in lane.candidates if c.accept >= lowest])
    assert shares["best_of"] > passing + 0.01
    assert shares["best_of"] > shares["until_accepted"] + 0.01


def test_groups_get_thresholds_of_their_own_only_with_ratings_enough() -> None:
    lanes, good = world(5, 1500)
    goal = Goal(0.85, 0.9)
    many = find_thresholds(Rated.of(lanes, good, "best_of"), goal)
    assert set(many.bars) == {"add", "remove", POOLED} or set(many.bars) == {"add", POOLED}
    few = {pair: said for pair, said in good.items() if int(pair.split(".")[1]) < 30}
    pooled = find_thresholds(Rated.of(lanes, few, "best_of"), Goal(0.7, 0.9))
    assert set(pooled.bars) == {POOLED}
    assert pooled.lowest("add") == pooled.lowest("anything else")
    with pytest.raises(UserError, match=r"0 of the selected pairs are rated.*at least 15 are needed"):
        find_thresholds(Rated.of(lanes, {}, "best_of"), goal)
