"""Write docs/multiplied.md, a section for each run: `make figures`.

python scripts/multiplied_page.py runs/quickstart runs/trivial
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych.cli.truth import measured_run
from triptych.datasets.truth import wilson
from triptych.mining.select import KINDS, RunView
from triptych.runs import open_run

PAGE = Path(__file__).resolve().parent.parent / "docs" / "multiplied.md"
BACKWARD = (1.0, 2.0, 2.5, 3.0, 3.5, 4.0, 4.25, 4.5)
DERIVED = (4.6, 4.45, 4.3, 4.2, 4.0, 3.7, 3.0)


@dataclass(frozen=True, slots=True)
class Under:
    """A run under one rule, with its truth."""

    view: RunView
    kinds: dict[str, dict[str, Any]]
    backward: dict[str, Any]
    own: float  # the recipe's own rule.backward
    paraphrases: dict[str, int]
    name: str
    size: str  # seed and scenes of its recipe


def under(run: Path, *overrides: str) -> Under:
    """The run as another rule would have it; no call."""
    with open_run(run, overrides) as opened:
        view = opened.view()
        measured = measured_run(opened, view)
        recipe = opened.plan.recipe
        size = f"seed {recipe.seed}, {recipe.scenes} scenes"
        told = measured.kinds(), measured.backward(), recipe.rule.backward, dict(view.reworded)
        return Under(view, *told, recipe.name, size)


def main(*runs: Path) -> None:
    measured = [(run, under(run)) for run in runs]
    sections = [planted(run, own) if own.name == "trivial" else multiplied(run, own) for run, own in measured]
    PAGE.write_text("\n".join([HEAD, *sections]), encoding="utf-8")


HEAD = """# Multiplied, measured

Runs on the embedded studio, each beside the studio's own truth, written by `make figures`. Good: above 4.0 on
both true axes. Intervals are Wilson's at 95 %. Every row is a query over a run.
"""


def multiplied(run: Path, own: Under) -> str:
    """What inversion and the rest give, and at which precision."""
    selected, leaving = len(own.view.selected), len(own.view.triplets)
    return f"""## {own.name.capitalize()} ({own.size})

**{own.view.multiplier} triplets leave for each one selected** ({leaving} for {selected}; other wordings not
counted). The paper's table gives 2.21.

{table(KINDS_HEAD, kind_rows(under(run, "backward=1"), own))}

Forward: made are those selected. Chains: made are those attempted to the end. Others: judged to the end.
{other_wordings(own)}

### Thresholds of derived pairs

`rule.derived.threshold`, both axes; everything else as in the recipe. What is kept, and its precision.

{table(("threshold", "multiplier", *KINDS[1:]), derived_rows(run))}

### The backward filter where gates are strict

The recipe's own value is {own.own:g}.

{table(BACKWARD_HEAD, backward_rows(run))}
"""


def planted(run: Path, own: Under) -> str:
    """What the backward filter catches where there is something to catch."""
    return f"""## Planted trivial successes ({own.size})

Nearly every picture of `benchmarks/trivial.yaml` that should show several things lacks one, its editor
touches the picture even where there is nothing to do, and no gate before the backward filter is strict:
{own.view.funnel["selected"]} edits are selected. What `rule.backward`, the lowest adherence of an inverse,
takes out:

{table(BACKWARD_HEAD, backward_rows(run))}
"""


KINDS_HEAD = ("kind", "made", "kept", "precision without the backward filter", "precision with it")


def kind_rows(without: Under, own: Under) -> Iterator[tuple[str, ...]]:
    for kind in KINDS:
        counts = own.view.kinds[kind]
        yield kind, f"{counts.made:,}", f"{counts.kept:,}", precision(without, kind), precision(own, kind)


def precision(measured: Under, kind: str) -> str:
    rates = measured.kinds[kind]
    return "–" if rates["precision"] is None else share(rates["precision"], rates["precision_interval"])


def derived_rows(run: Path) -> Iterator[tuple[str, ...]]:
    for lowest in DERIVED:
        measured = under(run, f"derived.threshold={lowest}")
        counts = measured.view.kinds
        cells = (
            f"{counts[kind].kept:,} of {counts[kind].made:,}, {precision(measured, kind)}"
            for kind in KINDS[1:]
        )
        yield f"{lowest:g}", f"{measured.view.multiplier}", *cells


BACKWARD_HEAD = ("backward", "trivial successes caught", "other bad caught", "good lost", "precision after")


def backward_rows(run: Path) -> Iterator[tuple[str, ...]]:
    for lowest in BACKWARD:
        told = under(run, f"backward={lowest}").backward
        trivial, caught = told["trivial_successes"], told["trivial_successes_caught"]
        yield (
            f"{lowest:g}",
            counted(caught, trivial),
            counted(told["bad_caught"] - caught, told["bad"] - trivial),
            counted(told["good_lost"], told["good"]),
            share(told["precision_after"], told["precision_after_interval"]),
        )


def other_wordings(own: Under) -> str:
    told = own.paraphrases
    if not told:
        return ""
    return (
        f"{told['instructions']:,} instructions leave with {told['paraphrases']:,} other wordings; the "
        f"meaning of {told.get('unchecked', 0):,} is unchecked (the embedder knows letters, not meanings)."
    )


def counted(part: int, whole: int) -> str:
    return f"{part} of {whole}" + (f" ({share(part / whole, wilson(part, whole))})" if whole else "")


def share(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None or interval is None:
        return "–"
    return f"{value:.1%} [{interval[0]:.1%}, {interval[1]:.1%}]"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
