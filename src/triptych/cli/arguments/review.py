"""What `triptych review` is given."""

from __future__ import annotations

import argparse
from pathlib import Path

from triptych.cli.arguments.command import Commands, add_command, add_set


def add_review(commands: Commands) -> None:
    """Declare `triptych review`."""

    def command(parsed: argparse.Namespace) -> int:
        if parsed.bundle is not None:
            from triptych.cli.review import bundle

            return bundle(parsed.runs, parsed.overrides, parsed.bundle)
        from triptych.cli.review import review

        return review(parsed.runs, parsed.overrides, host=parsed.host, port=parsed.port, audit=parsed.audit)

    what = "Look at runs, compare and rate them in a browser; needs triptych[review]."
    parser = add_command(commands, "review", command, what, "triptych review runs/quickstart")
    add = parser.add_argument
    add("runs", type=Path, nargs="+", metavar="RUN", help="run folders")
    add_set(parser, "look at the runs under another rule, e.g. threshold=4.5")
    add(
        "--host",
        default="127.0.0.1",
        help="address to bind (default: 127.0.0.1; elsewhere a token is asked for)",
    )
    add("--port", type=int, default=8750, help="0: any that is free (default: 8750)")
    add("--bundle", type=Path, metavar="DIR", help="write the page as files for a static host, and end")
    add("--audit", type=_count, metavar="N", help="spot check N triplets, drawn at random, before a release")


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
