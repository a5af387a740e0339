"""`triptych validator`: ratings in, a calibration, thresholds and a report out."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import orjson

from triptych.ledger.run import RunFolder
from triptych.validator.import_ratings import import_ratings


def import_file(path: Path, run: Path, *, drop_conflicts: bool = False, json: bool = False) -> int:
    """Record a file's ratings in a run, and say what came of it."""
    with RunFolder.existing(run).open_ledger() as ledger:
        imported = import_ratings(ledger, path, "drop" if drop_conflicts else "refuse")
    if json:
        sys.stdout.write(orjson.dumps(asdict(imported)).decode() + "\n")
        return 0
    told = f"{imported.recorded:,} ratings recorded in {run}"
    for number, what in (
        (imported.known, "were there already"),
        (imported.duplicates, "said twice, counted once"),
        (imported.dropped, "said in two ways, left out"),
    ):
        told += f", {number:,} {what}" if number else ""
    print(told)
    return 0
