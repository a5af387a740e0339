"""kill -9 at random moments, then the same command again: the same data set, no finished call repeated."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

from tests.cli.conftest import environment
from triptych.ledger.run import RunFolder
from triptych.records import Call

REPOSITORY = Path(__file__).resolve().parents[1]
KILLS = int(os.environ.get("TRIPTYCH_KILLS", "20"))
SMALL = [
    "scenes=4",
    "sources_per_scene=2",
    "edits_per_scene=5",
    "attempts=4",
    "megapixels=0.03",
    "canaries.pairs=0",
]


def _command(out: Path) -> list[str]:
    recipe = str(REPOSITORY / "recipes/quickstart.yaml")
    sets = [word for key in SMALL for word in ("--set", key)]
    return [sys.executable, "-m", "triptych.cli.main", "mine", recipe, "--out", str(out), *sets]


def _data_set(out: Path) -> str:
    command = [
        sys.executable,
        "-m",
        "triptych.cli.main",
        "export",
        str(out),
        "--to",
        f"{out}-export",
        "--json",
    ]
    told = subprocess.run(command, check=True, capture_output=True, text=True, env=environment()).stdout
    return str(json.loads(told)["dataset_hash"])


def _calls(out: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{out / 'ledger.sqlite'}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM call").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def _mine_until_killed(out: Path, more_calls: int, jitter: float) -> bool:
    """Mine, and kill after so many more calls; whether it was still running then."""
    begun = _calls(out)
    process = subprocess.Popen(
        _command(out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=environment(),
    )
    until = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < until and _calls(out) < begun + more_calls:
        time.sleep(0.005)
    time.sleep(jitter)
    running = process.poll() is None
    if running:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return running


def test_killed_at_random_moments_and_resumed(tmp_path: Path) -> None:
    subprocess.run(_command(tmp_path / "calm"), check=True, capture_output=True, env=environment())
    total = _calls(tmp_path / "calm")
    chance = random.Random(20)
    killed = 0
    for _ in range(KILLS):
        # Kills spread over the run; some come before the first call, some between two writes.
        killed += _mine_until_killed(
            tmp_path / "killed", chance.randint(0, max(1, 2 * total // KILLS)), chance.uniform(0, 0.05)
        )
    assert killed >= KILLS // 2
    subprocess.run(_command(tmp_path / "killed"), check=True, capture_output=True, env=environment())

    assert _data_set(tmp_path / "killed") == _data_set(tmp_path / "calm")
    with RunFolder(tmp_path / "killed").open_ledger(read_only=True) as ledger:
        made = Counter(call.job_id for call in ledger.facts(Call) if call.outcome == "made")
    assert set(made.values()) == {1}
    assert sum(made.values()) == total
    verify = [sys.executable, "-m", "triptych.cli.main", "verify", str(tmp_path / "killed")]
    assert subprocess.run(verify, check=False, env=environment()).returncode == 0
