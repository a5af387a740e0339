"""People's ratings beside a run's pairs: which of them fit a calibration, which are held out to test it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean

import numpy as np

from triptych.errors import UserError
from triptych.records import Json, Rating, identify
from triptych.validator.calibrate import Calibration, SignalColumn, SignalTable
from triptych.validator.fitting import REALLY_GOOD, RatedItems, fit_calibration, join_ratings
from triptych.validator.ratings import AXES, remove_rater_bias, scores_of
from triptych.validator.rule import PairFacts
from triptych.validator.signals import signal_table

HOLD_OUT = 0.5  # share of the sources whose ratings a fit leaves alone, for thresholds and reports


@dataclass(frozen=True, slots=True)
class Fitted:
    """A calibration and what went into it."""

    calibration: Calibration
    used: int  # rated pairs
    held_out: int  # rated pairs of other sources, left for thresholds and reports
    unjudged: int  # rated pairs that never reached the validator
    left_out: tuple[str, ...]  # measurements that never vary on these pairs


def is_held_out(source: str, share: float) -> bool:
    """Whether a source's ratings are kept from fitting: by its hash, so it is so in every run."""
    return int(identify("held out", source)[:8], 16) < share * 2**32


def accepted_by_people(ratings: Iterable[Rating], bar: float = REALLY_GOOD) -> dict[str, bool]:
    """Whether people accept each pair: by most of those who said so outright, else both scores above the bar.

    Scores are means over raters, less each rater's bias. UserError where there is a single rater.
    """
    said = list(ratings)
    votes: dict[str, list[float]] = defaultdict(list)
    for item, _, score in scores_of(said, "accept"):
        votes[item].append(score)
    accepted = {item: fmean(given) > 0.5 for item, given in votes.items()}
    if any(rating.axis in AXES for rating in said):
        by_axis = [remove_rater_bias(said, axis).scores for axis in AXES]
        for item in by_axis[0].keys() & by_axis[1].keys():
            accepted.setdefault(item, all(scores[item] > bar for scores in by_axis))
    return accepted


def fit_pairs(
    wanted: Sequence[SignalColumn],
    pairs: Sequence[PairFacts],
    ratings: Sequence[Rating],
    *,
    data: Mapping[str, Json],
    hold_out: float = HOLD_OUT,
    without: Collection[str] = (),
    seed: int = 0,
) -> Fitted:
    """Fit a calibration of these signals on the rated pairs whose sources aren't held out.

    Raises UserError where the ratings can't carry one. A judge's signal that never varies is refused;
    `without` leaves signals out by name. Measurements that never vary are left out by themselves.
    """
    unknown = sorted(set(without) - {column.name for column in wanted})
    if unknown:
        names = ", ".join(column.name for column in wanted)
        raise UserError(f"no signal is called {unknown[0]!r}; there are {names}")
    table = signal_table([column for column in wanted if column.name not in without], pairs)
    judged = set(table.items)
    rated = {rating.pair_id for rating in ratings if rating.score is not None}
    joined = join_ratings(table, ratings, accepted=accepted_by_people(ratings), judged_only=True)
    fitting = np.array([not is_held_out(source, hold_out) for source in joined.table.sources], dtype=np.bool_)
    chosen, left_out = _varying(joined.table.rows(fitting))
    calibration = fit_calibration(
        chosen,
        {axis: target[fitting] for axis, target in joined.targets.items()},
        joined.accepted[fitting],
        data={**data, "hold_out": hold_out, "raters": len({rating.rater for rating in ratings})},
        date=datetime.now(UTC).date().isoformat(),
        seed=seed,
    )
    return Fitted(calibration, int(fitting.sum()), int((~fitting).sum()), len(rated - judged), left_out)


def _varying(table: SignalTable) -> tuple[SignalTable, tuple[str, ...]]:
    """The table without measurements and features that say the same, or nothing, of every item."""
    constant = []
    for column, values in zip(table.columns, table.values.T, strict=True):
        present = values[np.isfinite(values)]
        if not column.asked and (not len(present) or np.ptp(present) == 0):
            constant.append(column.name)
    kept = [column.name for column in table.columns if column.name not in constant]
    return table.named(kept), tuple(constant)


def fitted_on(source: str, calibration: Calibration) -> bool:
    """Whether a source's ratings, if it had any, went into the fit. UserError where the card doesn't say."""
    data = calibration.card.get("data")
    share = data.get("hold_out") if isinstance(data, dict) else None
    if not isinstance(share, int | float):
        raise UserError("the calibration doesn't say what was held out: fit it by `triptych validator fit`")
    return not is_held_out(source, share)


def parted(
    table: SignalTable, ratings: Sequence[Rating], calibration: Calibration
) -> tuple[RatedItems, RatedItems]:
    """Rated items that the calibration was fitted on, and those that it never saw."""
    items = join_ratings(table, ratings, accepted=accepted_by_people(ratings), judged_only=True)
    used = np.array([fitted_on(source, calibration) for source in items.table.sources], dtype=np.bool_)
    return items.rows(used), items.rows(~used)
