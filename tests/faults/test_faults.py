"""Faults by kind: small here, large by `make faults`, which prints how many were put in and survived.

Survived means: the same command goes on, no finished call was lost or made twice, `verify` finds nothing,
and the data set is the one of a run that nothing happened to.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import environment
from tests.faults.roles import Ways
from triptych.ledger.queries import failures
from triptych.ledger.run import RunFolder
from triptych.ledger.verify import verify
from triptych.recipe import Recipe
from triptych.records import Call
from triptych.runs import mine, open_run

KILLS = int(os.environ.get("TRIPTYCH_FAULTS", "2"))  # of each kind of kill
STANDINS = "tests.mining.standins"
Told = Counter[str]


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    """Counts faults: `kind`, and `kind survived`."""
    counts: Told = Counter()
    yield counts
    kinds = sorted(name for name in counts if not name.endswith(" survived"))
    lines = [f"{kind:28} {counts[kind]:5} injected {counts[f'{kind} survived']:5} survived" for kind in kinds]
    print("\n" + "\n".join(lines))


def values(**changes: Any) -> dict[str, Any]:
    judge = {"backend": f"{STANDINS}:StandinJudge", "settings": {"pass_rate": 0.7}}
    recipe: dict[str, Any] = {
        "name": "faults",
        "scenes": 5,
        "sources_per_scene": 2,
        "edits_per_scene": 3,
        "attempts": 3,
        "megapixels": 0.02,
        "policy": "until_accepted",
        "writer": f"{STANDINS}:StandinWriter",
        "painter": f"{STANDINS}:StandinPainter",
        "editor": {"backend": f"{STANDINS}:StandinEditor", "settings": {"latency": 0.01}, "workers": 4},
        "screen": judge,
        "soft_filter": judge,
        "validator": judge,
        "retries": {"patience_seconds": 60},
    }
    return recipe | changes


def triplets(run: Path) -> list[tuple[str, str]]:
    with open_run(run) as opened:
        assert not opened.owed()
        return sorted((each.id, each.edited_image) for each in opened.view().triplets)


def made(run: Path) -> Counter[str]:
    with RunFolder(run).open_ledger(read_only=True) as ledger:
        return Counter(call.job_id for call in ledger.facts(Call) if call.outcome == "made")


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "triptych.cli.main", *map(str, arguments)]


def survives(run: Path, calm: Path) -> bool:
    """Whether the run, gone on with, is as if nothing had happened to it."""
    again = made(run)
    return triplets(run) == triplets(calm) and set(again.values()) == {1} and not verify(RunFolder(run))


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing happens to."""
    run = tmp_path_factory.mktemp("calm") / "run"
    mine(Recipe.model_validate(values()), run)
    assert triplets(run)
    return run


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "faults.yaml"
    path.write_text(yaml.safe_dump(values()))
    return path


def run_killed(arguments: list[str]) -> bool:
    """Run until it is killed, or over; whether it was killed."""
    done = subprocess.run(arguments, env=environment(), check=False, capture_output=True, timeout=120)
    return done.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("kind", "event", "part", "most"),
    [
        ("kill as a blob is begun", "open", ".part", 25),
        ("kill before a blob's rename", "os.rename", ".part", 25),
        ("kill as the page is written", "open", "report", 1),
    ],
)
def test_killed_between_two_steps_of_a_write(
    kind: str, event: str, part: str, most: int, told: Told, calm: Path, recipe: Path, tmp_path: Path
) -> None:
    chance = random.Random(kind)
    killed = 0
    for _ in range(KILLS):
        at = chance.randint(1, most)
        hooked = [sys.executable, "-m", "tests.faults.killing", event, part, str(at)]
        killed += run_killed([*hooked, "mine", str(recipe), "--out", str(tmp_path / "run")])
    told[kind] += killed
    assert killed
    mine(Recipe.model_validate(values()), tmp_path / "run")
    assert survives(tmp_path / "run", calm)
    told[f"{kind} survived"] += killed


