from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from triptych.errors import UserError
from triptych.validator.agreement import (
    FloatArray,
    RaterTable,
    inter_rater_spearman,
    krippendorff_alpha,
    rater_table,
    spearman,
)
from triptych.validator.ratings import Rating

small = st.integers(0, 3).map(float)


def table(scores: object) -> RaterTable:
    laid_out = np.array(scores, dtype=np.float64)
    raters, items = laid_out.shape
    return RaterTable(tuple(f"r{i}" for i in range(raters)), tuple(f"i{i}" for i in range(items)), laid_out)


@given(st.lists(st.tuples(small, small, st.integers(0, 3)), min_size=2, max_size=12))
@settings(deadline=None)
def test_weighted_spearman_is_spearman_of_repeated_items(rows: list[tuple[float, float, int]]) -> None:
    x, y, counts = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    times = counts.astype(int)
    repeated = np.repeat(x, times), np.repeat(y, times)
    found = spearman(x, y, counts[None, :])[0]
    if any(len(set(side)) < 2 for side in repeated):
        assert np.isnan(found)
    else:
        assert found == pytest.approx(stats.spearmanr(*repeated).statistic, abs=1e-9)


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=40)
def test_alpha_is_that_of_the_krippendorff_package(seed: int) -> None:
    rng = np.random.default_rng(seed)
    quality = rng.normal(3, 1, 20)
    scores = np.clip(np.round(quality + rng.normal(0, 1, (4, 20))), 1, 5)
    scores[rng.random(scores.shape) < 0.3] = np.nan
    scores[0, :2] = 1, 5  # at least two distinct scores
    for level in ("ordinal", "interval"):
        expected = krippendorff.alpha(reliability_data=scores, level_of_measurement=level)
        found = krippendorff_alpha(table(scores), level, resamples=10)
        assert found.value == pytest.approx(expected, abs=1e-9)


def test_alpha_of_krippendorffs_own_example() -> None:
    """Example C of Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011): .815 and .849."""
    star = np.nan
    scores = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, star, star, star],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, star, 3],
        [star, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, star],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, star],
    ]
    assert krippendorff_alpha(table(scores), "ordinal").value == pytest.approx(0.815, abs=5e-4)
    assert krippendorff_alpha(table(scores), "interval").value == pytest.approx(0.849, abs=5e-4)


def test_spearman_is_the_mean_over_pairs_on_what_both_rated() -> None:
    scores = np.array([[1, 2, 3, 4, np.nan], [1, 3, 2, 4, 5], [np.nan, 2, 1, 3, 4]], dtype=np.float64)
    pairs = [(0, 1, slice(0, 4)), (0, 2, slice(1, 4)), (1, 2, slice(1, 5))]
    expected = np.mean([stats.spearmanr(scores[a, at], scores[b, at]).statistic for a, b, at in pairs])
    found = inter_rater_spearman(table(scores), resamples=50)
    assert found.value == pytest.approx(expected)
    assert found.n == 5


def noisy(items: int, seed: int = 1) -> FloatArray:
    rng = np.random.default_rng(seed)
    return np.clip(np.round(rng.normal(3, 1, items) + rng.normal(0, 0.8, (3, items))), 1, 5)


@pytest.mark.parametrize("statistic", [inter_rater_spearman, lambda t: krippendorff_alpha(t, "ordinal")])
def test_intervals_repeat_hold_the_value_and_narrow_with_items(statistic: object) -> None:
    few, many = statistic(table(noisy(40))), statistic(table(noisy(640)))  # type: ignore[operator]
    assert statistic(table(noisy(40))) == few  # type: ignore[operator]
    assert few.low < few.value < few.high
    assert many.high - many.low < 0.5 * (few.high - few.low)


def test_one_rater_only() -> None:
    rows = [Rating("a", "ann", "adherence", 0, 4.0), Rating("b", "ann", "adherence", 0, 2.0)]
    with pytest.raises(UserError, match="at least 2 who scored the same items"):
        rater_table(rows, "adherence")


def test_raters_who_give_one_score_throughout_leave_agreement_undefined() -> None:
    same = table(np.full((2, 6), 3.0))
    assert np.isnan(inter_rater_spearman(same).value)
    assert np.isnan(krippendorff_alpha(same, "interval").value)


def test_of_sittings_the_table_holds_the_last() -> None:
    rows = [
        Rating("a", "ann", "adherence", 0, 4.0),
        Rating("a", "ann", "adherence", 1, 3.0),
        Rating("a", "bob", "adherence", 0, 5.0),
        Rating("b", "bob", "adherence", 0, 1.0),
        Rating("b", "bob", "aesthetics", 0, 2.0),
    ]
    laid_out = rater_table(rows, "adherence")
    assert laid_out.raters == ("ann", "bob")
    np.testing.assert_array_equal(laid_out.scores, [[3.0, np.nan], [5.0, 1.0]])
