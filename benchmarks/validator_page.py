"""Writes docs/validator.md and docs/validator/ from a pool that benchmarks/validator.py mines.

python benchmarks/validator_page.py [--pool RUN] [--to docs]

Every figure comes out of this run: the benchmark's own, and the report that `triptych validator report` would
write of the same pool.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.validator import PARTS, known_attempts, measure, mined, pool_folder, rate
from triptych.cli.validator_report import write_report
from triptych.mining.lanes import reached_validator
from triptych.runs import open_run
from triptych.validator.calibrate import Calibration
from triptych.validator.evidence import accepted_by_people, fit_pairs
from triptych.validator.fitting import join_ratings
from triptych.validator.report import Predictions, report
from triptych.validator.signals import columns, signal_table
from triptych.wiring import signal_specs

WRITTEN_BY = "make validator"
AIMS = {"adherence_rho": "≥ 0.90", "precision": "≥ 0.95", "recall": "≥ 0.60", "auc": "≥ 0.85 unseen"}
PAPER = {
    "adherence_rho": ".815",
    "adherence_mae": ".503",
    "aesthetics_rho": ".631",
    "aesthetics_mae": ".568",
    "precision": ".834",
    "recall": ".446",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pool", type=Path, help="keep the pool in this run folder, or take one from there")
    parser.add_argument("--to", type=Path, default=Path("docs"))
    parsed = parser.parse_args()
    with pool_folder(parsed.pool) as folder:
        mined(folder)
        figures = measure(folder)
        told, counts = pool_report(folder)
    (parsed.to / "validator.md").write_text("\n".join(page(figures, counts)) + "\n", encoding="utf-8")
    write_report(parsed.to / "validator", told, "The studio's judge, calibrated", WRITTEN_BY)


def pool_report(folder: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """The report of a calibration fitted on the part for fitting, measured on the others."""
    with open_run(folder) as run:
        attempts = known_attempts(run)
        pairs = [pair for pair in reached_validator(run.plan, run.slots) if pair.id in attempts]
        wanted = columns(signal_specs(run.plan.specs))
    ratings = rate(attempts)
    fitting = {id_ for id_, one in attempts.items() if one.seen and one.part == "fit"}
    fitted: Calibration = fit_pairs(
        wanted,
        [pair for pair in pairs if pair.id in fitting],
        [rating for rating in ratings if rating.pair_id in fitting],
        data={},
        hold_out=0.0,
    ).calibration
    accepted = accepted_by_people(ratings)
    table = signal_table(fitted.columns, pairs)
    items = join_ratings(table, ratings, accepted=accepted, judged_only=True)
    used = [id_ in fitting for id_ in items.table.items]
    apart = [attempts[id_].part != "fit" for id_ in items.table.items]
    told = report(Predictions.of(items.rows(np.array(apart)), fitted), None, items.rows(np.array(used)))
    counts = {part: sum(one.part == part for one in attempts.values()) for part in PARTS}
    counts["sources"] = len({one.source for one in attempts.values()})
    return told, counts


def page(figures: Mapping[str, Any], counts: Mapping[str, int]) -> Iterator[str]:
    yield "# How far the embedded judge can be trusted\n"
    yield f"Written by `{WRITTEN_BY}` (`benchmarks/validator.py` says how it is measured); don't edit.\n"
    parts = ", ".join(f"{counts[part]:,} to {part}" for part in PARTS)
    yield (
        f"A pool of {sum(counts[part] for part in PARTS):,} attempts from {counts['sources']:,} sources that"
        f" no recipe and no training uses ({parts}), rated by simulated people, calibrated and thresholded by"
        " the commands of any other judge. Figures are against the studio's truth, on attempts that weren't"
        " fitted on.\n"
    )
    yield "| | seen | unseen | aimed at | the paper's validator, on its own data |"
    yield "|---|---|---|---|---|"
    for name, value in figures["seen"].items():
        other = figures["unseen"][name]
        yield f"| {name} | {value} | {other} | {AIMS.get(name, '')} | {PAPER.get(name, '')} |"
    yield ""
    yield "`unseen`: with a flaw or a setting that neither the judge nor the calibration has met.\n"
    yield "## What slips through\n"
    yield "| worst flaw | n | missed | AUC against good attempts | unseen |"
    yield "|---|---|---|---|---|"
    for kind, told in figures["by_flaw"].items():
        unseen = "yes" if told["unseen"] else ""
        yield f"| {kind} | {told['n']:,} | {told['missed']:.3f} | {told['auc']:.3f} | {unseen} |"
    found = figures["guarantee"]
    yield ""
    yield "## Is the promise kept?\n"
    violated, allowed = f"{found['violated_share']:.1%}", f"{1 - found['confidence']:.0%}"
    yield (
        f"Thresholds that promise precision ≥ {found['target']:g} at {found['confidence']:.0%} confidence,"
        f" found on {found['resamples']:,} draws of rated sources: on a pool apart, what is selected falls"
        f" below in {violated} of them (at most {allowed} is promised). On average the selected are"
        f" {found['yield_over_oracle']} of what the loosest threshold that keeps it there would select.\n"
    )
    yield "The report of the same pool is in [validator/report.md](validator/report.md)."


if __name__ == "__main__":
    main()
