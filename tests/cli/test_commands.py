"""The commands as a user meets them: what they print, what a program reads, how they end."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Triptych, environment
from triptych.mining.select import FUNNEL_STAGES

COMMANDS = ("mine", "status", "verify", "export", "validator", "train", "doctor")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(triptych: Triptych, command: str) -> None:
    result = triptych(command, "--help")
    assert result.returncode == 0
    assert f"example: triptych {command}" in result.stdout


def test_mine_says_what_is_owed_and_ends_with_funnel_and_gallery(
    triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path
) -> None:
    result = triptych("mine", recipe_file())
    assert result.returncode == 0, result.stderr
    assert "owed now 3 scenes to write" in result.stdout
    assert re.search(r"selected +\d+", result.stdout)
    gallery = Path(result.stdout.split("gallery: ")[1].splitlines()[0])
    assert gallery == tmp_path / "runs/small/report.html"
    assert gallery.read_text().startswith("<!doctype html>")
    again = triptych("mine", recipe_file())
    assert "nothing is owed" in again.stdout


def test_status_gives_the_keys_that_programs_read(
    triptych: Triptych, recipe_file: Callable[..., Path]
) -> None:
    triptych("mine", recipe_file())
    told = json.loads(triptych("status", "runs/small", "--json").stdout)
    assert tuple(told["funnel"]) == FUNNEL_STAGES
    assert set(told["cost"]["editor"]) == {"calls", "seconds", "price", "tokens_in", "tokens_out"}
    assert all(isinstance(count, int) for count in told["failures"].values())
    assert told["funnel"]["attempts"] == told["cost"]["editor"]["calls"]
    strict = json.loads(triptych("status", "runs/small", "--json", "--set", "threshold=4.95").stdout)
    assert 0 <= strict["funnel"]["selected"] < told["funnel"]["selected"]
    assert strict["cost"] == told["cost"]


def test_mine_with_a_wider_rule_says_what_it_owes_first(
    triptych: Triptych, recipe_file: Callable[..., Path]
) -> None:
    triptych("mine", recipe_file(rule={"soft_adherence": 4.9}))
    result = triptych("mine", recipe_file(rule={"soft_adherence": 2}), "--dry-run")
    assert re.search(r"owed now \d+ validator verdicts", result.stdout)
    assert "gallery" not in result.stdout


def test_a_dry_run_leaves_no_trace(
    triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path
) -> None:
    assert "owed now 3 scenes to write" in triptych("mine", recipe_file(), "--dry-run").stdout
    assert not (tmp_path / "runs").exists()
    triptych("mine", recipe_file(rule={"soft_adherence": 4.9}))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs/small").glob("*.*")}
    assert "owed now" in triptych("mine", recipe_file(rule={"soft_adherence": 2}), "--dry-run").stdout
    kept = {path: path.stat().st_mtime_ns for path in before}
    assert {path.name for path in before if kept[path] != before[path]} <= {"ledger.sqlite-shm"}


def test_another_rule_that_owes_nothing_is_kept_and_shown(
    triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path
) -> None:
    triptych("mine", recipe_file())
    page, recipe = tmp_path / "runs/small/report.html", tmp_path / "runs/small/recipe.yaml"
    first = page.read_text(), recipe.read_text()
    result = triptych("mine", recipe_file(), "--set", "threshold=4.95")
    assert "nothing is owed" in result.stdout
    strict = json.loads(triptych("status", "runs/small", "--json").stdout)["funnel"]["selected"]
    assert re.search(rf"selected +{strict} ", result.stdout)
    assert "threshold=4.95" in page.read_text()
    assert recipe.read_text() != first[1]
    written = page.stat().st_mtime_ns
    triptych("mine", recipe_file(), "--set", "threshold=4.95")
    assert page.stat().st_mtime_ns == written


def test_a_budget_that_just_fits_is_no_end(triptych: Triptych, recipe_file: Callable[..., Path]) -> None:
    triptych("mine", recipe_file(), "--out", "free")
    calls = json.loads(triptych("status", "free", "--json").stdout)["cost"]["editor"]["calls"]
    fits = triptych("mine", recipe_file(budget={"calls": {"editor": calls}}))
    assert "ended at" not in fits.stdout
    short = triptych("mine", recipe_file(budget={"calls": {"editor": calls - 1}}), "--out", "short")
    assert "ended at the budget of" in short.stdout


def test_progress_as_json_events(triptych: Triptych, recipe_file: Callable[..., Path]) -> None:
    result = triptych("mine", recipe_file(), "--json")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    calls = [event for event in events if event["event"] == "call"]
    assert {call["role"] for call in calls} >= {"writer", "painter", "editor", "validator"}
    assert set(calls[0]) == {"event", "role", "outcome", "reason", "seconds"}
    for ending in (events[-2:], json_lines(triptych("mine", recipe_file(), "--json"))):
        funnel, end = ending
        assert funnel["event"] == "funnel"
        assert set(end) == {"event", "selected", "stopped", "ended_at", "gallery"}
        assert end["selected"] == funnel["selected"] > 0
        assert Path(end["gallery"]).exists()
        assert (end["stopped"], end["ended_at"]) == (False, None)


def json_lines(result: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_export_writes_what_is_selected(
    triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path
) -> None:
    triptych("mine", recipe_file())
    told = json.loads(triptych("status", "runs/small", "--json").stdout)
    result = triptych("export", "runs/small", "--format", "nhr", "--to", "out", "--json")
    assert result.returncode == 0, result.stderr
    rows = [json.loads(line) for line in (tmp_path / "out/metadata.jsonl").read_text().splitlines()]
    assert len(rows) == told["funnel"]["selected"] == json.loads(result.stdout)["triplets"]


def test_verify_names_what_is_missing_or_damaged_and_mine_makes_it_again(
    triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path
) -> None:
    triptych("mine", recipe_file())
    before = json.loads(triptych("export", "runs/small", "--to", "before", "--json").stdout)
    assert triptych("verify", "runs/small").returncode == 0
    missing, damaged = sorted((tmp_path / "runs/small/images").glob("*/*.jpg"))[:2]
    missing.unlink()
    data = bytearray(damaged.read_bytes())
    data[-20] ^= 4
    damaged.write_bytes(bytes(data))
    result = triptych("verify", "runs/small")
    assert result.returncode == 1
    assert f"image {missing.stem} is missing" in result.stdout
    assert f"image {damaged.stem} is damaged" in result.stdout
    assert triptych("mine", recipe_file()).returncode == 0
    assert triptych("verify", "runs/small").returncode == 0
    after = json.loads(triptych("export", "runs/small", "--to", "after", "--json").stdout)
    assert before["dataset_hash"] == after["dataset_hash"]


def test_doctor_asks_every_back_end_of_a_recipe(triptych: Triptych, recipe_file: Callable[..., Path]) -> None:
    result = triptych("doctor", recipe_file(), "--json")
    assert result.returncode == 0, result.stdout
    findings = {finding["name"]: finding for finding in json.loads(result.stdout)["findings"]}
    assert all(findings[role]["fine"] for role in ("writer", "painter", "editor", "soft filter", "validator"))


def test_doctor_checks_a_class_of_ones_own(triptych: Triptych) -> None:
    fine = triptych("doctor", "--contract", "tests.mining.standins:StandinEditor")
    assert "as editor: keeps the contract" in fine.stdout
    assert triptych("doctor", "--contract", "tests.mining.standins:StandinSettings").returncode == 1


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_calls_in_flight_and_the_run_goes_on(
    triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path, name: signal.Signals
) -> None:
    slow = {"backend": "tests.mining.standins:StandinEditor", "settings": {"latency": 0.3}, "workers": 2}
    process = _start(recipe_file(editor=slow), tmp_path)
    _wait_for_calls(tmp_path / "runs/small/ledger.sqlite", "editor", 2)
    process.send_signal(name)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "finishing the calls in flight" in out
    assert "stopped; the same command goes on from here" in out
    assert triptych("mine", recipe_file(editor=slow)).returncode == 0
    assert triptych("verify", "runs/small").returncode == 0


def test_calls_that_wait_for_a_place_are_not_begun_after_a_signal(
    triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path
) -> None:
    slow = {"backend": "tests.mining.standins:StandinEditor", "settings": {"latency": 0.5}, "workers": 1}
    process = _start(recipe_file(editor=slow), tmp_path)
    _wait_for_calls(tmp_path / "runs/small/ledger.sqlite", "editor", 1)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    made = json.loads(triptych("status", "runs/small", "--json").stdout)["cost"]["editor"]["calls"]
    assert made <= 4  # the one on its way, and what a slow machine began before it saw the signal


def test_ctrl_c_at_any_moment_gives_no_traceback(
    triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path
) -> None:
    slow = {"backend": "tests.mining.failing:SlowComputingEditor", "settings": {"latency": 0.2}}
    run = tmp_path / "runs/small"
    for begun, times in (
        (run, 1),
        (run / "ledger.sqlite", 1),
        (run / "lock.json", 1),
        (run / "lock.json", 3),
    ):
        process = _start(recipe_file(editor=slow), tmp_path)
        until = time.monotonic() + 60
        while not begun.exists() and time.monotonic() < until:
            time.sleep(0.01)
        for _ in range(times):
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers as well
            time.sleep(0.05)
        out, _ = process.communicate(timeout=60)
        assert "Traceback" not in out, out
        assert process.returncode in (0, 1), out
        shutil.rmtree(run)
    assert triptych("mine", recipe_file(editor=slow)).returncode == 0


def test_a_second_ctrl_c_stops_at_once(
    triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path
) -> None:
    endless = {"backend": "tests.mining.standins:StandinEditor", "settings": {"latency": 60}}
    process = _start(recipe_file(editor=endless), tmp_path)
    _wait_for_calls(tmp_path / "runs/small/ledger.sqlite", "screen", 2)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 1
    quick = {"backend": "tests.mining.standins:StandinEditor", "settings": {}}
    assert triptych("mine", recipe_file(editor=quick)).returncode == 0


def _start(recipe: Path, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "triptych.cli.main", "mine", str(recipe)]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=os.name == "posix",
    )


def _wait_for_calls(ledger: Path, role: str, count: int) -> None:
    import sqlite3

    until = time.monotonic() + 60
    while time.monotonic() < until:
        if ledger.exists():
            try:
                with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
                    query = "SELECT count(*) FROM call WHERE role = ?"
                    if connection.execute(query, (role,)).fetchone()[0] >= count:
                        return
            except sqlite3.OperationalError:  # not laid out yet
                pass
        time.sleep(0.02)
    raise AssertionError(f"never {count} calls of the {role}")


def test_a_page_that_a_kill_left_behind_its_facts_is_written_anew(
    triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path
) -> None:
    recipe = recipe_file(scenes=1)
    triptych("mine", recipe)
    page, due = tmp_path / "runs/small/report.html", tmp_path / "runs/small/.report-due"
    assert not due.exists()
    whole = page.read_text()
    page.write_text("as it was some facts ago")
    assert triptych("mine", recipe).returncode == 0  # nothing says that the page is old
    assert page.read_text() == "as it was some facts ago"
    due.touch()  # as whoever is killed leaves it
    assert "nothing is owed" in triptych("mine", recipe).stdout
    assert page.read_text() == whole
    assert not due.exists()


def test_who_only_looks_at_facts_loads_no_codec(triptych: Triptych, tmp_path: Path) -> None:
    code = (
        "import sys, triptych.cli.mine, triptych.cli.status\n"
        "heavy = {'numpy', 'cv2', 'PIL', 'simplejpeg', 'sqlalchemy.dialects.postgresql'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_counters_are_kept_until_facts_come_and_verify_counts_anew(
    triptych: Triptych, recipe_file: Callable[..., Path], tmp_path: Path
) -> None:
    recipe, run = recipe_file(scenes=2), tmp_path / "runs/small"
    triptych("mine", recipe)
    kept, counters = run / ".counters.json", lambda: json.loads(kept.read_text())["by_rule"]
    first = triptych("status", "runs/small", "--json").stdout
    assert list(counters().values()) == [json.loads(first)]  # mine left them
    other = triptych("status", "runs/small", "--json", "--set", "threshold=4.9").stdout
    assert len(counters()) == 2
    kept.write_text(kept.read_text().replace('"scenes":2', '"scenes":7'))
    assert json.loads(triptych("status", "runs/small", "--json").stdout)["funnel"]["scenes"] == 7
    told = triptych("verify", "runs/small")
    assert told.returncode == 1
    assert "wrong_counters" in told.stdout
    assert not kept.exists()
    assert triptych("verify", "runs/small").returncode == 0
    assert triptych("status", "runs/small", "--json").stdout == first  # counted from the facts again
    assert triptych("status", "runs/small", "--json", "--set", "threshold=4.9").stdout == other
    triptych("mine", recipe, "--set", "scenes=3")  # new facts
    assert json.loads(triptych("status", "runs/small", "--json").stdout)["funnel"]["scenes"] == 3
