"""A run with its ratings and calibration, as the validator's commands want it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import orjson

from triptych.errors import UserError, WorkFailed
from triptych.ledger.queries import known_pairs, ratings
from triptych.ledger.run import RunFolder
from triptych.records import Rating
from triptych.runs import Run, open_run
from triptych.validator.calibrate import Calibration
from triptych.validator.ratings import read_ratings

HEALTH = "health"  # folder in the run folder: a ledger of what sanity pairs were asked, and the figures
CALIBRATION = "calibration.json"  # in the run folder, where no other place is named


def ratings_of(run: Run, file: Path | None, conflicts: Literal["refuse", "drop"]) -> list[Rating]:
    """Ratings from a file, of pairs that the run knows; without a file those recorded in the run."""
    if file is None:
        recorded = ratings(run.ledger)
        if not recorded:
            raise UserError(
                f"{run.folder.path} has no ratings: give a file of them, or record one by `triptych validator"
                " import-ratings`"
            )
        return recorded
    given = read_ratings(file).settled(conflicts)
    items = sorted({rating.pair_id for rating in given})
    unknown = sorted(set(items) - known_pairs(run.ledger, items))
    if unknown:
        raise UserError(
            f"{file}: {len(unknown)} rated items are no pairs of {run.folder.path}, e.g. {unknown[0]!r};"
            " give the run that they were rated in"
        )
    return list(given)


def latest_run() -> Path:
    """The run under runs/ that a calibration was fitted for last."""
    fitted = sorted(Path("runs").glob(f"*/{CALIBRATION}"), key=lambda path: path.stat().st_mtime)
    if not fitted:
        raise UserError(
            f"which run? Name it with --run; no run under runs/ has a {CALIBRATION} (`triptych validator fit`"
            " writes it)"
        )
    return fitted[-1].parent


@contextmanager
def calibrated_run(path: Path | None, file: Path | None, overrides: Sequence[str]) -> Iterator[Run]:
    """The run, every pair scored by the calibration; without a file the one in the run folder."""
    path = latest_run() if path is None else path
    file = RunFolder.existing(path).path / CALIBRATION if file is None else file
    if not file.is_file():
        raise UserError(f"no calibration at {file}: `triptych validator fit RATINGS --run {path}` writes one")
    # accept=0: whatever reached the validator is a candidate
    with open_run(path, [f"calibration={file.resolve()}", "accept=0", *overrides]) as run:
        yield run


def calibration_of(run: Run) -> Calibration:
    """The calibration that scores the run."""
    assert run.plan.scorer is not None  # noqa: S101  (opened with one)
    return run.plan.scorer.calibration


def refuse_unsound(path: Path) -> None:
    """WorkFailed where `health` found that the run's validator doesn't look at what it is shown."""
    try:
        why = orjson.loads((path / HEALTH / "health.json").read_bytes())["refused"]
    except (OSError, orjson.JSONDecodeError, KeyError):  # never looked at
        return
    if why is not None:
        raise WorkFailed(f"{why}; use another judge, or accept it with --force")
