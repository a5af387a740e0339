"""`triptych validator`: ratings in, a calibration and thresholds out."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import orjson
from rich.table import Table

from triptych.cli.progress import terminal
from triptych.cli.rated import CALIBRATION, calibrated_run, calibration_of, ratings_of, refuse_unsound
from triptych.errors import UserError
from triptych.ledger.run import RunFolder
from triptych.mining.lanes import lanes, reached_validator
from triptych.records import Json
from triptych.runs import open_run
from triptych.validator.calibrate import save_calibration
from triptych.validator.evidence import accepted_by_people, fit_pairs, fitted_on
from triptych.validator.guarantee import Guarantee
from triptych.validator.import_ratings import import_ratings
from triptych.validator.signals import columns
from triptych.validator.thresholds import Goal, Rated, Share, Thresholds, find_thresholds
from triptych.wiring import signal_specs

Conflicts = Literal["refuse", "drop"]


def import_file(path: Path, run: Path, *, conflicts: Conflicts, json: bool = False) -> int:
    """Record a file's ratings in a run, and say what came of it."""
    with RunFolder.existing(run).open_ledger() as ledger:
        imported = import_ratings(ledger, path, conflicts)
    if json:
        print_json(asdict(imported))
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


def fit(
    file: Path | None,
    path: Path,
    to: Path | None,
    *,
    hold_out: float,
    without: Sequence[str] = (),
    force: bool = False,
    conflicts: Conflicts = "refuse",
    json: bool = False,
) -> int:
    """Fit a calibration on a run's ratings and write it with its card."""
    to = path / CALIBRATION if to is None else to
    refuse_existing(to)
    if not force:
        refuse_unsound(path)
    with open_run(path) as run:
        said = ratings_of(run, file, conflicts)
        pairs = list(reached_validator(run.plan, run.slots))
        wanted = columns(signal_specs(run.plan.specs))
        data: dict[str, Json] = {"run": run.plan.recipe.name, "ratings": len(said)}
        fitted = fit_pairs(wanted, pairs, said, data=data, hold_out=hold_out, without=without)
    save_calibration(to, fitted.calibration)
    told = {
        "calibration": str(to),
        "fitted_on": fitted.used,
        "held_out": fitted.held_out,
        "not_judged": fitted.unjudged,
        "left_out": list(fitted.left_out),
        "card": dict(fitted.calibration.card),
    }
    if json:
        print_json(told)
        return 0
    print(
        f"{to}: fitted on {fitted.used:,} rated pairs; {fitted.held_out:,} held out for thresholds and report"
    )
    for axis, metrics in _metrics(told["card"]):
        low, high = metrics["spearman_95"]
        print(
            f"  {axis}: MAE {metrics['mae']} (the mean alone {metrics['mae_of_mean']}), Spearman"
            f" {metrics['spearman']} [{low}, {high}], cross-validated by source, n {metrics['n']:,}"
        )
    if fitted.unjudged:
        print(f"  {fitted.unjudged:,} rated pairs never reached the validator and are left out")
    if fitted.left_out:
        print(f"  never varied, left out: {', '.join(fitted.left_out)}")
    print(f"next: triptych validator threshold --precision 0.9 --confidence 0.95 --run {path}")
    return 0


def _metrics(card: Any) -> list[tuple[str, Mapping[str, Any]]]:
    return [(axis, metrics) for axis, metrics in card["metrics"].items() if "mae" in metrics]


def threshold(
    file: Path | None,
    path: Path | None,
    calibration: Path | None,
    to: Path | None,
    *,
    precision: float,
    confidence: float,
    policy: str | None,
    conflicts: Conflicts = "refuse",
    json: bool = False,
) -> int:
    """Find thresholds that keep a precision, and write the calibration with them."""
    if not (0 < precision < 1 and 0.5 <= confidence < 1):
        raise UserError(
            "give --precision between 0 and 1 and --confidence from 0.5 to below 1, e.g. 0.9 and 0.95"
        )
    with calibrated_run(path, calibration, [f"policy={policy}"] if policy else []) as run:
        to = run.folder.path / f"calibration-p{precision:g}.json" if to is None else to
        refuse_existing(to)
        fitted, recipe = calibration_of(run), run.plan.recipe
        said = ratings_of(run, file, conflicts)
        dropped = frozenset(triplet.id for triplet in run.view().dropped)
        found_lanes = list(lanes(run.plan, run.slots, dropped))
        held_out = {lane.source for lane in found_lanes if not fitted_on(lane.source, fitted)}
        accepted = accepted_by_people(said)
        testing = [lane for lane in found_lanes if lane.source in held_out]
        found = find_thresholds(Rated.of(testing, accepted, recipe.policy), Goal(precision, confidence))
        editors = (run.plan.spec_id("editor"),)
    promised = Guarantee(precision, confidence, recipe.policy, recipe.attempts, editors, found.bars)
    save_calibration(to, replace(fitted, guarantee=promised))
    told = _threshold_told(found, promised, to)
    if json:
        print_json(told)
    else:
        _print_thresholds(found, promised, to)
    return 0


def _threshold_told(found: Thresholds, promised: Guarantee, to: Path) -> dict[str, Any]:
    return {
        "calibration": str(to),
        "precision": promised.precision,
        "confidence": promised.confidence,
        "confidence_each_group": round(found.confidence_each, 4),
        "policy": promised.policy,
        "attempts": promised.attempts,
        "editors": list(promised.editors),
        "groups": {name: asdict(bar) for name, bar in found.bars.items()},
        "advice": dict(found.advice),
        "by_kind": {kind: asdict(share) for kind, share in found.by_kind.items()},
        "by_attempt": {str(number + 1): asdict(share) for number, share in found.by_number.items()},
        "selected": found.selected,
        "lanes": found.lanes,
    }


def _print_thresholds(found: Thresholds, promised: Guarantee, to: Path) -> None:
    console = terminal()
    table = Table("group", "P(accept) ≥", "good / rated", "precision surely ≥", box=None, header_style="dim")
    for name, bar in found.bars.items():
        lowest = "nothing accepted" if bar.lowest is None else f"{bar.lowest:.4f}"
        bound = "–" if bar.bound is None else f"{bar.bound:.3f}"
        table.add_row(name, lowest, f"{bar.good:,} / {bar.n:,}", bound)
    console.print(table)
    for name, told in found.advice.items():
        console.print(f"{name}: {told}")
    for what, shares in (("kind", found.by_kind), ("attempt", found.by_number)):
        told = " · ".join(
            _share(str(name + 1 if isinstance(name, int) else name), s) for name, s in shares.items()
        )
        console.print(f"precision of what is selected, by {what}: {told}")
    console.print(
        f"{to}: precision ≥ {promised.precision:g} at {promised.confidence:.0%} confidence, of what"
        f" {promised.policy} selects from {promised.attempts} attempts of this editor; another editor or"
        " policy is uncalibrated"
    )
    console.print(f"use it: --set calibration={to}")


def _share(name: str, share: Share) -> str:
    return f"{name} {share.good}/{share.n} [{share.low:.2f}, {share.high:.2f}]"


def refuse_existing(path: Path) -> None:
    """UserError where a file is there already: nothing is ever overwritten."""
    if path.exists():
        raise UserError(f"{path} exists; give another name with --to, or remove it")


def print_json(told: Mapping[str, Any]) -> None:
    """One JSON object on standard output."""
    sys.stdout.write(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode() + "\n")
