"""`triptych validator simulate-raters`: people stood in for, from the studio's truth."""

from __future__ import annotations

from pathlib import Path

from triptych.cli.truth import measured_run
from triptych.cli.validator import refuse_existing
from triptych.datasets.truth import KnownTruth, Measured
from triptych.errors import UserError
from triptych.mining.state import PairState
from triptych.runs import open_run
from triptych.validator.ratings import Axis, write_ratings
from triptych.validator.simulated import simulated_ratings


def simulate_raters(path: Path, to: Path, raters: int, per_pair: int, seed: int) -> int:
    """Write ratings of every pair whose truth is known."""
    if not 2 <= per_pair <= raters:
        raise UserError("give at least 2 raters a pair, and as many raters: bias can't be told of fewer")
    refuse_existing(to)
    with open_run(path) as run:
        truth = truths(measured_run(run, run.view()))
    given = list(simulated_ratings(truth, raters=raters, per_pair=per_pair, seed=seed))
    try:
        write_ratings(to, given)
    except OSError as error:
        raise UserError(f"{to} can't be written ({error.strerror}): name another file with --to") from None
    print(f"{to}: {len(given):,} ratings of {len(truth):,} pairs by {raters} simulated raters")
    return 0


def truths(measured: Measured) -> dict[str, dict[Axis, float]]:
    """True scores of every pair, attempts and derived ones."""
    known: list[tuple[PairState, KnownTruth]] = [(pair.state, pair.truth) for pair in measured.pairs]
    known += [(derived.state, derived.truth) for derived in measured.derived]
    return {
        state.pair.id: {"adherence": truth.adherence, "aesthetics": truth.aesthetics}
        for state, truth in known
        if state.pair is not None
    }
