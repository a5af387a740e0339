"""What `triptych merge` is given."""

from __future__ import annotations

import argparse
from pathlib import Path

from triptych.cli.arguments.command import Commands, add_command


def add_merge(commands: Commands) -> None:
    """Declare `triptych merge`."""

    def command(parsed: argparse.Namespace) -> int:
        from triptych.cli.merge import merge

        return merge(parsed.runs, parsed.to, json=parsed.json)

    what = "Unite runs of one recipe, e.g. the parts that `mine --shard` made: facts, pictures, recipe."
    parser = add_command(commands, "merge", command, what, "triptych merge runs/big-* --to runs/big")
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run folders")
    parser.add_argument("--to", type=Path, required=True, metavar="RUN", help="run folder, new or not")
    parser.add_argument("--json", action="store_true", help="what was new, as one JSON object")
