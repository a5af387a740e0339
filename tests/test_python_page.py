"""The page on Python, as a reader tries it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import environment
from triptych import runs

REPOSITORY = Path(__file__).resolve().parents[1]
SMALL = (
    'load_recipe(Path("quickstart"), ["scenes=1", "megapixels=0.03", "sources_per_scene=1", "attempts=1"])'
)


def run_script(text: str, folder: Path) -> str:
    small = re.sub(r"load_recipe\(Path\(.*?\)(, \[.*?\])?\)", SMALL, text)
    assert small != text
    script = folder / "script.py"
    script.write_text(small)
    command = [sys.executable, str(script)]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_of_the_page_runs_as_a_script(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs/python.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert "'attempts': " in run_script(example, tmp_path)


def test_the_example_in_the_module_runs_as_a_script(tmp_path: Path) -> None:
    assert runs.__doc__
    _, example = runs.__doc__.split("\n\n", 1)
    run_script(example, tmp_path)
    assert (tmp_path / "runs/mine/ledger.sqlite").exists()
