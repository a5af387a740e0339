"""`triptych bench`: published benchmarks, as tables to read or as JSON."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import orjson
from rich.console import Console
from rich.table import Table

from triptych.benchmarks.agreement import Agreement, agreement
from triptych.benchmarks.imagenhub import SCALES, read_imagenhub


def bench_agreement(path: Path, *, json: bool = False) -> int:
    """Print each judge's agreement with people on every task of the file."""
    found = agreement(read_imagenhub(path))
    if json:
        told = {task: {name: one.as_json() for name, one in judges.items()} for task, judges in found.items()}
        sys.stdout.write(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode() + "\n")
        return 0
    console = Console()
    for task, judges in found.items():
        console.print(_table(task, judges))
    return 0


def _table(task: str, judges: Mapping[str, Agreement]) -> Table:
    table = Table(title=f"{task}: tanh of mean Spearman with people, 95 % over uids", title_justify="left")
    table.add_column("judge")
    for scale in SCALES:
        table.add_column(scale, justify="right")
    table.add_column("n", justify="right")
    for name, one in judges.items():
        cells = [_cell(value, low, high) for value, (low, high) in zip(one.value, one.ci, strict=True)]
        table.add_row(name, *cells, f"{one.n:,}")
    return table


def _cell(value: float, low: float, high: float) -> str:
    return f"{value:.4f} [{low:.3f}, {high:.3f}]" if np.isfinite(value) else "undefined"
