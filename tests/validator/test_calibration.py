from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triptych.errors import UserError
from triptych.validator.agreement import spearman
from triptych.validator.calibrate import (
    Calibration,
    FloatArray,
    SignalColumn,
    SignalTable,
    load_calibration,
    save_calibration,
)
from triptych.validator.fitting import fit_calibration, fit_curve, grouped_folds, join_ratings, shrunk_offsets
from triptych.validator.ratings import AXES, Rating

COLUMNS = (
    SignalColumn("kind.adherence", 1, "judge-a", group="adherence"),
    SignalColumn("harsh.adherence", 1, "judge-b", group="adherence"),
    SignalColumn("kind.aesthetics", 1, "judge-a", group="aesthetics"),
    SignalColumn("unasked_change", -1, "judge-a"),
    SignalColumn("changed_share", 0, "pixels-1", context=True),
)
DATA = {"name": "made for tests"}


def rated(
    items: int = 400, seed: int = 0, missing: float = 0.2
) -> tuple[SignalTable, dict[str, FloatArray], FloatArray]:
    """Items whose people's scores the signals tell with noise; a fifth of the answers is missing."""
    rng = np.random.default_rng(seed)
    adherence, aesthetics = rng.normal(0, 1, (2, items))
    values = np.column_stack(
        [
            3 + adherence + rng.normal(0, 0.7, items),
            2 + 0.5 * adherence + rng.normal(0, 0.7, items),
            3 + aesthetics + rng.normal(0, 0.7, items),
            -adherence + rng.normal(0, 1.5, items),
            rng.random(items),
        ]
    )
    values[rng.random(values.shape) < missing] = np.nan
    categories = tuple(("add", "remove", "restyle")[i % 3] for i in range(items))
    harder = np.array([0.6 * (category == "remove") for category in categories])
    targets = {
        "adherence": np.clip(3 + 1.2 * adherence - harder, 1, 5),
        "aesthetics": np.clip(3 + 1.2 * aesthetics, 1, 5),
    }
    accepted = (targets["adherence"] > 3) & (targets["aesthetics"] > 3)
    table = SignalTable(
        tuple(f"pair{i}" for i in range(items)),
        COLUMNS,
        values,
        tuple(f"s{i // 4}" for i in range(items)),
        categories,
    )
    return table, targets, accepted


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    table, targets, accepted = rated()
    return fit_calibration(table, targets, accepted, data=DATA, date="2025-01-31")


def test_it_predicts_items_of_sources_it_never_saw(calibration: Calibration) -> None:
    table, targets, accepted = rated(seed=1)
    found = calibration.apply(table)
    for axis, target in targets.items():
        single = table.values[:, 0 if axis == "adherence" else 2]
        known = np.isfinite(single)
        assert spearman(found.scores[axis], target) > 0.65
        assert (
            spearman(found.scores[axis][known], target[known]) > spearman(single[known], target[known]) - 0.02
        )
        assert np.abs(found.scores[axis] - target).mean() < 0.75 * np.abs(target - target.mean()).mean()
    assert found.accept is not None
    assert ((found.accept - accepted) ** 2).mean() < 0.75 * accepted.mean() * (1 - accepted.mean())
    bold = found.accept > 0.8
    assert bold.sum() > 10
    assert accepted[bold].mean() > 0.7


def test_the_cards_metrics_are_those_of_unseen_sources(calibration: Calibration) -> None:
    table, targets, _ = rated(2000, seed=2)
    metrics = calibration.card["metrics"]
    assert isinstance(metrics, dict)
    for axis, target in targets.items():
        told = metrics[axis]
        assert isinstance(told, dict)
        afresh = np.abs(calibration.apply(table).scores[axis] - target).mean()
        assert told["mae"] == pytest.approx(afresh, abs=0.06)
        assert told["n"] == 400
        low, high = told["spearman_95"]  # type: ignore[misc]
        assert low < told["spearman"] < high  # type: ignore[operator]


