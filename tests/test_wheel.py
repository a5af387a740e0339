"""The built wheel, installed in an empty environment, mines the quickstart."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def test_the_wheel_alone_mines_the_quickstart(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path)]
    subprocess.run([*build, str(REPOSITORY)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "empty", with_pip=True)
    python = tmp_path / "empty/bin/python"
    lock = REPOSITORY / "requirements/core.txt"
    install = [python, "-m", "pip", "install", "--quiet", "--constraint", lock, wheel]
    subprocess.run(install, check=True, capture_output=True)
    sets = ["--set", "scenes=2", "--set", "megapixels=0.05"]
    command = [tmp_path / "empty/bin/triptych", "mine", "quickstart", *sets]
    mined = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "gallery: " in mined.stdout
    status = [tmp_path / "empty/bin/triptych", "status", "runs/quickstart", "--json"]
    told = json.loads(subprocess.run(status, cwd=tmp_path, check=True, capture_output=True).stdout)
    assert told["funnel"]["attempts"] > 0
    installed = subprocess.run(
        [python, "-m", "pip", "list", "--format", "freeze"], check=True, capture_output=True, text=True
    ).stdout
    assert not {"torch", "ray", "scipy", "scikit-learn", "starlette"} & {
        line.split("==")[0].lower() for line in installed.splitlines()
    }
