"""Pictures of rejected attempts go by the recipe's policy; facts, and what other rules would give, stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from triptych.ledger.run import RunFolder
from triptych.ledger.verify import verify
from triptych.recipe import Recipe
from triptych.records import Attempt
from triptych.runs import mine, open_for_mining, open_run

STANDINS = "tests.mining.standins"


def recipe(**changes: Any) -> Recipe:
    judge = {"backend": f"{STANDINS}:StandinJudge", "settings": {"pass_rate": 0.6}}
    values: dict[str, Any] = {
        "name": "keeping",
        "scenes": 6,
        "sources_per_scene": 2,
        "edits_per_scene": 3,
        "attempts": 3,
        "megapixels": 0.02,
        "writer": f"{STANDINS}:StandinWriter",
        "painter": f"{STANDINS}:StandinPainter",
        "editor": f"{STANDINS}:StandinEditor",
        "screen": f"{STANDINS}:StandinJudge",
        "soft_filter": judge,
        "validator": judge,
        "rule": {"threshold": 4.85},
    }
    return Recipe.model_validate(values | changes)


def stored(run: Path) -> set[str]:
    return {path.stem for path in (run / "images").glob("??/*.jpg")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("whole") / "run"
    mine(recipe(), run)
    return run


@pytest.mark.parametrize("keep", ["judged", "accepted", "sample"])
def test_what_is_kept_is_what_the_policy_says(keep: str, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    mine(recipe(keep=keep), run)
    with open_run(whole) as everything, open_run(run) as kept:
        rejected = list(everything.rejected())
        made = {attempt.image for attempt in everything.ledger.facts(Attempt)}
        accepted = made - {pair.edited_image for pair in rejected}
        near = {pair.edited_image for pair in rejected if pair.gate == "validator"}
        wanted = accepted | near if keep == "judged" else accepted
        assert kept.view().funnel == everything.view().funnel
        assert kept.view().triplets == everything.view().triplets
        assert {pair.edited_image for pair in kept.rejected()} == (stored(run) & made) - accepted
        assert not kept.owed()
    assert stored(whole) - stored(run)
    if keep == "sample":
        assert wanted <= stored(run) & made
        assert len(stored(run) & made) < (len(made) + len(wanted)) / 2
    else:
        assert stored(run) & made == wanted
    assert stored(whole) - made <= stored(run)  # sources
    assert not verify(RunFolder(run))


def test_a_rule_that_wants_them_after_all_has_them_made_again(whole: Path, tmp_path: Path) -> None:
    run, wider = tmp_path / "run", {"threshold": 4.0}
    mine(recipe(keep="accepted"), run)
    had = stored(run)
    with open_for_mining(recipe(keep="accepted", rule=wider), run) as opened:
        owed = opened.owed()
    assert owed["edits to attempt"] > 0
    mine(recipe(keep="accepted", rule=wider), run)
    mine(recipe(rule=wider), whole)
    with open_run(run) as kept, open_run(whole) as everything:
        assert kept.view().triplets == everything.view().triplets
        assert not kept.owed()
    assert had < stored(run)
    assert not verify(RunFolder(run))


def test_dropped_pictures_are_no_loss_to_a_merged_run(tmp_path: Path) -> None:
    from triptych.cli.merge import merge

    parts = [tmp_path / "1", tmp_path / "2"]
    for number, part in enumerate(parts, 1):
        mine(recipe(keep="accepted").sharded(number, 2), part)
    merge(parts, tmp_path / "united")
    assert not verify(RunFolder(tmp_path / "united"))
    with open_for_mining(recipe(keep="accepted"), tmp_path / "united") as united:
        assert not united.owed()
