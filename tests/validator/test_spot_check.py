"""The sample is random and spread, the bound never too high."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from triptych.records import Finding
from triptych.validator.spot_check import lower_bound, sample_order, spot_check

strata_of = st.dictionaries(st.text(max_size=6), st.sampled_from("abc"), max_size=60)


@given(strata_of, st.integers(0, 60))
def test_any_beginning_takes_nearly_its_share_of_every_stratum(strata: dict[str, str], count: int) -> None:
    order = sample_order(strata)
    assert sorted(order) == sorted(strata)
    sizes, taken = Counter(strata.values()), Counter(strata[id_] for id_ in order[:count])
    share = min(count, len(order)) / max(1, len(order))
    for name, size in sizes.items():
        assert abs(taken[name] - share * size) <= len(sizes)


def test_every_pair_has_the_same_chance() -> None:
    drawn: Counter[str] = Counter()
    trials = 400
    for trial in range(trials):
        strata = {f"{trial} a{n}": "a" for n in range(16)} | {f"{trial} b{n}": "b" for n in range(3)}
        strata |= {f"{trial} only": f"rare {trial}"}
        drawn.update(strata[id_].split()[0] for id_ in sample_order(strata)[:5])
    expected = {"a": 16 / 20, "b": 3 / 20, "rare": 1 / 20}
    for name, share in expected.items():
        assert drawn[name] / (5 * trials) == pytest.approx(share, abs=0.03)


def test_the_order_of_what_stays_does_not_change_when_others_leave() -> None:
    strata = {f"pair {n}": "a" for n in range(50)}
    order = sample_order(strata)
    fewer = sample_order(dict.fromkeys(order[::2], "a"))
    assert fewer == order[::2]


@pytest.mark.parametrize(("good", "looked"), [(270, 300), (0, 5), (8, 8), (1, 2)])
def test_the_bound_is_the_exact_one(good: int, looked: int) -> None:
    bound = lower_bound(good, looked)
    if good == 0:
        assert bound == 0
    else:
        assert binom.sf(good - 1, looked, bound) == pytest.approx(0.05, abs=1e-6)


def test_the_bound_holds_as_often_as_it_says() -> None:
    true, looked = 0.92, 120
    chance = np.random.default_rng(0)
    bounds = [lower_bound(int(good), looked) for good in chance.binomial(looked, true, 400)]
    assert np.mean([bound > true for bound in bounds]) <= 0.05 + 0.02


def found(pair: str, flaw: str | None, rater: str = "ann", planned: int = 4) -> Finding:
    return Finding(pair, rater, 0, flaw, planned)  # type: ignore[arg-type]


def test_only_the_beginning_that_was_looked_at_without_a_gap_counts() -> None:
    order = ["a", "b", "c", "d", "e"]
    check = spot_check(order, [found("a", "none"), found("b", "light"), found("d", "none")])
    assert (check.planned, check.looked, check.good, check.finished) == (4, 2, 1, False)
    assert dict(check.flaws) == {"light": 1}
    check = spot_check(order, [found(pair, "none") for pair in "abcd"] + [found("a", "other", "bob")])
    assert (check.looked, check.good, check.finished, check.raters) == (4, 3, True, 2)
    assert "3 of 4 good" in str(check)
    assert not spot_check(order, []).finished
    assert spot_check(order, []).lowest is None