def test_noise_is_not_reported_as_skill() -> None:
    table, targets, _ = rated()
    rng = np.random.default_rng(5)
    noise = {axis: rng.permutation(target) for axis, target in targets.items()}
    card = fit_calibration(table, noise, None, data=DATA, date="2025-01-31").card
    metrics = card["metrics"]
    assert isinstance(metrics, dict)
    for told in metrics.values():
        assert isinstance(told, dict)
        assert abs(told["spearman"] or 0.0) < 0.15


@given(st.integers(0, 399), st.integers(0, 3), st.floats(0.01, 3))
@settings(deadline=None, max_examples=60)
def test_a_better_verdict_never_lowers_a_score(
    calibration: Calibration, item: int, column: int, more: float
) -> None:
    table, _, _ = rated(missing=0)
    kinder = table.values.copy()
    kinder[item, column] += more * COLUMNS[column].direction
    before, after = calibration.apply(table), calibration.apply(replace(table, values=kinder))
    for axis in before.scores:
        assert after.scores[axis][item] >= before.scores[axis][item] - 1e-9
    assert before.accept is not None
    assert after.accept is not None
    assert after.accept[item] >= before.accept[item] - 1e-9


def test_an_item_without_any_signal_gets_a_middling_score(calibration: Calibration) -> None:
    table, targets, _ = rated(20)
    nothing = replace(table, values=np.full_like(table.values, np.nan), categories=None)
    for axis, scores in calibration.apply(nothing).scores.items():
        assert np.ptp(scores) == 0
        assert abs(scores[0] - targets[axis].mean()) < 1


def test_the_file_gives_the_same_scores_without_scipy(
    calibration: Calibration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, _, _ = rated(50, seed=3)
    save_calibration(tmp_path / "calibration.json", calibration)
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    again = load_calibration(tmp_path / "calibration.json")
    assert again.id == calibration.id
    assert again.card == calibration.card
    expected, found = calibration.apply(table), again.apply(table)
    for axis in expected.scores:
        np.testing.assert_array_equal(found.scores[axis], expected.scores[axis])
    np.testing.assert_array_equal(found.accept, expected.accept)  # type: ignore[arg-type]
    assert (tmp_path / "calibration.json").stat().st_size < 20_000
    with pytest.raises(UserError, match=r"pip install 'triptych\[validator\]'"):
        fit_calibration(*rated(), data=DATA, date="2025-01-31")


def test_a_file_is_never_overwritten(calibration: Calibration, tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text("mine")
    with pytest.raises(UserError, match="exists"):
        save_calibration(path, calibration)
    assert path.read_text() == "mine"


def test_other_signals_and_other_revisions_are_refused(calibration: Calibration) -> None:
    table, _, _ = rated(50)
    fewer = table.named([column.name for column in COLUMNS[1:]])
    with pytest.raises(UserError, match=r"other signals: it reads kind\.adherence"):
        calibration.apply(fewer)
    newer = (replace(COLUMNS[0], spec_id="judge-a2"), *COLUMNS[1:])
    with pytest.raises(
        UserError, match=r"another revision of what gives kind\.adherence: judge-a, not judge-a2"
    ):
        calibration.apply(replace(table, columns=newer))


def test_the_order_of_columns_does_not_matter(calibration: Calibration) -> None:
    table, _, _ = rated(50)
    turned = table.named([column.name for column in reversed(COLUMNS)])
    np.testing.assert_array_equal(
        calibration.apply(turned).scores["adherence"], calibration.apply(table).scores["adherence"]
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "not JSON"),
        (b"[]", "no calibration of format"),
        (b'{"format": "triptych-calibration/1"}', "damaged"),
        (b'{"format": "triptych-calibration/9"}', "no calibration of format"),
    ],
)
def test_files_that_are_no_calibration(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "calibration.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=said):
        load_calibration(path)
    with pytest.raises(UserError, match="no calibration at"):
        load_calibration(tmp_path / "absent.json")


def _with(values: FloatArray, column: int, value: float) -> FloatArray:
    changed = values.copy()
    changed[:, column] = value
    return changed


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        (3, 2.0, "signal unasked_change is constant"),
        (4, np.nan, "signal changed_share is missing on all 400"),
    ],
)
def test_signals_that_say_nothing(column: int, value: float, said: str) -> None:
    table, targets, _ = rated()
    with pytest.raises(UserError, match=said):
        fit_calibration(
            replace(table, values=_with(table.values, column, value)),
            targets,
            None,
            data=DATA,
            date="2025-01-31",
        )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"adherence": np.full(400, 3.0)}, "every item has the same adherence"),
        ({"adherence": np.linspace(0, 100, 400)}, "far out of 1..5"),
    ],
)
def test_targets_that_say_nothing(change: Mapping[str, FloatArray], said: str) -> None:
    table, targets, _ = rated()
    with pytest.raises(UserError, match=said):
        fit_calibration(table, {**targets, **change}, None, data=DATA, date="2025-01-31")


