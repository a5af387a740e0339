"""The script that trains the studio's judges: its trees, its data, its card."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from triptych.backends.studio.judge.forest import Forest
from triptych.backends.studio.judge.shipped import FILE_NAME
from triptych.records import hash_bytes

pytest.importorskip("sklearn", reason="only training needs scikit-learn")

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(autouse=True)
def scripts_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))


@pytest.fixture
def card() -> dict[str, Any]:
    data = files("triptych.backends.studio.judge").joinpath("card.json").read_bytes()
    loaded: dict[str, Any] = orjson.loads(data)
    return loaded


@pytest.mark.parametrize("chance", [False, True])
def test_trees_answer_as_scikit_learn_does(chance: bool) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from studio_judge.learn import exported

    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 6)).astype(np.float32)
    x[rng.random(x.shape) < 0.2] = np.nan
    y = np.nan_to_num(x[:, 0]) * 2 + np.isnan(x[:, 1]) + 0.1 * rng.standard_normal(400)
    kind = HistGradientBoostingClassifier if chance else HistGradientBoostingRegressor
    model = kind(max_iter=20, max_leaf_nodes=8).fit(x, y > 0 if chance else y)
    forest = exported(model, logistic=chance)
    again = Forest.unpacked(forest.packed("f"), "f")
    expected = model.predict_proba(x)[:, 1] if chance else model.predict(x)
    np.testing.assert_allclose(forest(x), expected, atol=1e-9)
    np.testing.assert_allclose(again(x), expected, atol=1e-5)


def test_nothing_unseen_is_learned_from() -> None:
    from studio_judge.learn import seen

    row = {
        "truth": {"flaws": [["ghost", 0.5]]},
        "scene": {"setting": "lake"},
        "source_scene": {"setting": "lake"},
        "plan": {"value": "red", "parts": []},
    }
    assert seen(row)
    assert not seen(row | {"truth": {"flaws": [["ghost", 0.5], ["drift", 0.02]]}})
    assert not seen(row | {"truth": {"flaws": [["source_shift", 0.5]]}})
    assert not seen(row | {"bears": ["blotch"]})
    assert not seen(row | {"source_scene": {"setting": "desert"}})
    assert not seen(row | {"plan": {"value": None, "parts": [{"value": "desert"}]}})


def test_each_order_of_a_pair_is_labelled_by_what_became_of_it() -> None:
    from studio_judge.carried import carried_out

    cat = {"id": "t1", "kind": "cat", "colour": None, "material": None, "height": 0.3}
    dog = cat | {"id": "t2", "kind": "dog"}
    words = {"colour": None, "material": None}
    part = {"value": None, "thing": None, "parts": []}
    before = {"things": [cat, dog], "time": "day", "grade": None}
    parts = [
        part | {"operation": "remove", "target": words | {"kind": "dog"}},
        part | {"operation": "color", "target": words | {"kind": "cat"}, "value": "red"},
        part | {"operation": "time_of_day", "target": None, "value": "night"},
    ]
    row = {
        "instruction": "Remove the dog, paint the cat red, and make it night",
        "plan": {"parts": parts},
        "truth": {"flaws": [["half", 1.0]]},
        "source_scene": before,
        "scene": before | {"things": [cat | {"colour": "red"}, dog], "time": "night"},
    }
    assert carried_out(row) == [0.0, 1.0, 1.0]
    assert carried_out(row | {"scene": before, "truth": {"flaws": [["ignored", 1.0]]}}) == [0.0, 0.0, 0.0]


def test_the_same_seed_gives_the_same_attempts(tmp_path: Path) -> None:
    from studio_judge.attempts import RESERVED_SEEDS, Plan, make_attempts, read_rows

    rows = []
    for name in ("first", "second"):
        plan = Plan(tmp_path / name, scenes=1, first_seed=RESERVED_SEEDS + 3, sources=1, edits=1, attempts=1)
        make_attempts(plan, processes=1)
        rows.append(list(read_rows(tmp_path / name)))
    assert rows[0]
    assert rows[0] == rows[1]


def test_the_card_is_of_the_shipped_file(card: dict[str, Any]) -> None:
    data = files("triptych.backends.studio.judge").joinpath(FILE_NAME).read_bytes()
    assert card["file"] == {"bytes": len(data), "hash": hash_bytes(data)}


def test_the_card_in_words_says_what_its_figures_say(card: dict[str, Any]) -> None:
    from studio_judge.card import in_words

    text = files("triptych.backends.studio.judge").joinpath("CARD.md").read_text(encoding="utf-8")
    assert text == in_words(card)


def test_three_global_statistics_would_not_do(card: dict[str, Any]) -> None:
    assert card["held_out"]["three_statistics_auc"] < 0.75
    assert card["held_out"]["validator"]["kinds"]["forward"]["all"]["auc_really_good"] > 0.85


@pytest.mark.parametrize("kind", ["forward", "inverse", "joined"])
def test_every_kind_of_pair_is_told_apart(card: dict[str, Any], kind: str) -> None:
    figures = card["out_of_fold"]["validator"]["kinds"][kind]["seen"]
    assert figures["n"] > 400
    assert figures["auc_really_good"] > 0.85
