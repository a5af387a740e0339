"""`triptych export`: the selected triplets as a data set."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from triptych.datasets.layouts import FORMATS
from triptych.errors import UserError
from triptych.runs import open_run


def export(path: Path, layout: str, to: Path, overrides: Sequence[str]) -> int:
    """Write a data set; refuses a layout it doesn't know and a folder that isn't empty."""
    if layout not in FORMATS:
        near = difflib.get_close_matches(layout, FORMATS, n=1)
        mend = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(FORMATS)}"
        raise UserError(f"no layout is called {layout!r}; {mend}")
    with open_run(path, overrides) as run:
        view = run.view()
        if not view.triplets:
            raise UserError(
                f"{path} has no selected triplet under this rule: mine more, or try --set threshold=…"
            )
        FORMATS[layout](view.triplets, run.images, to, run.plan)
    print(f"{len(view.triplets):,} triplets in {to}")
    return 0
