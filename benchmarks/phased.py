"""What turns on a small card cost: a simulation with roles that take time to load and to work.

    python benchmarks/phased.py [--json] [--speed 200] [--scenes 60]

The roles are those of recipes/small-gpu.yaml: one pipeline paints and edits, one language model writes and
judges, and they take turns. Seconds are assumptions about a 24 GB card, not measurements of one: they are
given on the command line, and divided by `--speed` while the simulation runs.

`loading_share`  seconds of loading over seconds of loading and of the models' calls: the share of wall time
                 where the machine's own work takes none, so the most that it can be
`loads`          how often weights were loaded
`same`           whether the triplets are those of the same recipe with everything in memory
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.standins import FixedEditor, FixedJudge, FixedPainter, FixedSettings, FixedWriter
from triptych.ledger.run import RunFolder
from triptych.recipe import Recipe
from triptych.records import Call
from triptych.roles import Placement
from triptych.runs import mine, open_run


class LoadedSettings(FixedSettings):
    """A role on a card."""

    not_in_spec: ClassVar[frozenset[str]] = frozenset({"load_seconds", "copy_of", "log", "latency"})

    load_seconds: float = 0.0
    copy_of: str = ""  # what it has in memory
    log: str = ""


_loaded: set[str] = set()


class _OnCard:
    """One request at a time, once the weights are there."""

    Settings = LoadedSettings
    placement: ClassVar[Placement] = "gpu"
    _settings: Any

    def __init__(self, config: Any) -> None:
        self._config = config
        self._settings = LoadedSettings.model_validate(dict(config.settings))

    @property
    def weights(self) -> str:
        return str(self._settings.copy_of)

    async def load(self) -> None:
        if self.weights in _loaded:
            return
        await asyncio.sleep(self._settings.load_seconds)
        _loaded.add(self.weights)
        self._tell()

    def _tell(self) -> None:
        with Path(self._settings.log).open("a", encoding="utf-8") as log:
            log.write(f"{self._settings.load_seconds}\n")

    def release(self) -> None:
        _loaded.discard(self.weights)


class CardWriter(_OnCard, FixedWriter):
    """Writes."""


class CardPainter(_OnCard, FixedPainter):
    """Paints."""


class CardEditor(_OnCard, FixedEditor):
    """Edits."""


class CardJudge(_OnCard, FixedJudge):
    """Judges."""


def recipe(arguments: argparse.Namespace, log: Path, residency: str) -> Recipe:
    """The shape of recipes/small-gpu.yaml, with these roles."""

    def role(name: str, copy: str, seconds: float, load: float, pass_rate: float = 1.0) -> dict[str, Any]:
        settings = {"latency": seconds / arguments.speed, "load_seconds": load / arguments.speed}
        settings |= {"copy_of": copy, "log": str(log), "pass_rate": pass_rate}
        return {"backend": f"benchmarks.phased:{name}", "settings": settings}

    def judge(seconds: float, pass_rate: float) -> dict[str, Any]:
        return role("CardJudge", "language", seconds, arguments.load_language, pass_rate)

    values: dict[str, Any] = {
        "name": "phased",
        "scenes": arguments.scenes,
        "sources_per_scene": 2,
        "edits_per_scene": 5,
        "attempts": 4,
        "megapixels": 0.02,
        "policy": "until_accepted",
        "residency": residency,
        "writer": role("CardWriter", "language", arguments.write, arguments.load_language),
        "painter": role("CardPainter", "pipeline", arguments.paint, arguments.load_pipeline),
        "screen": judge(arguments.judge, 0.44),  # shares that pass: the paper's stage volumes
        "editor": role("CardEditor", "pipeline", arguments.edit, arguments.load_pipeline),
        "soft_filter": judge(arguments.judge, 0.43),
        "validator": judge(2 * arguments.judge, 0.37),
    }
    return Recipe.model_validate(values)


def _selected(path: Path) -> list[tuple[str, str]]:
    with open_run(path) as run:
        return [(triplet.id, triplet.attempt.image) for triplet in run.view().triplets]


def simulate(arguments: argparse.Namespace) -> dict[str, Any]:
    """Mine both ways; what turns cost, and whether they changed anything."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "log"
        began = time.monotonic()
        mine(recipe(arguments, log, "phased"), folder / "phased")
        wall = time.monotonic() - began
        loads = [float(line) for line in log.read_text(encoding="utf-8").splitlines()]
        with RunFolder.existing(folder / "phased").open_ledger(read_only=True) as ledger:
            work = sum(call.seconds for call in ledger.facts(Call))
        mine(recipe(arguments, folder / "other", "concurrent"), folder / "concurrent")
        selected = _selected(folder / "phased")
        return {
            "loading_share": round(sum(loads) / (sum(loads) + work), 4),
            "loads": len(loads),
            "loading_s": round(sum(loads) * arguments.speed),
            "models_s": round(work * arguments.speed),
            "wall_over_both": round(wall / (sum(loads) + work), 2),
            "triplets": len(selected),
            "same": selected == _selected(folder / "concurrent"),
        }


def main(words: Sequence[str] | None = None) -> None:
    """Print what the simulation gives."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--speed", type=float, default=200)
    parser.add_argument("--scenes", type=int, default=60)
    for name, seconds in {
        "load_pipeline": 40.0,
        "load_language": 25.0,
        "write": 20.0,
        "paint": 3.0,
        "edit": 5.0,
        "judge": 1.5,
    }.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=seconds)
    arguments = parser.parse_args(words)
    figures = simulate(arguments)
    if arguments.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:18} {value}")


if __name__ == "__main__":
    main()
