"""`triptych validator report`: how far a calibration can be trusted, on ratings that it never saw."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import orjson

from triptych.cli.rated import calibrated_run, calibration_of, ratings_of
from triptych.cli.validator import print_json
from triptych.datasets.validator_page import markdown, pictures
from triptych.errors import UserError
from triptych.mining.lanes import reached_validator
from triptych.validator.evidence import parted
from triptych.validator.guarantee import POOLED
from triptych.validator.report import Predictions, report
from triptych.validator.signals import signal_table

TITLE = "How far the validator can be trusted"


def report_on_run(
    file: Path | None,
    path: Path | None,
    calibration: Path | None,
    to: Path | None,
    *,
    conflicts: Literal["refuse", "drop"] = "refuse",
    json: bool = False,
) -> int:
    """Write the report's page, pictures and JSON; with `json` the figures on standard output instead."""
    with calibrated_run(path, calibration, []) as run:
        fitted = calibration_of(run)
        said = ratings_of(run, file, conflicts)
        table = signal_table(fitted.columns, reached_validator(run.plan, run.slots))
        trained, tested = parted(table, said, fitted)
        bars = {} if fitted.guarantee is None else fitted.guarantee.groups
        lowest = bars[POOLED].lowest if bars else None
        figures = report(Predictions.of(tested, fitted), lowest, trained)
        figures = {"calibration": fitted.id, "card": dict(fitted.card), **figures}
        to = run.folder.path / "validator" if to is None else to
        folder = run.folder.path
    if json:
        print_json(figures)
        return 0
    write_report(to, figures, TITLE, f"triptych validator report --run {folder}")
    print(f"{to / 'report.md'}")
    return 0


def write_report(to: Path, figures: dict[str, Any], title: str, written_by: str) -> None:
    """`report.md`, `report.json` and the pictures, into a folder that holds no report of something else."""
    files = {"report.md": markdown(figures, title, written_by).encode()}
    files["report.json"] = orjson.dumps(figures, option=orjson.OPT_INDENT_2) + b"\n"
    files |= pictures(figures)
    try:
        to.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (to / name).write_bytes(data)
    except OSError as error:
        raise UserError(f"{to} can't be written ({error.strerror}): name another folder with --to") from None
