"""What people's ratings of a pair come to, where they are to overrule the judges."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from triptych.records import Rating
from triptych.validator.rule import Scores

REALLY_GOOD = 4.0  # above it on both axes a pair is good (the paper's word for it)


@dataclass(frozen=True, slots=True)
class PeopleSay:
    """Whether people take a pair, and their mean scores where they gave both."""

    good: bool
    scores: Scores | None


def people_say(ratings: Iterable[Rating]) -> dict[str, PeopleSay]:
    """By pair. Votes to accept decide, by majority; without any, both mean scores above 4.0.

    A pair with as many votes for as against, or with scores on one axis alone, isn't here.
    """
    said: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for rating in ratings:
        if rating.score is not None:
            said[rating.pair_id][rating.axis].append(rating.score)
    found: dict[str, PeopleSay] = {}
    for pair, axes in said.items():
        scores = None
        if axes["adherence"] and axes["aesthetics"]:
            scores = Scores(*(round(fmean(axes[axis]), 4) for axis in ("adherence", "aesthetics")))
        votes = axes["accept"]
        if votes and fmean(votes) != 0.5:
            found[pair] = PeopleSay(fmean(votes) > 0.5, scores)
        elif not votes and scores is not None:
            found[pair] = PeopleSay(min(scores.adherence, scores.aesthetics) > REALLY_GOOD, scores)
    return found
