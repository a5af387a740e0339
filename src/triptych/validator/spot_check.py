"""A spot check by people before a release: which pairs are looked at, and how sure their precision then is.

The sample is a function of what is to be released: all pairs in a random order, of which any beginning is
spread over the strata. So only what people found is stored, and a data set that changed asks for no more than
what is new in it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from triptych.errors import UserError
from triptych.records import Finding, Flaw, identify

FLAWS: Final[Mapping[Flaw, str]] = {
    "none": "good",
    "source": "source flawed",
    "light": "shadow, reflection or light wrong",
    "region": "wrong region edited",
    "remains": "remains of what was there",
    "artefacts": "artefacts",
    "other": "other",
}
CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class SpotCheck:
    """What people found in a random sample of what is to be released."""

    released: int  # pairs in all
    planned: int  # of them to be looked at
    looked: int  # of those, in order, before the first that nobody has looked at
    good: int  # in which everybody who looked found no flaw
    flaws: Mapping[str, int]  # flaw → pairs in which anybody found it
    raters: int

    @property
    def finished(self) -> bool:
        """Whether all that was planned has been looked at; one could stop early when it suits."""
        return 0 < self.planned <= self.looked

    @property
    def lowest(self) -> float | None:
        """Lower bound of the precision at 95 % confidence (Clopper–Pearson); None before the first look."""
        return lower_bound(self.good, self.looked) if self.looked else None

    def __str__(self) -> str:
        if self.lowest is None:
            return "nobody has looked yet"
        state = "" if self.finished else f"; unfinished, {self.planned:,} were planned"
        return (
            f"{self.good:,} of {self.looked:,} good; at least {100 * self.lowest:.1f} % with 95 % confidence"
            f" (Clopper–Pearson){state}"
        )


def stratum(kind: str, category: str) -> str:
    """What a sample is spread over."""
    return f"{kind} {category}"


def sample_order(strata: Mapping[str, str]) -> list[str]:
    """All pairs (id → stratum) in the order in which they are looked at.

    Any prefix takes nearly its share of every stratum, each pair with the same chance: within a stratum they
    come in random order, at even distances from a random start.
    """
    members: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for id_, stratum in strata.items():
        members[stratum].append((identify("spot_check", id_), id_))
    places: list[tuple[float, str, str]] = []
    for stratum, drawn in members.items():
        drawn.sort()
        start = int(identify("spot_check", "start", stratum, drawn[0][0])[:13], 16) / 16**13
        places.extend(((rank + start) / len(drawn), chance, id_) for rank, (chance, id_) in enumerate(drawn))
    return [id_ for _, _, id_ in sorted(places)]


def spot_check(order: Sequence[str], findings: Iterable[Finding], *, planned: int | None = None) -> SpotCheck:
    """Sum up standing findings over a release. `planned`: None as the raters were told."""
    by_pair: dict[str, list[Finding]] = defaultdict(list)
    members = set(order)
    for found in findings:
        if found.pair_id in members:
            by_pair[found.pair_id].append(found)
    told = max((found.planned for some in by_pair.values() for found in some), default=0)
    wanted = min(told if planned is None else planned, len(order))
    looked = leading(order[:wanted], by_pair)
    flaws: Counter[str] = Counter()
    for id_ in order[:looked]:
        flaws.update({found.flaw for found in by_pair[id_] if found.flaw not in (None, "none")})
    good = sum(all(found.flaw == "none" for found in by_pair[id_]) for id_ in order[:looked])
    raters = {found.rater for id_ in order[:looked] for found in by_pair[id_]}
    return SpotCheck(len(order), wanted, looked, good, dict(flaws.most_common()), len(raters))


def leading(order: Sequence[str], looked_at: Collection[str]) -> int:
    """How many come before the first that isn't among those looked at: only they are a random sample."""
    return next((place for place, id_ in enumerate(order) if id_ not in looked_at), len(order))


def lower_bound(good: int, looked: int, confidence: float = CONFIDENCE) -> float:
    """One-sided lower bound of a share (Clopper and Pearson, 1934): exact, so never too high."""
    try:
        from scipy.stats import binomtest
    except ModuleNotFoundError:
        raise UserError(
            "the bound of a spot check needs scipy: install it with `pip install 'triptych[review]'`"
        ) from None
    tested = binomtest(good, looked, alternative="greater")
    return float(tested.proportion_ci(confidence, method="exact").low)
