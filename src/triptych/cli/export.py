"""`triptych export`: the selected triplets as a data set."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path

import orjson

from triptych.datasets.dataset import DataSet
from triptych.datasets.layouts import FORMATS
from triptych.errors import UserError
from triptych.runs import open_run


def export(path: Path, layout: str, to: Path, overrides: Sequence[str], *, json: bool = False) -> int:
    """Write a data set. UserError for a format it doesn't know and a folder that can't be used."""
    if layout not in FORMATS:
        near = difflib.get_close_matches(layout, FORMATS, n=1)
        mend = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(FORMATS)}"
        raise UserError(f"no format is called {layout!r}; {mend}")
    with open_run(path, overrides) as run:
        view = run.view()
        if not view.triplets:
            raise UserError(
                f"{path} has no selected triplet under this rule: mine more, or try --set threshold=…"
            )
        recipe = run.plan.recipe
        data = DataSet(recipe.name, view.triplets, recipe, run.plan.specs, view.funnel)
        report = FORMATS[layout](data, to, run.images)
    if json:
        told = {
            "folder": str(report.folder),
            "triplets": report.triplets,
            "images": report.images,
            "bytes": report.bytes,
            "dataset_hash": report.dataset_hash,
        }
        sys.stdout.write(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        size = f"{report.images:,} pictures, {report.bytes / 1e6:,.1f} MB"
        print(f"{report.triplets:,} triplets ({size}) in {report.folder}; data set {report.dataset_hash}")
    return 0
