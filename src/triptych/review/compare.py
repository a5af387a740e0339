"""What another threshold would select, how sure that is, and how two selections differ. No call is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from triptych.records import Json
from triptych.review.index import Places, Table, plain
from triptych.review.rows import STAGES
from triptych.validator.rule import AxisThresholds

_EPSILON = 1e-6  # scores are rounded to 1e-4
_EXAMPLES = 8


def selected_at(table: Table, at: AxisThresholds) -> Places:
    """Forward pairs that these thresholds would select: of each (source, instruction) the best that passes.

    As `mining/select.py` selects, before the backward filter.
    """
    columns = table.columns
    passing = np.flatnonzero(
        columns["gates"]
        & _is_forward(table)
        & (columns["adherence"] >= at.adherence - _EPSILON)
        & (columns["aesthetics"] >= at.aesthetics - _EPSILON)
    )
    score = np.round(columns["score"][passing], 4)
    lane = columns["lane"][passing]
    order = np.lexsort((passing, -score, lane))
    _, first = np.unique(lane[order], return_index=True)
    return np.sort(passing[order][first])


def at_threshold(table: Table, at: AxisThresholds, good: Mapping[str, bool]) -> dict[str, Json]:
    """Yield, precision as far as people have looked, and the examples nearest the margin on both sides."""
    chosen = selected_at(table, at)
    columns = table.columns
    margin = np.minimum(columns["adherence"] - at.adherence, columns["aesthetics"] - at.aesthetics)
    above = chosen[np.argsort(margin[chosen], kind="stable")][:_EXAMPLES]
    out = np.flatnonzero(columns["gates"] & _is_forward(table) & (margin < -_EPSILON))
    below = out[np.argsort(-margin[out], kind="stable")][:_EXAMPLES]
    return {
        "adherence": at.adherence,
        "aesthetics": at.aesthetics,
        "selected": len(chosen),
        "attempts": int(np.count_nonzero(_is_forward(table))),
        "precision": precision(table, chosen.tolist(), good),
        "above": [*plain(table, above)],
        "below": [*plain(table, below)],
    }


def precision(table: Table, places: Iterable[int], good: Mapping[str, bool]) -> Json:
    """Share of these that people find good, among those rated, and its 95 % interval; None: nobody looked."""
    said = [good[table.rows[place].id] for place in places if table.rows[place].id in good]
    if not said:
        return None
    from scipy.stats import binomtest

    interval = binomtest(sum(said), len(said)).proportion_ci(0.95, method="exact")
    return {
        "n": len(said),
        "good": sum(said),
        "low": round(float(interval.low), 4),
        "high": round(float(interval.high), 4),
    }


def kept(table: Table) -> Places:
    """What leaves the run under its own rule, of every kind."""
    return np.flatnonzero(table.columns["stage"] == STAGES.index("kept"))


def difference(one: Table, places: Places, other: Table, others: Places, count: int) -> dict[str, Json]:
    """What is in both selections, and in one of them alone, with at most `count` examples each."""
    first = {one.rows[place].id: place for place in places.tolist()}
    second = {other.rows[place].id: place for place in others.tolist()}
    fell = [place for id_, place in first.items() if id_ not in second]
    came = [place for id_, place in second.items() if id_ not in first]
    same_edit = {_edit_of(one, place) for place in fell} & {_edit_of(other, place) for place in came}
    return {
        "first": len(first),
        "second": len(second),
        "both": len(first.keys() & second.keys()),
        "only_first": len(fell),
        "only_second": len(came),
        "other_attempt": len(same_edit),  # the same source picture and instruction, another edited picture
        "fell_out": [*plain(one, fell[:count])],
        "came_in": [*plain(other, came[:count])],
    }


def _edit_of(table: Table, place: int) -> tuple[str, str]:
    row = table.rows[place]
    return row.source_image, row.instruction


def _is_forward(table: Table) -> np.ndarray:
    kinds = table.words["kind"]
    number = kinds.index("forward") if "forward" in kinds else -1
    mask: np.ndarray = table.columns["kind"] == number
    return mask
