"""What `triptych import` is given."""

from __future__ import annotations

import argparse
from pathlib import Path

from triptych.cli.arguments.command import Commands, add_command, positive


def add_import(commands: Commands) -> None:
    """Declare `triptych import`."""

    def command(parsed: argparse.Namespace) -> int:
        from triptych.cli.import_pairs import import_dataset

        return import_dataset(
            parsed.dataset, parsed.to, sample=parsed.sample, seed=parsed.seed, json=parsed.json
        )

    what = "Bring pairs that you have into a run: judged, multiplied and exported like its own."
    example = "triptych import their-data --to runs/theirs"
    parser = add_command(commands, "import", command, what, example)
    add = parser.add_argument
    add("dataset", type=Path, metavar="DATASET", help="a folder or file (docs/audit.md)")
    add("--to", type=Path, required=True, metavar="RUN", help="a run folder, new or not")
    add("--sample", type=positive, metavar="N", help="so many records, drawn at random")
    add("--seed", type=int, default=0, metavar="N", help="another seed, another sample (default: 0)")
    add("--json", action="store_true", help="as one JSON object")