def test_killed_while_a_group_is_committed(told: Told, calm: Path, recipe: Path, tmp_path: Path) -> None:
    """The log of the ledger grows as facts are committed: the kill comes as soon as it has."""
    kind, killed = "kill amid a commit", 0
    chance = random.Random(kind)
    log = tmp_path / "run/ledger.sqlite-wal"
    for _ in range(KILLS):
        process = subprocess.Popen(
            command("mine", recipe, "--out", tmp_path / "run"),
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        changes, size, until = chance.randint(1, 12), -1, time.monotonic() + 60
        while process.poll() is None and changes and time.monotonic() < until:
            now = log.stat().st_size if log.exists() else -1
            changes -= now != size
            size = now
        killed += process.poll() is None
        process.kill()
        process.wait()
    told[kind] += killed
    mine(Recipe.model_validate(values()), tmp_path / "run")
    assert survives(tmp_path / "run", calm)
    told[f"{kind} survived"] += killed


def test_killed_amid_an_export(told: Told, calm: Path, tmp_path: Path) -> None:
    kind, chance = "kill amid an export", random.Random("export")
    whole = json.loads(
        subprocess.run(
            command("export", calm, "--to", tmp_path / "whole", "--json"),
            env=environment(),
            check=True,
            capture_output=True,
        ).stdout
    )["dataset_hash"]
    for number in range(KILLS):
        to = tmp_path / f"export{number}"
        hooked = [sys.executable, "-m", "tests.faults.killing", "open", to.name, str(chance.randint(1, 8))]
        told[kind] += run_killed([*hooked, "export", str(calm), "--to", str(to), "--json"])
        assert not to.exists()  # nobody meets half a data set
        again = subprocess.run(
            command("export", calm, "--to", to, "--json"), env=environment(), check=True, capture_output=True
        )
        assert json.loads(again.stdout)["dataset_hash"] == whole
    assert told[kind]
    told[f"{kind} survived"] = told[kind]


@pytest.mark.parametrize("way", Ways)
@pytest.mark.parametrize("role", ["painter", "editor", "validator"])
def test_a_role_fails_in_its_own_way(role: str, way: str, told: Told, calm: Path, tmp_path: Path) -> None:
    if way == "not_a_picture" and role == "validator":
        pytest.skip("a judge gives no pictures")
    marks = tmp_path / "marks"
    marks.mkdir()
    names = {"painter": "FaultyPainter", "editor": "FaultyEditor", "validator": "FaultyJudge"}
    settings = {"way": way, "failed": str(marks), "share": 0.4}
    if role == "validator":
        settings["pass_rate"] = 0.7  # type: ignore[assignment]
    faulty = {"backend": f"tests.faults.roles:{names[role]}", "settings": settings}
    if way == "hangs":
        faulty["timeout_seconds"] = 0.5  # type: ignore[assignment]
    recipe = Recipe.model_validate(values(**{role: faulty}))
    for _ in range(100):
        try:
            mine(recipe, tmp_path / "run")
            break
        except ZeroDivisionError:  # a bug stops the run, with what was made kept
            continue
    failed = len(list(marks.iterdir()))
    kind = f"{role}: {way}"
    told[kind] += failed
    assert failed
    # A Pair is named by its pictures and words, so another back end that makes the same gives the same ones.
    assert survives(tmp_path / "run", calm)
    told[f"{kind} survived"] += failed


def test_a_call_hangs_in_a_worker(told: Told, calm: Path, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    hanging = {
        "backend": "tests.faults.roles:HangingWorker",
        "settings": {"failed": str(marks)},
        "timeout_seconds": 8,  # a worker that starts on a busy machine takes its time
    }
    told["worker: hangs"] += 1
    mine(Recipe.model_validate(values(editor=hanging)), tmp_path / "run")
    assert (marks / "hung").exists()
    assert survives(tmp_path / "run", calm)
    with open_run(tmp_path / "run") as run:
        assert failures(run.ledger)["timed_out"] == 1
    told["worker: hangs survived"] += 1


def test_a_judge_that_answers_nonsense_accepts_nothing(told: Told, tmp_path: Path) -> None:
    told["judge: nonsense"] += 1
    mine(Recipe.model_validate(values(validator="tests.faults.roles:NonsenseJudge")), tmp_path / "run")
    with open_run(tmp_path / "run") as run:
        assert not run.owed()
        assert run.view().triplets == []
        assert run.view().rejections["unscored_out_of_range"] > 0
    told["judge: nonsense survived"] += 1


@pytest.mark.parametrize("hurt", ["truncated", "bit flipped", "removed", "emptied"])
def test_a_blob_is_hurt_and_made_again(hurt: str, told: Told, calm: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(calm, run)
    chance = random.Random(hurt)
    images = sorted((run / "images").glob("??/*.jpg"))
    for image in chance.sample(images, min(len(images), KILLS)):
        data = bytearray(image.read_bytes())
        if hurt == "removed":
            image.unlink()
        elif hurt == "bit flipped":
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            image.write_bytes(data)
        else:
            image.write_bytes(data[: 0 if hurt == "emptied" else len(data) // 2])
        told[f"blob {hurt}"] += 1
        assert image.stem in {problem.subject for problem in verify(RunFolder(run))}
    mine(Recipe.model_validate(values()), run)
    assert triplets(run) == triplets(calm)
    assert not verify(RunFolder(run))
    told[f"blob {hurt} survived"] += told[f"blob {hurt}"]


def test_the_clock_jumps(told: Told, calm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, chance = time.time, random.Random("clock")

    def jumping() -> float:
        told["clock jump"] += 1
        return real() + chance.choice([-86_400, -3600, 0, 0, 3600, 86_400])

    monkeypatch.setattr(time, "time", jumping)
    mine(Recipe.model_validate(values()), tmp_path / "run")
    monkeypatch.undo()
    assert survives(tmp_path / "run", calm)
    told["clock jump survived"] += told["clock jump"]


def test_power_safe_runs_are_the_same_runs(calm: Path, tmp_path: Path) -> None:
    mine(Recipe.model_validate(values(durability="power")), tmp_path / "run")
    assert triplets(tmp_path / "run") == triplets(calm)
    with open_run(tmp_path / "run") as run:
        assert run.images.durable
