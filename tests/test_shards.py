"""A run mined in parts, on machines that are taken away at times, is the run that one machine mines."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Triptych, environment, one_line, recipe_file, triptych
from triptych.errors import RecipeError, RunError
from triptych.ledger.run import RunFolder
from triptych.recipe import Recipe, load_recipe
from triptych.records import Call
from triptych.runs import mine, open_run

__all__ = ["recipe_file", "triptych"]  # fixtures of the command's tests

PARTS = 8
PRE_EMPTED = {2: signal.SIGTERM, 5: signal.SIGKILL, 7: signal.SIGTERM}
Recipes = Callable[..., Path]


def data_set(triptych: Triptych, run: Path) -> str:
    told = triptych("export", run, "--to", f"{run}-export", "--json")
    return str(json.loads(told.stdout)["dataset_hash"])


def calls(run: Path) -> int:
    if not RunFolder(run).ledger.exists():
        return 0
    with RunFolder(run).open_ledger(read_only=True) as ledger:
        return sum(1 for _ in ledger.facts(Call))


def pre_empt(recipe: Path, part: int, out: Path, by: signal.Signals) -> None:
    """Mine a part and take the machine away in the middle: with notice, or without."""
    command = [sys.executable, "-m", "triptych.cli.main", "mine", recipe, "--out", out]
    with subprocess.Popen(
        [*map(str, command), "--shard", f"{part}/{PARTS}"],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        until = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < until:
            try:
                if calls(out) > 4:
                    break
            except RunError:  # the ledger is being made
                pass
            time.sleep(0.02)
        process.send_signal(by)
        process.wait(60)


def test_parts_some_of_them_pre_empted_give_what_one_machine_gives(
    triptych: Triptych, recipe_file: Recipes, tmp_path: Path
) -> None:
    slow = {"backend": "tests.mining.standins:StandinEditor", "settings": {"latency": 0.05}, "workers": 2}
    path = recipe_file(scenes=24, policy="until_accepted", editor=slow)
    recipe = load_recipe(path)
    mine(recipe, tmp_path / "whole")
    parts = [tmp_path / f"part{number}" for number in range(1, PARTS + 1)]
    for number, part in enumerate(parts, 1):
        if number in PRE_EMPTED:
            pre_empt(path, number, part, PRE_EMPTED[number])
        else:
            mine(recipe.sharded(number, PARTS), part)
    mine(recipe.sharded(2, PARTS), parts[1])  # one of them is queued again, the others never run any more
    united = tmp_path / "united"
    assert triptych("merge", *parts, "--to", united).returncode == 0
    assert triptych("verify", united).returncode == 0
    done = calls(united)
    assert triptych("mine", path, "--out", united).returncode == 0

    assert data_set(triptych, united) == data_set(triptych, tmp_path / "whole")
    with RunFolder(united).open_ledger(read_only=True) as ledger:
        made = Counter(call.job_id for call in ledger.facts(Call) if call.outcome == "made")
    assert set(made.values()) == {1}  # what any part had made was not made again
    assert 0 < done <= sum(made.values()) == calls(tmp_path / "whole")


def test_every_scene_is_in_one_part(recipe_file: Recipes, tmp_path: Path) -> None:
    recipe = load_recipe(recipe_file(scenes=9, attempts=1, edits_per_scene=1))
    scenes: list[str] = []
    for part in range(1, 4):
        mine(recipe.sharded(part, 3), tmp_path / str(part))
        with open_run(tmp_path / str(part)) as run:
            scenes += [slot.state.scene.id for slot in run.slots if slot.state]
            assert all(slot.state for slot in run.slots)
    mine(recipe, tmp_path / "whole")
    with open_run(tmp_path / "whole") as run:
        assert sorted(scenes) == sorted(slot.state.scene.id for slot in run.slots if slot.state)


@pytest.mark.parametrize("of", [1, 3, 7])
def test_a_budget_is_divided_and_none_of_it_lost(recipe_file: Recipes, of: int) -> None:
    budget = {"calls": {"editor": 100, "validator": 5}, "model_seconds": 60.0, "wall": 9.0}
    recipe = load_recipe(recipe_file(budget=budget))
    shares = [recipe.sharded(part, of).budget for part in range(1, of + 1)]
    assert sum(share.calls["editor"] for share in shares) == 100
    assert sum(share.calls["validator"] for share in shares) == 5
    assert sum(share.model_seconds or 0 for share in shares) == pytest.approx(60)
    assert {share.wall for share in shares} == {9.0}
    assert max(share.calls["editor"] for share in shares) - min(s.calls["editor"] for s in shares) <= 1


def test_a_part_that_there_is_not(recipe_file: Recipes, triptych: Triptych) -> None:
    recipe: Recipe = load_recipe(recipe_file())
    with pytest.raises(RecipeError, match="parts are 1 to 3"):
        recipe.sharded(4, 3)
    assert "I/N" in triptych("mine", recipe_file(), "--shard", "3").stderr


def test_runs_of_different_recipes_are_not_united(
    triptych: Triptych, recipe_file: Recipes, tmp_path: Path
) -> None:
    triptych("mine", recipe_file(scenes=1), "--out", "a")
    triptych("mine", recipe_file(scenes=1), "--out", "b", "--set", "attempts=1")
    told = triptych("merge", "a", "b", "--to", "c")
    assert "attempts" in one_line(told, 2)
    assert not (tmp_path / "c").exists()
    assert "folder of its own" in one_line(triptych("merge", "a", "--to", "a"), 2)
