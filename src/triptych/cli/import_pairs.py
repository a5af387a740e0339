"""`triptych import`: pairs that somebody has, as facts of a run."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson

from triptych.cli.progress import terminal
from triptych.datasets.adapters.opening import open_dataset
from triptych.datasets.importing import Imported, import_pairs
from triptych.errors import UserError, WorkFailed
from triptych.ledger.run import RunFolder


def import_dataset(path: Path, to: Path, *, sample: int | None, seed: int, json: bool) -> int:
    """Import a data set. UserError where it can't be read, WorkFailed where none of its rows is a pair."""
    if (path / "ledger.sqlite").is_file():
        raise UserError(f"{path} is a run, not a data set: `triptych export {path} …` makes one of it")
    data = open_dataset(path)
    name = path.resolve().name
    folder = RunFolder.create(to)
    with folder.held_for_mining(), folder.open_ledger() as ledger:
        done = import_pairs(data.samples(sample, seed), name, ledger, folder.image_store())
    told = {
        "pairs": done.pairs,
        "new": done.new,
        "sources": len(done.sources),
        "skipped": dict(done.skipped.most_common()),
        "aligned": dict(done.aligned.most_common()),
    }
    if json:
        sys.stdout.write(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        _tell(done, name, folder)
    if not done.pairs:
        reasons = ", ".join(f"{reason} {n:,}" for reason, n in done.skipped.most_common())
        raise WorkFailed(f"none of the rows of {path} gave a pair ({reasons}): mend them, then import again")
    return 0


def _tell(done: Imported, name: str, folder: RunFolder) -> None:
    console = terminal()
    console.print(f"{name}: {done.pairs:,} pairs of {len(done.sources):,} sources")
    console.print(f"new to {folder.path}: {done.new:,}")
    if done.skipped:
        rows = " · ".join(f"{reason.replace('_', ' ')} {n:,}" for reason, n in done.skipped.most_common())
        console.print(f"skipped: {rows}")
    if folder.recipe.is_file():
        console.print("next: mine this run again; it judges them")
    else:
        console.print(
            f"next: triptych mine imported --out {folder.path} (recipes/imported.yaml names judges)"
        )
