"""`triptych import`: pairs of other hands become facts of a run, and are judged and exported like its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import REPOSITORY, Triptych, one_line
from tests.datasets.foreign import edit_reward, img_edit_turns, magicbrush
from triptych.datasets.adapters.opening import open_dataset
from triptych.datasets.adapters.sample import Sample
from triptych.datasets.marking import is_marked

SHARED = REPOSITORY.parent / "shared" / "data" / "triplets"
GENEROUS = {"backend": "tests.mining.standins:StandinJudge", "settings": {"pass_rate": 1.0}}
LENIENT = {"largest_component": 0, "shift": 1000, "zoom": 100}


@pytest.fixture
def judging(recipe_file: Callable[..., Path]) -> Callable[..., Path]:
    """Writes a recipe that makes nothing and passes everything."""

    def write(**changes: object) -> Path:
        absent = dict.fromkeys(("scenes", "painter", "editor", "screen"))
        judges = {"soft_filter": GENEROUS, "validator": GENEROUS}
        return recipe_file(**{**absent, **judges, "imported": True, "rule": LENIENT, **changes})

    return write


def test_pairs_are_judged_and_exported_as_they_came(
    triptych: Triptych, judging: Callable[..., Path], tmp_path: Path
) -> None:
    magicbrush(tmp_path / "brush")
    told = json.loads(triptych("import", "brush", "--to", "run", "--json").stdout)
    assert (told["pairs"], told["new"], told["sources"], told["skipped"]) == (2, 2, 2, {})
    mined = triptych("mine", judging(), "--out", "run")
    assert mined.returncode == 0, mined.stderr
    status = json.loads(triptych("status", "run", "--json").stdout)
    assert status["funnel"]["attempts"] == status["funnel"]["selected"] == 2
    assert status["owed"] == {}
    assert triptych("verify", "run").returncode == 0
    done = triptych("export", "run", "--to", "out")
    assert done.returncode == 0, done.stderr
    assert "with imported pairs of: brush" in done.stdout
    before = [(one.source, one.instruction, one.edited) for one in _pairs(tmp_path / "brush")]
    after = [(one.source, one.instruction, one.edited) for one in _pairs(tmp_path / "out")]
    assert sorted(before) == sorted(after)  # to the byte: nobody here knows who made them, so no mark
    assert not any(is_marked(data) for data, *_ in after)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "imported pairs of other hands" in card
    assert "painted" not in card.split("## Who made")[0].split("## Where")[0]


def test_importing_again_adds_only_what_is_new(
    triptych: Triptych, judging: Callable[..., Path], tmp_path: Path
) -> None:
    magicbrush(tmp_path / "brush")
    img_edit_turns(tmp_path / "turns")  # the same pairs, as files
    triptych("import", "brush", "--to", "run")
    triptych("mine", judging(), "--out", "run")
    told = json.loads(triptych("import", "brush", "--to", "run", "--json").stdout)
    assert (told["pairs"], told["new"]) == (2, 0)
    told = json.loads(triptych("import", "turns", "--to", "run", "--json").stdout)
    assert (told["pairs"], told["new"]) == (2, 0)
    assert json.loads(triptych("status", "run", "--json").stdout)["owed"] == {}
    edit_reward(tmp_path / "rewards")
    triptych("import", "rewards", "--to", "run")
    assert json.loads(triptych("status", "run", "--json").stdout)["owed"] == {"soft filter verdicts": 1}


def test_of_several_edits_under_one_instruction_all_are_judged_and_the_best_is_selected(
    triptych: Triptych, judging: Callable[..., Path], tmp_path: Path
) -> None:
    edit_reward(tmp_path / "rewards")
    triptych("import", "rewards", "--to", "run")
    triptych("mine", judging(policy="until_accepted"), "--out", "run")
    funnel = json.loads(triptych("status", "run", "--json").stdout)["funnel"]
    assert (funnel["attempts"], funnel["validator"], funnel["selected"]) == (2, 2, 1)


def test_imported_pairs_are_multiplied_and_join_a_run_that_makes_its_own(
    triptych: Triptych, judging: Callable[..., Path], recipe_file: Callable[..., Path], tmp_path: Path
) -> None:
    magicbrush(tmp_path / "brush")
    triptych("import", "brush", "--to", "alone")
    triptych("mine", judging(multiply={"inverse": True}), "--out", "alone")
    kinds = json.loads(triptych("status", "alone", "--json").stdout)["kinds"]
    assert kinds["inverse"]["made"] == 2
    triptych("mine", recipe_file(), "--out", "mixed")
    before = json.loads(triptych("status", "mixed", "--json").stdout)["funnel"]
    triptych("import", "brush", "--to", "mixed")
    again = triptych("mine", recipe_file(), "--out", "mixed")
    assert again.returncode == 0, again.stderr
    after = json.loads(triptych("status", "mixed", "--json").stdout)["funnel"]
    assert after["attempts"] == before["attempts"] + 2
    assert after["scenes"] == before["scenes"] + 2


def test_a_lost_picture_comes_back_with_the_next_import(
    triptych: Triptych, judging: Callable[..., Path], tmp_path: Path
) -> None:
    magicbrush(tmp_path / "brush")
    triptych("import", "brush", "--to", "run")
    for file in (tmp_path / "run" / "images").glob("*/*"):
        file.unlink()
    mined = triptych("mine", judging(), "--out", "run")
    assert "Traceback" not in mined.stderr
    assert triptych("verify", "run").returncode == 1
    triptych("import", "brush", "--to", "run")
    assert triptych("verify", "run").returncode == 0
    triptych("mine", judging(), "--out", "run")
    assert json.loads(triptych("status", "run", "--json").stdout)["funnel"]["selected"] == 2


def test_mistakes_are_one_line(triptych: Triptych, judging: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    good = {"source": "a.jpg", "edited": "b.jpg", "instruction": "Add a duck"}
    (tmp_path / "broken" / "rows.jsonl").write_text(json.dumps(good) + "\n")
    line = one_line(triptych("import", "broken", "--to", "run"), 1)
    assert "missing_file 1" in line
    magicbrush(tmp_path / "brush")
    assert "isn't empty" in one_line(triptych("import", "brush", "--to", "broken"), 2)
    triptych("import", "brush", "--to", "other")
    assert "is a run" in one_line(triptych("import", "other", "--to", "third"), 2)
    assert "'editor' is missing" in one_line(triptych("mine", judging(imported=False), "--out", "other"), 2)


def _pairs(path: Path) -> list[Sample]:
    return [row for row in open_dataset(path).samples() if isinstance(row, Sample)]


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.exists(), reason="the shared data isn't here")
def test_sixty_real_pairs_go_through_the_studios_gates(triptych: Triptych) -> None:
    told = json.loads(triptych("import", SHARED, "--to", "run", "--json").stdout)
    assert (told["pairs"], told["skipped"]) == (60, {})
    assert told["aligned"] == {"same": 51, "scaled": 9}
    assert triptych("mine", "imported", "--out", "run").returncode == 0
    funnel = json.loads(triptych("status", "run", "--json").stdout)["funnel"]
    assert funnel["attempts"] == 60
