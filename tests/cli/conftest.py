from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
Triptych = Callable[..., subprocess.CompletedProcess[str]]


def environment() -> dict[str, str]:
    """The command's surroundings: stand-ins can be imported."""
    return os.environ | {
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)]),
        "COLUMNS": "120",
    }


@pytest.fixture
def triptych(tmp_path: Path) -> Triptych:
    """Runs the command as a user would, in an empty folder."""

    def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "triptych.cli.main", *map(str, arguments)]
        return subprocess.run(
            command,
            cwd=tmp_path,
            env=environment() | variables,
            text=True,
            capture_output=True,
            check=False,
            timeout=300,
        )

    return run


@pytest.fixture
def recipe_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a recipe on stand-ins."""

    def write(**changes: object) -> Path:
        judge = {"backend": "tests.mining.standins:StandinJudge", "settings": {"pass_rate": 0.7}}
        values: dict[str, object] = {
            "name": "small",
            "scenes": 3,
            "sources_per_scene": 2,
            "edits_per_scene": 3,
            "attempts": 2,
            "megapixels": 0.02,
            "writer": "tests.mining.standins:StandinWriter",
            "painter": "tests.mining.standins:StandinPainter",
            "editor": "tests.mining.standins:StandinEditor",
            "screen": judge,
            "soft_filter": judge,
            "validator": judge,
            "canaries": {"pairs": 0},  # these tests count calls
        }
        values.update(changes)
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump({k: v for k, v in values.items() if v is not None}))
        return path

    return write


def one_line(result: subprocess.CompletedProcess[str], code: int) -> str:
    """The only line of an error, without a traceback."""
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("triptych: ")]
    assert len(lines) == 1, result.stderr
    return lines[0]
