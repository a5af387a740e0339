"""What people say on the page: ratings, comparisons and findings, kept as facts; an undo is a fact too."""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from triptych.errors import UserError
from triptych.ledger.queries import said_of
from triptych.ledger.store import Ledger
from triptych.records import Comparison, Finding, Flaw, Rating, RatingAxis
from triptych.validator.spot_check import FLAWS

AXES: Final[tuple[RatingAxis, ...]] = ("adherence", "aesthetics", "accept")
WITHDRAWN: Final = "withdrawn"
_NAME = re.compile(r"[^\x00-\x1f\x7f<>]{1,60}")
_LONGEST_NOTE = 500
_RANGES: Final[Mapping[RatingAxis, tuple[float, float]]] = {
    "adherence": (1, 5),
    "aesthetics": (1, 5),
    "accept": (0, 1),
}

Said = Rating | Comparison | Finding


@dataclass(slots=True)
class People:
    """The latest sitting of everybody on everything, and the way to add another."""

    ledger: Ledger  # writable
    ratings: dict[tuple[str, str, RatingAxis], Rating] = field(default_factory=dict)  # pair, rater, axis
    comparisons: dict[tuple[str, str, str], Comparison] = field(default_factory=dict)  # pair, other, rater
    findings: dict[tuple[str, str], Finding] = field(default_factory=dict)  # pair, rater
    turn: int = 0  # changes with every fact, so that what is computed from them can be kept
    lock: threading.RLock = field(default_factory=threading.RLock)

    def read(self) -> None:
        """Take in what others wrote: another page over this run, an import."""
        with self.lock:
            before = len(self.ratings), len(self.comparisons), len(self.findings), self._sittings()
            for rating in self.ledger.facts(Rating):
                self.ratings[rating.pair_id, rating.rater, rating.axis] = rating
            for said in self.ledger.facts(Comparison):
                self.comparisons[said.pair_id, said.other_id, said.rater] = said
            for found in self.ledger.facts(Finding):
                self.findings[found.pair_id, found.rater] = found
            after = len(self.ratings), len(self.comparisons), len(self.findings), self._sittings()
            self.turn += before != after

    def rate(
        self, rater: str, pair: str, scores: Mapping[RatingAxis, float | None], reason: str | None = None
    ) -> None:
        """Another sitting of a rater on a pair: a score on each axis named, or None with the reason."""
        name = checked_name(rater)
        for axis, score in scores.items():
            if axis not in _RANGES:
                raise UserError(f"axis {axis!r}: it is one of {', '.join(_RANGES)}")
            low, high = _RANGES[axis]
            if score is not None and not low <= score <= high:
                raise UserError(f"{axis} is from {low:g} to {high:g}, not {score!r}")
            if score is None and not reason:
                raise UserError(f"no score of {axis}: say why")
        with self.lock:
            known = said_of(self.ledger, Rating, pair)
            now = time.time()
            facts = []
            for axis, score in scores.items():
                sitting = 1 + max(
                    (said.sitting for said in known if (said.rater, said.axis) == (name, axis)), default=-1
                )
                why = _note(reason) if score is None else None
                facts.append(Rating(pair, name, axis, sitting, score, why, now))
            self.ledger.record(facts)
            for fact in facts:
                self.ratings[pair, name, fact.axis] = fact
            self.turn += 1

    def prefer(
        self, rater: str, pair: str, other: str, preferred: float | None, reason: str | None = None
    ) -> None:
        """Another sitting on two pairs: 1 prefers `pair`, 0 `other`, 0.5 neither."""
        name = checked_name(rater)
        if preferred not in (0, 0.5, 1, None) or (preferred is None and not reason):
            raise UserError("prefer 1, 0 or 0.5, or say why neither")
        if pair > other:  # each two are kept under one key
            pair, other = other, pair
            preferred = None if preferred is None else 1 - preferred
        with self.lock:
            known = said_of(self.ledger, Comparison, pair)
            earlier = [said.sitting for said in known if (said.other_id, said.rater) == (other, name)]
            why = _note(reason) if preferred is None else None
            fact = Comparison(pair, other, name, 1 + max(earlier, default=-1), preferred, why, time.time())
            self.ledger.record([fact])
            self.comparisons[pair, other, name] = fact
            self.turn += 1

    def find(self, rater: str, pair: str, flaw: Flaw | None, planned: int, note: str | None = None) -> None:
        """Another sitting of a spot check."""
        name = checked_name(rater)
        if flaw is not None and flaw not in FLAWS:
            raise UserError(f"flaw {flaw!r}: it is one of {', '.join(FLAWS)}")
        with self.lock:
            known = said_of(self.ledger, Finding, pair)
            earlier = [said.sitting for said in known if said.rater == name]
            sitting = 1 + max(earlier, default=-1)
            fact = Finding(pair, name, sitting, flaw, planned, _note(note) if note else None, time.time())
            self.ledger.record([fact])
            self.findings[pair, name] = fact
            self.turn += 1

    def undo(self, rater: str, what: str) -> str | None:
        """Withdraw what a rater said last; the pair it was about, None where there is nothing to withdraw."""
        name = checked_name(rater)
        with self.lock:
            if what == "compare":
                return self._undo_comparison(name)
            if what == "audit":
                return self._undo_finding(name)
            mine = [one for one in self.ratings.values() if one.rater == name and one.reason != WITHDRAWN]
            if not mine:
                return None
            last = max(mine, key=lambda one: one.rated_at or 0)
            axes = [one.axis for one in mine if one.pair_id == last.pair_id]
            self.rate(name, last.pair_id, dict.fromkeys(axes), WITHDRAWN)
            return last.pair_id

    def standing_ratings(self) -> list[Rating]:
        """Everybody's latest scores."""
        with self.lock:
            return [one for one in self.ratings.values() if one.score is not None]

    def done(self) -> dict[str, set[str]]:
        """Pair → who has rated or skipped it."""
        raters: dict[str, set[str]] = defaultdict(set)
        with self.lock:
            for (pair, rater, _), one in self.ratings.items():
                if one.reason != WITHDRAWN:
                    raters[pair].add(rater)
        return raters

    def _undo_comparison(self, name: str) -> str | None:
        mine = [one for one in self.comparisons.values() if one.rater == name and one.reason != WITHDRAWN]
        if not mine:
            return None
        last = max(mine, key=lambda one: one.rated_at or 0)
        self.prefer(name, last.pair_id, last.other_id, None, WITHDRAWN)
        return last.pair_id

    def _undo_finding(self, name: str) -> str | None:
        mine = [one for one in self.findings.values() if one.rater == name and one.flaw is not None]
        if not mine:
            return None
        last = max(mine, key=lambda one: one.found_at or 0)
        self.find(name, last.pair_id, None, last.planned, WITHDRAWN)
        return last.pair_id

    def _sittings(self) -> int:
        return sum(
            one.sitting for some in (self.ratings, self.comparisons, self.findings) for one in some.values()
        )


def checked_name(rater: str) -> str:
    """A rater's name as it is kept."""
    name = " ".join(str(rater).split())
    if not _NAME.fullmatch(name):
        raise UserError("say who you are: a name of 1 to 60 letters")
    return name


def _note(text: str | None) -> str:
    return " ".join(str(text).split())[:_LONGEST_NOTE]
