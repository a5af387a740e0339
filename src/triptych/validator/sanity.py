"""Pairs that every judge must score low: the source as its edit, another's instruction or picture, nothing.

A judge that finds the instruction carried out in them doesn't look, whatever its figures elsewhere are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final, Literal, get_args

Kind = Literal["source_as_edit", "shuffled_instruction", "other_source", "blank", "black"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
MOST_ACCEPTED: Final = 0.1  # of a kind; chance may make a few of the shuffled ones right


@dataclass(frozen=True, slots=True)
class Original:
    """A real pair that sanity pairs are made of."""

    source: str  # image
    instruction: str
    edited: str  # image
    category: str


@dataclass(frozen=True, slots=True)
class SanityPair:
    """What the judge is shown. `edited` None: a picture of one colour, of the source's size."""

    kind: Kind
    source: str
    instruction: str
    edited: str | None


@dataclass(frozen=True, slots=True)
class KindResult:
    """How the judge took one kind."""

    n: int
    mean_adherence: float
    accepted: float  # share with adherence at or above the rule's threshold


def sanity_pairs(originals: Sequence[Original], count: int) -> list[SanityPair]:
    """At most `count` pairs of each kind. Strangers are of another category and another source."""
    made: list[SanityPair] = []
    for at, own in enumerate(originals[:count]):
        made += [
            SanityPair("source_as_edit", own.source, own.instruction, own.source),
            SanityPair("blank", own.source, own.instruction, None),
            SanityPair("black", own.source, own.instruction, None),
        ]
        others = [*originals[at + 1 :], *originals[:at]]
        stranger = next(
            (one for one in others if one.category != own.category and one.source != own.source), None
        )
        if stranger is not None:
            made.append(SanityPair("shuffled_instruction", own.source, stranger.instruction, own.edited))
            made.append(SanityPair("other_source", own.source, own.instruction, stranger.edited))
    return made


def results(scored: Iterable[tuple[str, float]], threshold: float) -> dict[Kind, KindResult]:
    """By kind, from (kind, adherence)."""
    by_kind: dict[str, list[float]] = defaultdict(list)
    for kind, adherence in scored:
        by_kind[kind].append(adherence)
    return {
        kind: KindResult(
            len(by_kind[kind]),
            round(fmean(by_kind[kind]), 4),
            round(fmean(value >= threshold for value in by_kind[kind]), 4),
        )
        for kind in KINDS
        if by_kind[kind]
    }


def refusal(found: Mapping[Kind, KindResult]) -> str | None:
    """Why this judge isn't to be trusted, with the numbers; None where nothing speaks against it."""
    high = [
        f"{kind.replace('_', ' ')} {result.accepted:.0%} of {result.n}, mean {result.mean_adherence:.2f}"
        for kind, result in found.items()
        if result.accepted > MOST_ACCEPTED
    ]
    return (
        "the validator scores pairs high that nobody could accept (share accepted): " + ", ".join(high)
        if high
        else None
    )
