"""What `triptych bench` is given."""

from __future__ import annotations

import argparse
from pathlib import Path

from triptych.cli.arguments.command import Commands, add_command, add_group


def add_bench(commands: Commands) -> None:
    """Declare `triptych bench`."""

    def agreement(parsed: argparse.Namespace) -> int:
        from triptych.cli.bench import bench_agreement

        return bench_agreement(parsed.file, json=parsed.json)

    what = "Run a published benchmark."
    example = "triptych bench agreement imagenhub.jsonl --json"
    benchmarks = add_group(commands, "bench", "BENCHMARK", what, example)
    what = "How far judges, and a calibration of them, agree with people on ImagenHub's ratings."
    parser = add_command(benchmarks, "agreement", agreement, what, example)
    parser.add_argument("file", type=Path, metavar="FILE", help="ratings with judges' scores, JSONL")
    parser.add_argument("--json", action="store_true", help="as one JSON object")
