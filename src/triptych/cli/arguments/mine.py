"""What `triptych mine` is given."""

from __future__ import annotations

import argparse
from pathlib import Path

from triptych.cli.arguments.command import Commands, add_command, add_set


def _shard(text: str) -> tuple[int, int]:
    index, _, of = text.partition("/")
    if not (index.isdecimal() and of.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r}: write it as I/N, e.g. 3/8")
    return int(index), int(of)


def add_mine(commands: Commands) -> None:
    """Declare `triptych mine`."""

    def command(parsed: argparse.Namespace) -> int:
        from triptych.cli.mine import mine

        return mine(
            parsed.recipe,
            parsed.out,
            parsed.overrides,
            shard=parsed.shard,
            json=parsed.json,
            dry_run=parsed.dry_run,
        )

    what = "Mine a recipe, or go on with a run; says first what is owed."
    parser = add_command(
        commands, "mine", command, what, "triptych mine recipes/quickstart.yaml --set threshold=4.5"
    )
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="YAML file of the run")
    parser.add_argument(
        "--out", type=Path, metavar="RUN", help="run folder (default: runs/<name of the recipe>)"
    )
    add_set(parser, "change a key of the recipe, e.g. scenes=100 or budget.calls.editor=500")
    parser.add_argument(
        "--shard",
        type=_shard,
        metavar="I/N",
        help="mine one of N parts, in a run folder of its own; `triptych merge` unites them",
    )
    parser.add_argument("--json", action="store_true", help="progress as JSON events, a line each")
    parser.add_argument("--dry-run", action="store_true", help="say what is owed and stop")
