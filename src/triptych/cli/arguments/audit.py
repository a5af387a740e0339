"""What `triptych audit` is given."""

from __future__ import annotations

import argparse
from pathlib import Path

from triptych.cli.arguments.command import Commands, add_command, positive


def add_audit(commands: Commands) -> None:
    """Declare `triptych audit`."""

    def command(parsed: argparse.Namespace) -> int:
        from triptych.cli.audit import audit

        return audit(
            parsed.datasets,
            parsed.validator,
            sample=parsed.sample,
            seed=parsed.seed,
            out=parsed.out,
            json=parsed.json,
        )

    what = "Score anybody's edit data set: adherence, aesthetics, their geometric mean, by category too."
    example = "triptych audit their-data --validator runs/quickstart --sample 500"
    parser = add_command(commands, "audit", command, what, example)
    add = parser.add_argument
    add(
        "datasets",
        type=Path,
        nargs="+",
        metavar="DATASET",
        help="a folder or file (docs/audit.md), or a run; several: side by side",
    )
    add(
        "--validator",
        type=Path,
        metavar="RUN|FILE",
        help="whose validator judges: a run's, or that of a recipe (default: the audited run's own)",
    )
    add("--sample", type=positive, metavar="N", help="so many records of each, drawn at random")
    add("--seed", type=int, default=0, metavar="N", help="another seed, another sample (default: 0)")
    add(
        "--out",
        type=Path,
        default=Path("audits"),
        metavar="DIR",
        help="where the verdicts, the table and its picture are kept (default: audits)",
    )
    add("--json", action="store_true", help="as one JSON object; several data sets: by name")
