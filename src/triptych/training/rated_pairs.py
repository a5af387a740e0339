"""Pairs with people's scores, to tune a judge on. Those of held-out sources are left for its report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from triptych.errors import UserError
from triptych.records import Pair, Rating
from triptych.validator.evidence import is_held_out
from triptych.validator.ratings import AXES, HIGHEST, LOWEST, Axis, remove_rater_bias

FEWEST = 20


@dataclass(frozen=True, slots=True)
class RatedPair:
    """A pair and what people think of it on each axis, 1..5, each rater's bias taken off."""

    pair: Pair
    scores: Mapping[Axis, float]


def rated_pairs(
    pairs: Iterable[Pair], ratings: Sequence[Rating], hold_out: float, painted: Mapping[str, str]
) -> list[RatedPair]:
    """Pairs rated on both axes, less those of held-out sources. UserError where there are too few.

    `painted`: pair → the painted picture that it comes of, where that isn't its own source.
    """
    scores = {axis: remove_rater_bias(ratings, axis).scores for axis in AXES}
    found = {}
    for pair in pairs:
        source = painted.get(pair.id, pair.source_image)
        if all(pair.id in scores[axis] for axis in AXES) and not is_held_out(source, hold_out):
            said = {axis: min(max(scores[axis][pair.id], LOWEST), HIGHEST) for axis in AXES}
            found[pair.id] = RatedPair(pair, said)
    if len(found) < FEWEST:
        raise UserError(f"{len(found)} rated pairs are too few to tune a judge on: rate at least {FEWEST}")
    return list(found.values())
