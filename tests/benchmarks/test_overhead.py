"""What the miner itself costs: the benchmark tells what programs read. How much it is, no test says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import environment

KEYS = {
    "busy",
    "wall_over_ideal",
    "cpu_ms_per_attempt",
    "pixels_over_codec_floor",
    "growth_1m_over_1k",
    "resume_s",
    "status_s",
    "peak_mb",
    "help_s",
}


@pytest.mark.slow
def test_overhead_tells_every_figure() -> None:
    script = Path(__file__).resolve().parents[2] / "benchmarks/overhead.py"
    command = [sys.executable, str(script), "--json", "--attempts", "100", "--ledger", "200", "--pairs", "10"]
    done = subprocess.run(command, env=environment(), check=True, capture_output=True, text=True)
    told = json.loads(done.stdout)
    assert set(told) == KEYS
    assert all(value > 0 for value in told.values())
