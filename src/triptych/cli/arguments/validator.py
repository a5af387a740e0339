"""What `triptych validator` is given."""

from __future__ import annotations

import argparse
from pathlib import Path

from triptych.cli.arguments.command import Commands, add_command, add_group

_FORMAT = "CSV or JSONL: item, rater, axis, score …"


def add_validator(commands: Commands) -> None:
    """Declare `triptych validator` and what it does."""
    what = "From people's ratings to a calibrated judge, and thresholds that can be trusted."
    example = "triptych validator fit ratings.csv --run runs/mine"
    group = add_group(commands, "validator", "ACTION", what, example)
    _add_import(group)
    _add_fit(group)
    _add_threshold(group)
    _add_report(group)
    _add_health(group)
    _add_simulated(group)


def _add_import(group: Commands) -> None:
    def command(parsed: argparse.Namespace) -> int:
        from triptych.cli.validator import import_file

        return import_file(parsed.ratings, parsed.run, conflicts=parsed.conflicts, json=parsed.json)

    what = "Record people's ratings of a run's pairs."
    example = "triptych validator import-ratings ratings.csv --run runs/mine"
    parser = add_command(group, "import-ratings", command, what, example)
    parser.add_argument("ratings", type=Path, metavar="RATINGS", help=_FORMAT)
    parser.add_argument(
        "--run", type=Path, required=True, metavar="RUN", help="run folder of the rated pairs"
    )
    _add_common(parser)


def _add_fit(group: Commands) -> None:
    def command(parsed: argparse.Namespace) -> int:
        from triptych.cli.validator import fit

        return fit(
            parsed.ratings,
            parsed.run,
            parsed.to,
            hold_out=parsed.hold_out,
            without=parsed.without,
            force=parsed.force,
            conflicts=parsed.conflicts,
            json=parsed.json,
        )

    what = "Calibrate the run's judges on people's ratings: one small file with a card."
    example = "triptych validator fit ratings.csv --run runs/mine --to judge.json"
    parser = add_command(group, "fit", command, what, example)
    add = parser.add_argument
    add("ratings", type=Path, nargs="?", metavar="RATINGS", help=f"{_FORMAT} (default: the run's own)")
    add("--run", type=Path, required=True, metavar="RUN", help="run folder of the rated pairs")
    add("--to", type=Path, metavar="FILE", help="a new file (default: RUN/calibration.json)")
    share = "share of the sources whose ratings are left for threshold and report (default: 0.5)"
    add("--hold-out", type=_share, default=0.5, metavar="SHARE", help=share)
    add("--force", action="store_true", help="though `health` refused the judge")
    add("--without", action="append", default=[], metavar="SIGNAL", help="leave a signal out, by its name")
    _add_common(parser)


def _add_threshold(group: Commands) -> None:
    def command(parsed: argparse.Namespace) -> int:
        from triptych.cli.validator import threshold

        return threshold(
            parsed.ratings,
            parsed.run,
            parsed.calibration,
            parsed.to,
            precision=parsed.precision,
            confidence=parsed.confidence,
            policy=parsed.policy,
            conflicts=parsed.conflicts,
            json=parsed.json,
        )

    what = "Thresholds that keep a precision with confidence, of what leaves the run."
    example = "triptych validator threshold --precision 0.9 --confidence 0.95 --run runs/mine"
    parser = add_command(group, "threshold", command, what, example)
    add = parser.add_argument
    add("--precision", type=float, required=True, metavar="P", help="what is to be kept, e.g. 0.9")
    add("--confidence", type=float, default=0.95, metavar="C", help="how surely (default: 0.95)")
    add("--policy", choices=("best_of", "until_accepted", "uniform"), help="default: the run's own")
    add("--to", type=Path, metavar="FILE", help="a new file (default: RUN/calibration-pP.json)")
    _add_calibrated(parser)


def _add_report(group: Commands) -> None:
    def command(parsed: argparse.Namespace) -> int:
        from triptych.cli.validator_report import report_on_run

        return report_on_run(
            parsed.ratings,
            parsed.run,
            parsed.calibration,
            parsed.to,
            conflicts=parsed.conflicts,
            json=parsed.json,
        )

    what = "How far a calibration can be trusted, on held-out ratings: Markdown, JSON, pictures."
    parser = add_command(group, "report", command, what, "triptych validator report --run runs/mine")
    parser.add_argument("--to", type=Path, metavar="DIR", help="a folder (default: RUN/validator)")
    _add_calibrated(parser)


def _add_health(group: Commands) -> None:
    def command(parsed: argparse.Namespace) -> int:
        from triptych.cli.health import health

        return health(parsed.run, pairs=parsed.pairs, force=parsed.force, json=parsed.json)

    what = "Whether a run's judges answer, agree with themselves, and look at what they are shown."
    parser = add_command(group, "health", command, what, "triptych validator health --run runs/mine")
    add = parser.add_argument
    add("--run", type=Path, required=True, metavar="RUN", help="run folder with judged pairs")
    add("--pairs", type=int, default=10, metavar="N", help="sanity pairs of each kind (default: 10)")
    add("--force", action="store_true", help="accept a judge that scores sanity pairs high")
    add("--json", action="store_true", help="as one JSON object")


def _add_simulated(group: Commands) -> None:
    def command(parsed: argparse.Namespace) -> int:
        from triptych.cli.simulated import simulate_raters

        return simulate_raters(parsed.run, parsed.to, parsed.raters, parsed.per_pair, parsed.seed)

    what = "Ratings by simulated people: the studio's truth with each one's bias and noise."
    example = "triptych validator simulate-raters --run runs/quickstart --to ratings.csv"
    parser = add_command(group, "simulate-raters", command, what, example)
    add = parser.add_argument
    add("--run", type=Path, required=True, metavar="RUN", help="run folder of the embedded studio")
    add("--to", type=Path, required=True, metavar="FILE", help="a new file, .csv or .jsonl")
    add("--raters", type=int, default=6, metavar="N", help="people (default: 6)")
    add("--per-pair", type=int, default=3, metavar="N", help="of them, who rate each pair (default: 3)")
    add("--seed", type=int, default=0, metavar="N", help="other people (default: 0)")


def _add_calibrated(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("ratings", type=Path, nargs="?", metavar="RATINGS", help=f"{_FORMAT} (default: the run's own)")
    add("--run", type=Path, metavar="RUN", help="run folder (default: that in runs/ last calibrated)")
    add("--calibration", type=Path, metavar="FILE", help="default: RUN/calibration.json")
    _add_common(parser)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--drop-conflicts",
        dest="conflicts",
        action="store_const",
        const="drop",
        default="refuse",
        help="leave out what a file says in two ways",
    )
    parser.add_argument("--json", action="store_true", help="as one JSON object")


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share < 1:
        raise argparse.ArgumentTypeError("from 0 to below 1")
    return share
