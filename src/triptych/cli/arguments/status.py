"""What `triptych status` and `triptych verify` are given."""

from __future__ import annotations

import argparse
from pathlib import Path

from triptych.cli.arguments.command import Commands, add_command, add_set


def add_status(commands: Commands) -> None:
    """Declare `triptych status`."""

    def command(parsed: argparse.Namespace) -> int:
        from triptych.cli.status import status

        return status(
            parsed.run,
            parsed.overrides,
            json=parsed.json,
            truth=parsed.truth,
            rows=parsed.rows,
            requests=parsed.requests,
        )

    what = "Funnel, cost and failures of a run; with --set what another rule would give, no call made."
    parser = add_command(
        commands, "status", command, what, "triptych status runs/quickstart --set threshold=4.5"
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder")
    add_set(parser, "look at the run under another rule, e.g. threshold=4.5")
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    parser.add_argument("--truth", action="store_true", help="measure every gate (embedded studio only)")
    parser.add_argument(
        "--requests", type=Path, metavar="FILE", help="compare the instructions with requests of real users"
    )
    parser.add_argument("--rows", type=Path, metavar="FILE", help="with --truth: a JSON line for every Pair")


def add_verify(commands: Commands) -> None:
    """Declare `triptych verify`."""

    def command(parsed: argparse.Namespace) -> int:
        from triptych.cli.status import verify_run

        return verify_run(parsed.run, json=parsed.json)

    what = "Check every image against its name, every id against its parts, every reference."
    parser = add_command(commands, "verify", command, what, "triptych verify runs/quickstart")
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder")
    parser.add_argument("--json", action="store_true", help="as one JSON object")
