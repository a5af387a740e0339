"""What a calibration file promises of what leaves a run, for whom, and the P(accept) that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

POOLED = "pooled"  # every group without enough ratings for a threshold of its own
DERIVED = "kind:"  # a derived pair is in a group of its kind, e.g. kind:inverse


@dataclass(frozen=True, slots=True)
class Bar:
    """The threshold of a group, and what it rests on."""

    lowest: float | None  # P(accept); None: no threshold could be certified, nothing is accepted
    bound: float | None  # precision is at least this, at the guarantee's confidence over all groups
    good: int  # held-out rated pairs that would be selected and that people accept …
    n: int  # … of so many


@dataclass(frozen=True, slots=True)
class Guarantee:
    """Precision ≥ `precision`, at `confidence`, of the pairs that these policies select."""

    precision: float
    confidence: float
    policy: str
    attempts: int  # at each (source, instruction), as in the run that was rated
    editors: tuple[str, ...]  # spec ids of the editors whose edits were rated
    groups: Mapping[str, Bar]  # categories of their own, and the pooled rest

    def lowest(self, group: str) -> float:
        """Lowest accepted P(accept) of a group; above 1 where nothing is accepted."""
        bar = self.groups.get(group, self.groups[POOLED])
        return 2.0 if bar.lowest is None else bar.lowest

    def refusal(self, policy: str, attempts: int, editor: str) -> str | None:
        """Why it says nothing of a run of this policy and editor; None where it holds."""
        if editor not in self.editors:
            return "uncalibrated: no edits of this editor were rated"
        if policy != self.policy:
            return f"uncalibrated: made for the policy {self.policy}, not {policy}"
        if attempts > self.attempts:
            return f"uncalibrated: made for up to {self.attempts} attempts, not {attempts}"
        return None

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Guarantee:
        """What `document` gave."""
        groups = {name: Bar(**bar) for name, bar in document["groups"].items()}
        return cls(**{**document, "editors": tuple(document["editors"]), "groups": groups})
