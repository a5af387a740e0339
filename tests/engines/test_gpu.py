"""GPU placement on stand-ins: batches, shared weights, turns, deaths; the facts are any engine's."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.engines.standins import GpuEditor
from tests.mining.test_loop import calls, made, recipe, selected
from triptych.errors import WorkFailed
from triptych.recipe import Recipe
from triptych.runs import Stopper, mine, mine_open, open_for_mining

MODULE = "tests.engines.standins"
CLASSES = {
    "painter": "GpuPainter",
    "screen": "GpuJudge",
    "editor": "GpuEditor",
    "soft_filter": "GpuJudge",
    "validator": "GpuJudge",
}


def on_gpu(
    settings: dict[str, Any], roles: dict[str, dict[str, Any]] | None = None, **changes: Any
) -> Recipe:
    """The loop's recipe with every role but the writer on the GPU, judges on shared weights."""
    values = recipe(**changes).model_dump(mode="json")
    for role, name in CLASSES.items():
        shared = {"shared": "judge" if name == "GpuJudge" else role}
        more = {"pass_rate": 0.7} | shared | settings | (roles or {}).get(role, {})
        values[role] = {"backend": f"{MODULE}:{name}", "settings": more}
    return Recipe.model_validate(values)


def told(log: Path, word: str) -> list[list[str]]:
    lines = [line.split() for line in log.read_text(encoding="utf-8").splitlines()]
    return [line[1:] for line in lines if line[0] == word]


def test_the_facts_are_the_same_in_batches_in_turns_and_one_by_one(tmp_path: Path) -> None:
    log = tmp_path / "log"
    mine(on_gpu({"batch": 1, "shared": "all"}), tmp_path / "single")
    mine(on_gpu({"batch": 4, "log": str(log), "batch_seconds": 0.01}), tmp_path / "batched")
    mine(on_gpu({"batch": 3}, residency="phased"), tmp_path / "phased")
    assert selected(tmp_path / "single")
    assert selected(tmp_path / "single") == selected(tmp_path / "batched") == selected(tmp_path / "phased")
    assert made(tmp_path / "single") == made(tmp_path / "batched") == made(tmp_path / "phased")
    sizes = Counter(int(size) for _, size, *_ in told(log, "batch"))
    assert max(sizes) == 4
    assert (
        sum(size * number for size, number in sizes.items()) == sum(made(tmp_path / "batched").values()) - 4
    )
    assert sorted(name for (name,) in told(log, "load")) == ["editor", "judge", "painter"]


def test_roles_on_the_same_weights_share_a_process_and_load_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    mine(on_gpu({"log": str(log)}), tmp_path / "run")
    processes = {role: {line[2] for line in told(log, "batch") if line[0] == role} for role in CLASSES}
    assert processes["screen"] == processes["soft_filter"] == processes["validator"]
    assert len(set.union(*processes.values())) == 3


def test_in_turns_one_copy_of_weights_is_there_at_a_time(tmp_path: Path) -> None:
    log = tmp_path / "log"
    mine(on_gpu({"log": str(log)}, residency="phased", scenes=6), tmp_path / "run")
    there: set[str] = set()
    for line in log.read_text(encoding="utf-8").splitlines():
        word, name, *_ = line.split()
        if word == "load":
            there.add(name)
        elif word == "release":
            there.discard(name)
        assert len(there) <= 1
    loads = [name for (name,) in told(log, "load")]
    assert loads == ["painter", "judge", "editor", "judge"]


def test_loading_takes_as_long_as_it_takes(tmp_path: Path) -> None:
    values = on_gpu({"log": str(tmp_path / "log"), "load_seconds": 2.5}).model_dump(mode="json")
    for role in CLASSES:
        values[role]["timeout_seconds"] = 2  # of a call, not of reading the weights before it
    mine(Recipe.model_validate(values), tmp_path / "run")
    assert "infrastructure_error" not in {call.outcome for call in calls(tmp_path / "run")}
    assert sorted(name for (name,) in told(tmp_path / "log", "load")) == ["editor", "judge", "painter"]


def test_seconds_of_a_batch_are_shared_by_its_calls(tmp_path: Path) -> None:
    mine(on_gpu({"batch_seconds": 0.2, "batch": 4, "shared": "all"}, scenes=2), tmp_path / "run")
    edits = [call.seconds for call in calls(tmp_path / "run") if call.role == "editor"]
    assert len(edits) > 8
    assert sum(1 for seconds in edits if seconds < 0.15) >= len(edits) - 4  # but for batches that were short
    assert all(seconds < 0.5 for seconds in edits)  # waiting isn't counted


def test_a_failed_item_is_its_own(tmp_path: Path) -> None:
    run = tmp_path / "run"
    mine(on_gpu({"batch": 4, "shared": "all"}, {"editor": {"fail_share": 0.3, "refuse_share": 0.1}}), run)
    outcomes = Counter(call.outcome for call in calls(run) if call.role == "editor")
    assert outcomes["model_error"]
    assert outcomes["rejected"]
    assert outcomes["made"]
    assert set(made(run).values()) == {1}


SLOWLY = pytest.param("phased", marks=pytest.mark.slow)


@pytest.mark.parametrize("residency", ["concurrent", SLOWLY])
def test_a_worker_that_dies_costs_the_calls_it_was_on(tmp_path: Path, residency: str) -> None:
    shared = {"shared": "all"} if residency == "concurrent" else {}
    mine(on_gpu(shared, scenes=2), tmp_path / "calm")
    crash = {"editor": {"crash_on": str(tmp_path / "marker")}}
    mine(on_gpu(shared, crash, residency=residency, scenes=2), tmp_path / "run")
    assert (tmp_path / "marker").exists()
    lost = [call for call in calls(tmp_path / "run") if call.reason == "worker_died"]
    assert lost
    assert "editor" in {call.role for call in lost}
    assert len(selected(tmp_path / "run")) == len(selected(tmp_path / "calm"))


def test_a_mistake_in_a_worker_is_told_as_it_was_raised(tmp_path: Path) -> None:
    values = on_gpu({}).model_dump(mode="json")
    values["editor"]["backend"] = f"{__name__}:NoMemory"
    with pytest.raises(WorkFailed, match="set residency: phased"):
        mine(Recipe.model_validate(values), tmp_path / "run")


def _mined_until(plan: Recipe, path: Path, kill: bool) -> None:
    """Mine, and stop after 40 events."""
    stoppers: list[Stopper] = []
    seen = 0

    def watch(_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == 40:
            stoppers[0].kill() if kill else stoppers[0].drain()

    with open_for_mining(plan, path) as run:
        asyncio.run(mine_open(run, watch, stoppers.append))


@pytest.mark.parametrize("residency", ["concurrent", SLOWLY])
def test_stopped_and_killed_runs_go_on(tmp_path: Path, residency: str) -> None:
    shared = {"shared": "all"} if residency == "concurrent" else {}
    plan = on_gpu({"batch_seconds": 0.01} | shared, residency=residency)
    mine(plan, tmp_path / "calm")
    for kill in (False, True):
        _mined_until(plan, tmp_path / "run", kill)
        assert selected(tmp_path / "run") != selected(tmp_path / "calm")
    mine(plan, tmp_path / "run")
    assert selected(tmp_path / "run") == selected(tmp_path / "calm")
    assert set(made(tmp_path / "run").values()) == {1}


class NoMemory(GpuEditor):
    async def load(self) -> None:
        raise WorkFailed("editor: big/model doesn't fit into the GPU's memory: set residency: phased")
