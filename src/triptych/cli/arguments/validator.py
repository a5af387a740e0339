"""What `triptych validator` is given."""

from __future__ import annotations

import argparse
from pathlib import Path

from triptych.cli.arguments.command import Commands, add_command, add_group


def add_validator(commands: Commands) -> None:
    """Declare `triptych validator` and what it does."""
    what = "From people's ratings to a calibrated judge, and thresholds that can be trusted."
    example = "triptych validator import-ratings ratings.csv --run runs/mine"
    group = add_group(commands, "validator", "ACTION", what, example)
    _add_import(group, example)


def _add_import(group: Commands, example: str) -> None:
    def command(parsed: argparse.Namespace) -> int:
        from triptych.cli.validator import import_file

        return import_file(parsed.ratings, parsed.run, drop_conflicts=parsed.drop_conflicts, json=parsed.json)

    what = "Record people's ratings of a run's pairs."
    parser = add_command(group, "import-ratings", command, what, example)
    parser.add_argument(
        "ratings", type=Path, metavar="RATINGS", help="CSV or JSONL: item, rater, axis, score …"
    )
    parser.add_argument(
        "--run", type=Path, required=True, metavar="RUN", help="run folder of the rated pairs"
    )
    _add_conflicts(parser)
    parser.add_argument("--json", action="store_true", help="as one JSON object")


def _add_conflicts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--drop-conflicts", action="store_true", help="leave out what the file says in two ways"
    )
