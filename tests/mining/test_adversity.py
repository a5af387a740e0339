"""Runs to which something unusual happens: twins, changed recipes, touched photographs, unlucky kills."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.mining.test_loop import calls, made, recipe, selected
from triptych.ledger.run import RunFolder
from triptych.recipe import Recipe
from triptych.records import Call, Verdict
from triptych.runs import mine, open_run


def roles_called(path: Path) -> Counter[str]:
    return Counter(call.role for call in calls(path))


def test_attempts_that_come_out_the_same_are_judged_once(tmp_path: Path) -> None:
    mine(recipe({"editor": {"class": "SeedlessEditor"}}), tmp_path / "run")
    assert set(made(tmp_path / "run").values()) == {1}
    with open_run(tmp_path / "run") as run:
        assert not run.owed()
        attempts = run.view().funnel["attempts"]
    assert attempts == roles_called(tmp_path / "run")["editor"]
    assert roles_called(tmp_path / "run")["soft_filter"] == attempts / 3


def test_more_edits_a_scene_add_only_themselves(tmp_path: Path) -> None:
    mine(recipe(edits_per_scene=2), tmp_path / "run")
    before = roles_called(tmp_path / "run")
    mine(recipe(edits_per_scene=3), tmp_path / "run")
    added = roles_called(tmp_path / "run") - before
    assert "painter" not in added
    assert "screen" not in added
    assert set(made(tmp_path / "run").values()) == {1}
    mine(recipe(edits_per_scene=3), tmp_path / "fresh")
    assert selected(tmp_path / "run") == selected(tmp_path / "fresh")


def test_fewer_edits_a_scene_are_a_look_at_some(tmp_path: Path) -> None:
    mine(recipe(edits_per_scene=3), tmp_path / "run")
    before = roles_called(tmp_path / "run")
    mine(recipe(edits_per_scene=2), tmp_path / "run")
    assert set(roles_called(tmp_path / "run") - before) == {"writer"}


def test_two_briefs_with_one_scene_give_it_once_and_leave_nothing_owed(tmp_path: Path) -> None:
    twins = recipe({"writer": {"class": "TwinWriter"}})
    mine(twins, tmp_path / "run")
    first = selected(tmp_path / "run")
    with open_run(tmp_path / "run") as run:
        assert not run.owed()
        assert run.view().funnel["scenes"] == 2
    count = len(calls(tmp_path / "run"))
    mine(twins, tmp_path / "run")
    assert len(calls(tmp_path / "run")) == count
    assert selected(tmp_path / "run") == first


@pytest.mark.parametrize("policy", ["best_of", "until_accepted", "uniform"])
def test_a_cap_gives_the_same_data_set_with_model_errors_too(tmp_path: Path, policy: str) -> None:
    roles: dict[str, dict[str, Any]] = {"editor": {"fail_share": 0.3}}
    wanted = recipe(roles, policy=policy, budget={"calls": {"editor": 25}})
    mine(wanted, tmp_path / "many")
    parts = {
        role: getattr(wanted, role).model_copy(update={"workers": 1})
        for role in ("painter", "screen", "editor", "soft_filter", "validator")
    }
    mine(wanted.model_copy(update=parts), tmp_path / "one")
    assert selected(tmp_path / "many") == selected(tmp_path / "one")
    assert roles_called(tmp_path / "many")["editor"] == 25


@pytest.mark.parametrize("role", ["painter", "writer", "screen"])
def test_uniform_edits_what_another_roles_cap_left(tmp_path: Path, role: str) -> None:
    wanted = recipe(policy="uniform", scenes=8, budget={"calls": {role: 3}})
    wanted = wanted.model_copy(update={"painter": wanted.painter.model_copy(update={"workers": 1})})  # type: ignore[union-attr]
    mine(wanted, tmp_path / "run")
    counted = roles_called(tmp_path / "run")
    assert counted[role] == 3
    assert counted["editor"] > 0
    assert selected(tmp_path / "run")


def test_a_source_that_comes_back_different_is_screened_and_edited_anew(tmp_path: Path) -> None:
    changing = recipe({"painter": {"class": "ChangingPainter"}}, scenes=1)
    mine(changing, tmp_path / "run")
    with open_run(tmp_path / "run") as run:
        source = run.view().triplets[0].source
        run.images.path(source.image).unlink()
    before = roles_called(tmp_path / "run")
    mine(changing, tmp_path / "run")
    added = roles_called(tmp_path / "run") - before
    assert added["painter"] == added["screen"] == 1
    with open_run(tmp_path / "run") as run:
        assert not run.owed()
        again = next(s for slot in run.slots if slot.state for s in slot.state.sources if s.id == source.id)
        assert again.source is not None
        assert (again.source.revision, again.source.image != source.image) == (1, True)
    count = len(calls(tmp_path / "run"))
    mine(changing, tmp_path / "run")
    assert len(calls(tmp_path / "run")) == count


def test_tries_are_counted_across_commands_for_writers_too(tmp_path: Path) -> None:
    failing = recipe({"writer": {"fail_share": 1.0}}, scenes=1)
    for _ in range(3):
        mine(failing, tmp_path / "run")
    assert [call.number for call in calls(tmp_path / "run")] == [1, 2, 3]


def test_a_kill_between_the_last_error_and_its_verdict_costs_no_further_call(tmp_path: Path) -> None:
    mute = recipe({"validator": {"fail_share": 1.0}}, scenes=1)
    mine(mute, tmp_path / "run")
    count = len(calls(tmp_path / "run"))
    with RunFolder(tmp_path / "run").open_ledger() as ledger:
        unscored = [verdict for verdict in ledger.facts(Verdict) if verdict.reason == "nonsense"]
        assert unscored
        with ledger._transaction(writes=True) as connection:  # what a kill would have left out
            from triptych.ledger import schema

            connection.execute(schema.verdict.delete().where(schema.verdict.c.reason == "nonsense"))
    mine(mute, tmp_path / "run")
    assert len(calls(tmp_path / "run")) == count
    with RunFolder(tmp_path / "run").open_ledger(read_only=True) as ledger:
        assert [v for v in ledger.facts(Verdict) if v.reason == "nonsense"] == unscored


# ---- photographs -----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    where = tmp_path / "photographs"
    where.mkdir()
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 255, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((160, 120)).save(where / f"p{number}.png")
    return where


def photographs(folder: Path, **changes: Any) -> Recipe:
    base = recipe().model_dump(exclude_none=True)
    for key in ("painter", "screen", "scenes", "sources_per_scene"):
        base.pop(key)
    base |= {"edits_per_scene": 2, "photographs": {"folder": folder} | changes.pop("photographs", {})}
    return Recipe.model_validate(base | changes)


def test_a_touched_photograph_is_read_again_and_costs_no_call(tmp_path: Path, folder: Path) -> None:
    mine(photographs(folder), tmp_path / "run")
    before, count = selected(tmp_path / "run"), len(calls(tmp_path / "run"))
    os.utime(folder / "p1.png", ns=(1, 1))
    mine(photographs(folder), tmp_path / "run")
    assert len(calls(tmp_path / "run")) == count
    assert sorted(selected(tmp_path / "run")) == sorted(before)


def test_another_fit_is_another_source_and_the_two_never_mix(tmp_path: Path, folder: Path) -> None:
    mine(photographs(folder), tmp_path / "run")
    padded = photographs(folder, photographs={"fit": "pad"}, megapixels=0.03)
    mine(padded, tmp_path / "run")
    with open_run(tmp_path / "run") as run:
        assert run.view().funnel["sources"] == 3
        assert not run.owed()


def test_more_edits_of_photographs_are_asked_for(tmp_path: Path, folder: Path) -> None:
    mine(photographs(folder, edits_per_scene=1), tmp_path / "run")
    editor = roles_called(tmp_path / "run")["editor"]
    mine(photographs(folder, edits_per_scene=2), tmp_path / "run")
    assert roles_called(tmp_path / "run")["editor"] == 2 * editor
    assert set(made(tmp_path / "run").values()) == {1}


def test_a_run_can_be_looked_at_without_its_photographs(tmp_path: Path, folder: Path) -> None:
    mine(photographs(folder), tmp_path / "run")
    before = selected(tmp_path / "run")
    folder.rename(tmp_path / "moved")
    assert selected(tmp_path / "run") == before


def test_a_lost_import_is_made_again_and_nothing_else(tmp_path: Path, folder: Path) -> None:
    mine(photographs(folder), tmp_path / "run")
    before, count = selected(tmp_path / "run"), len(calls(tmp_path / "run"))
    with open_run(tmp_path / "run") as run:
        run.images.path(run.view().triplets[0].source_image).unlink()
    mine(photographs(folder), tmp_path / "run")
    assert selected(tmp_path / "run") == before
    assert len(calls(tmp_path / "run")) == count


def test_odd_file_names_are_no_obstacle(tmp_path: Path, folder: Path) -> None:
    odd = os.fsencode(folder) + b"/odd\xff\xfe.png"
    (folder / "p0.png").rename(os.fsdecode(odd))
    mine(photographs(folder), tmp_path / "run")
    with open_run(tmp_path / "run") as run:
        assert run.view().funnel["sources"] == 3


def test_calls_are_recorded_with_their_scene(tmp_path: Path) -> None:
    mine(recipe(scenes=1), tmp_path / "run")
    with RunFolder(tmp_path / "run").open_ledger(read_only=True) as ledger:
        scenes = {call.scene_id for call in ledger.facts(Call) if call.role != "writer"}
    assert len(scenes) == 1
    assert None not in scenes
