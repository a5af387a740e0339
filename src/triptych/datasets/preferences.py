"""Pairs of edits of one source under one instruction: the selected one, and one that a gate stopped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from triptych.datasets.dataset import DataSet
from triptych.datasets.layout import Row
from triptych.mining.select import RejectedPair, Triplet
from triptych.records import Json, identify
from triptych.validator.rule import Scores


@dataclass(frozen=True, slots=True)
class Preference:
    """The chosen edit and the rejected one."""

    chosen: Triplet
    rejected: RejectedPair

    @property
    def id(self) -> str:
        """Names the two Pairs."""
        return identify("preference", self.chosen.id, self.rejected.id)

    @property
    def chosen_is_left(self) -> bool:
        """By a coin that the id throws: the place says nothing about which is better."""
        return int(self.id[-1], 16) % 2 == 0

    @property
    def margin(self) -> float | None:
        """Difference of √(adherence·aesthetics), by the validator; None where it never saw the rejected."""
        if self.rejected.scores is None:
            return None
        return round(self.chosen.scores.geometric_mean - self.rejected.scores.geometric_mean, 4)

    @property
    def rejected_scores(self) -> tuple[Scores | None, str]:
        """The rejected one's scores and who gave them."""
        if self.rejected.scores is not None:
            return self.rejected.scores, "validator"
        return self.rejected.soft_scores, "soft_filter"

    @property
    def images(self) -> tuple[str, str, str]:
        """Source, left, right."""
        chosen, rejected = self.chosen.edited_image, self.rejected.edited_image
        sides = (chosen, rejected) if self.chosen_is_left else (rejected, chosen)
        return (self.chosen.source_image, *sides)


def preferences_of(data: DataSet) -> list[Preference]:
    """Every selected triplet with every rejected attempt at the same, in the order of their ids."""
    rejected: dict[tuple[str, str], list[RejectedPair]] = defaultdict(list)
    for pair in data.rejected:
        if "unscored" in pair.reason:  # a judge that failed says nothing about the picture
            continue
        rejected[pair.source_image, pair.instruction].append(pair)
    found: dict[str, Preference] = {}
    for triplet in data.triplets:
        for pair in rejected[triplet.source_image, triplet.instruction]:
            if pair.edited_image != triplet.edited_image:
                one = Preference(triplet, pair)
                found.setdefault(one.id, one)
    return [found[id_] for id_ in sorted(found)]


def preference_rows(data: DataSet) -> Sequence[Row]:
    """What a read-back of preferences has to find."""
    return [Row(one.id, one.chosen.instruction, one.images) for one in preferences_of(data)]


def explained(one: Preference) -> dict[str, Json]:
    """Why the one was chosen, and the other wasn't."""
    return {
        "chosen_id": one.chosen.id,
        "rejected_id": one.rejected.id,
        "gate": one.rejected.gate,
        "reason": one.rejected.reason,
        "margin": one.margin,
        "category": one.chosen.category,
        "kind": one.chosen.kind,
    }