def test_too_few_items_and_no_rejects() -> None:
    table, targets, accepted = rated(20)
    with pytest.raises(UserError, match=r"20 rated items of 5 sources are too few.*at least 40 items of 10"):
        fit_calibration(table, targets, accepted, data=DATA, date="2025-01-31")
    table, targets, accepted = rated()
    with pytest.raises(UserError, match="every rated item was accepted"):
        fit_calibration(table, targets, accepted | True, data=DATA, date="2025-01-31")


def test_ratings_meet_signals_by_item() -> None:
    table, _, _ = rated(12)
    rows = [
        Rating(f"pair{i}", rater, axis, 0, 5.0 if i < 4 else 2.0)
        for i in range(8)
        for rater in ("ann", "bob")
        for axis in AXES
    ]
    rows.append(Rating("pair9", "ann", "adherence", 0, 3.0))  # one axis alone
    found = join_ratings(table, rows)
    assert found.table.items == tuple(f"pair{i}" for i in range(8))
    np.testing.assert_array_equal(found.table.values, table.values[:8])
    assert found.accepted.tolist() == [True] * 4 + [False] * 4
    with pytest.raises(UserError, match=r"1 rated items are unknown, e\.g\. 'elsewhere'"):
        join_ratings(table, [*rows, Rating("elsewhere", "ann", "adherence", 0, 3.0)])


@given(st.lists(st.integers(0, 12), min_size=1, max_size=60), st.integers(2, 5), st.integers(0, 9))
@settings(deadline=None)
def test_a_source_never_stands_on_both_sides(sources: list[int], folds: int, seed: int) -> None:
    fold = grouped_folds([str(source) for source in sources], folds, seed)
    for source in set(sources):
        assert len({int(f) for f, s in zip(fold, sources, strict=True) if s == source}) == 1


@given(st.integers(0, 1000))
@settings(deadline=None, max_examples=30)
def test_the_curve_rises_and_ends_at_the_ends_of_the_scale(seed: int) -> None:
    rng = np.random.default_rng(seed)
    latent = rng.normal(0, 1, 80)
    curve = fit_curve(latent, np.clip(3 + rng.normal(0, 1) * latent + rng.normal(0, 1, 80), 1, 5))
    assert (np.diff(curve(np.sort(latent))) >= 0).all()
    assert curve(np.array([-99.0, 99.0])) == pytest.approx([1, 5], abs=0.02)


def test_offsets_shrink_to_the_global_fit() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, 320)
    alike = shrunk_offsets(noise, [f"c{i % 4}" for i in range(320)])
    assert all(abs(offset) < 0.1 for offset in alike.values())
    categories = ["often"] * 300 + ["seldom"] * 3 + ["other"] * 17
    shift = np.array([0.0] * 300 + [-1.5] * 3 + [1.0] * 17)
    found = shrunk_offsets(noise * 0.5 + shift, categories)
    assert abs(found["often"]) < 0.1
    assert -1.5 < found["seldom"] < -0.3
    assert 0.5 < found["other"] < 1.2


def test_fitting_thousands_of_ratings_and_scoring_a_thousand_attempts_is_quick() -> None:
    table, targets, accepted = rated(2500)
    begun = time.perf_counter()
    calibration = fit_calibration(table, targets, accepted, data=DATA, date="2025-01-31")
    fitted = time.perf_counter()
    calibration.apply(table.rows(np.arange(1000)))
    assert fitted - begun < 30
    assert time.perf_counter() - fitted < 1
