"""What `triptych doctor` is given."""

from __future__ import annotations

import argparse
from pathlib import Path

from triptych.cli.arguments.command import Commands, add_command, add_set


def add_doctor(commands: Commands) -> None:
    """Declare `triptych doctor`."""

    def command(parsed: argparse.Namespace) -> int:
        from triptych.cli.doctor import doctor

        return doctor(parsed.recipe, parsed.contract, parsed.overrides, json=parsed.json)

    what = "Check this machine, a recipe, or a back end of your own."
    example = "triptych doctor recipes/quickstart.yaml"
    parser = add_command(commands, "doctor", command, what, example)
    parser.add_argument(
        "recipe", type=Path, nargs="?", metavar="RECIPE", help="recipe whose back ends to try"
    )
    add_set(parser, "change a key of the recipe, as `mine` would be told to")
    parser.add_argument("--contract", metavar="PKG.MOD:CLASS", help="check a back end's class")
    parser.add_argument("--json", action="store_true", help="as one JSON object")
