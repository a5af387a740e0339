"""What `triptych export` is given."""

from __future__ import annotations

import argparse
from pathlib import Path

from triptych.cli.arguments.command import Commands, add_command, add_set, positive


def add_export(commands: Commands) -> None:
    """Declare `triptych export`."""

    def command(parsed: argparse.Namespace) -> int:
        from triptych.cli.export import Narrowing, export

        narrowing = Narrowing(
            parsed.where,
            parsed.decontaminate,
            parsed.cap_per_source,
            parsed.limit,
            parsed.split,
            parsed.split_seed,
        )
        return export(
            parsed.runs,
            parsed.format,
            parsed.to,
            parsed.overrides,
            narrowing,
            mark=parsed.mark,
            licence=parsed.licence,
            acknowledged=parsed.acknowledge_licence,
            people=parsed.ratings == "override",
            precision=parsed.require_precision,
            json=parsed.json,
        )

    what = "Write the selected triplets of one run or several as a data set, and read it back."
    example = "triptych export runs/quickstart --format hf --to my-data --split train=0.9,test=0.1"
    parser = add_command(commands, "export", command, what, example)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run folders")
    parser.add_argument("--format", default="nhr", help="docs/exports.md lists them (default: nhr)")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="a new folder")
    add_set(parser, "select by another rule, e.g. threshold=4.5")
    add = parser.add_argument
    condition = "e.g. category=add_object,remove_object or adherence>=4.8; given again: both must hold"
    add("--where", action="append", default=[], metavar="CONDITION", help=condition)
    add("--decontaminate", type=Path, metavar="DIR", help="leave out near-duplicates of what is there")
    add("--cap-per-source", type=positive, metavar="N", help="the best N of each source picture")
    add("--limit", type=positive, metavar="N", help="at most N triplets")
    add("--split", metavar="SHARES", help="e.g. train=0.9,test=0.1: by scene and near-duplicates")
    add("--split-seed", type=int, default=0, metavar="N", help="another seed, another split (default: 0)")
    wanted = "refuse where a spot check (`review --audit`) bounds the precision lower, e.g. 0.9"
    add("--require-precision", type=_share, metavar="P", help=wanted)
    add("--ratings", choices=["override"], help="people's ratings overrule the judges (docs/exports.md)")
    add("--no-mark", dest="mark", action="store_false", help="leave the pictures' bytes without an XMP mark")
    add("--licence", metavar="ID", help="the licence that you publish under, e.g. cc-by-4.0, for the card")
    add("--acknowledge-licence", action="store_true", help="export what may not train a competing model")
    add("--json", action="store_true", help="what was written, as one JSON object")


def _share(text: str) -> float:
    number = float(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError("between 0 and 1")
    return number
