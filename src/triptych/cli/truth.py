"""`triptych status --truth`: the studio's own knowledge beside what its judges decided."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from triptych.backends.studio.derived_truth import truth_of_pair
from triptych.backends.studio.world import WorldStore
from triptych.cli.progress import align_numbers
from triptych.datasets.truth import KnownTruth, Measured, measure, rows, truth_report
from triptych.errors import UserError
from triptych.mining.select import RunView
from triptych.runs import Run

_FLAWS_SHOWN = 8


class _StudioWorld:
    """The world store, as the report asks."""

    def __init__(self, store: WorldStore) -> None:
        self._store = store

    def truth_of(self, source: str, instruction: str, edited: str) -> KnownTruth | None:
        return truth_of_pair(self._store, source, instruction, edited)

    def source_good(self, image: str) -> bool | None:
        truth = self._store.source_truth(image)
        return None if truth is None else truth.good


def measured_run(run: Run, view: RunView) -> Measured:
    """A run joined with what the studio knows. UserError where it knows nothing."""
    if not run.folder.world.exists():
        raise UserError(
            f"{run.folder.path} has no known truth: only runs of the embedded studio have (no world.sqlite)"
        )
    try:
        return measure(run.plan, run.slots, view, _StudioWorld(WorldStore(run.folder.world)))
    except (sqlite3.Error, orjson.JSONDecodeError) as error:
        raise UserError(
            f"{run.folder.world} can't be read ({error}): copy a run from read-only media to where it can be "
            "written; damaged truth is lost, mine the recipe into a new folder"
        ) from None


def truth_told(run: Run, measured: Measured, rows_file: Path | None) -> dict[str, Any]:
    """The truth report; with a file, a JSON line for every Pair as well."""
    if rows_file is not None:
        try:
            with rows_file.open("wb") as file:
                for row in rows(run.plan, measured):
                    file.write(orjson.dumps(row) + b"\n")
        except OSError as error:
            raise UserError(
                f"{rows_file} can't be written ({error.strerror}): name another with --rows"
            ) from None
    return truth_report(measured, run.images)


def print_truth(console: Console, truth: dict[str, Any]) -> None:
    """The report as tables."""
    table = Table("gate", "n", "passed", "precision", "95 %", "recall", box=None, header_style="dim")
    align_numbers(table)
    for gate in ("screen", "soft_filter", "low_level", "validator", "all_gates", "selected"):
        rates = truth[gate]
        interval = rates["precision_interval"]
        table.add_row(
            gate.replace("_", " "),
            f"{rates['n']:,}",
            f"{rates.get('passed', rates['n']):,}",
            _percent(rates["precision"]),
            f"{interval[0]:.0%}-{interval[1]:.0%}" if interval else "–",
            _percent(rates["recall"]),
        )
    console.print(table)
    auc = truth["three_statistics_auc"]
    apart = f"tell them apart with AUC {auc}" if auc is not None else "can't be tried on so few"
    console.print(
        f"truly good: {_percent(truth['base_rate'])} of attempts; three global statistics alone {apart}"
    )
    slipped = [
        f"{flaw} {count['accepted']}/{count['n']}"
        for flaw, count in truth["by_flaw"].items()
        if count["accepted"]
    ]
    console.print("slips through all gates: " + (" · ".join(slipped[:_FLAWS_SHOWN]) or "nothing"))


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
