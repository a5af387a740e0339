"""What a rater is shown next: the most informative or a random pair, shared out with overlap."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Literal

import numpy as np

from triptych.mining.select import KINDS
from triptych.records import identify
from triptych.review.filters import Filter
from triptych.review.index import Places, Table
from triptych.review.people import WITHDRAWN, People
from triptych.review.rows import STAGES

Order = Literal["informative", "random"]
_LEASE_SECONDS = 15 * 60  # a pair that was shown to somebody isn't shown to another for so long
_WIDTH = 0.25  # points from the threshold at which a pair tells half as much


@dataclass(frozen=True, slots=True)
class Asked:
    """How a rater wants to be asked."""

    rater: str
    order: Order
    overlap: float  # share of the pairs that every rater gets; the others go to whoever comes first
    wanted: Filter


@dataclass(frozen=True, slots=True)
class Next:
    """A pair to rate (place in the table; None: all done), and how far the rater is."""

    place: int | None
    done: int
    total: int  # that this rater can get: done, and still open


@dataclass(slots=True)
class Leases:
    """Who was shown what, and until when."""

    held: dict[str, tuple[str, float]] = field(default_factory=dict)

    def of_another(self, id_: str, rater: str) -> bool:
        """Whether somebody else has it before them."""
        holder = self.held.get(id_)
        return holder is not None and holder[0] != rater and holder[1] > time.monotonic()

    def take(self, id_: str, rater: str) -> None:
        """Show it to this rater alone for a while."""
        for held, (holder, _) in list(self.held.items()):
            if holder == rater:
                del self.held[held]
        self.held[id_] = rater, time.monotonic() + _LEASE_SECONDS


def pool(table: Table, wanted: Filter) -> Places:
    """The pairs that may be asked for, each once: by default those that the validator scored."""
    return table.kept(("pool", wanted), lambda: _pool(table, wanted))


def _pool(table: Table, wanted: Filter) -> Places:
    values = dict(wanted.values)
    values.setdefault("kind", frozenset(KINDS))
    narrowed = wanted.passed or {"stage", "reason"} & set(values) or wanted.ranges
    passed = wanted.passed if narrowed else STAGES.index("low_level")
    asked = replace(wanted, values=tuple(values.items()), passed=passed, sort="run", descending=False)
    places = table.find(asked).tolist()
    return np.array([place for place in places if table.by_id[table.rows[place].id] == place], dtype=np.intp)


def informativeness(table: Table, places: Places) -> np.ndarray:
    """0..2: how near the threshold a pair is, and how far the two judges are apart on it."""
    columns = table.columns[places]
    near = 1 / (1 + np.abs(columns["margin"]) / _WIDTH)
    apart = np.minimum(columns["disagreement"] / 2, 1)
    worth: np.ndarray = np.nan_to_num(near) + np.nan_to_num(apart)
    return worth


def ordered(table: Table, wanted: Filter, order: Order) -> Places:
    """The pool in the order in which it is asked, the same for everybody."""
    return table.kept(("order", order, wanted), lambda: _ordered(table, pool(table, wanted), order))


def _ordered(table: Table, places: Places, order: Order) -> Places:
    if order == "random":
        chance = np.array([identify("rate", table.rows[place].id) for place in places.tolist()])
        return places[np.argsort(chance, kind="stable")] if len(places) else places
    return places[np.argsort(-informativeness(table, places), kind="stable")]


def next_pair(table: Table, people: People, leases: Leases, asked: Asked) -> Next:
    """The first pair of the order that this rater has still to rate."""
    raters = people.done()
    places = ordered(table, asked.wanted, asked.order)
    members = set(pool(table, asked.wanted).tolist())
    inside = {id_: by for id_, by in raters.items() if table.by_id.get(id_, -1) in members}
    done = sum(asked.rater in by for by in inside.values())
    others = sum(asked.rater not in by and not is_shared(id_, asked.overlap) for id_, by in inside.items())
    for place in places.tolist():
        id_ = table.rows[place].id
        by = raters.get(id_, set())
        if asked.rater in by:
            continue
        if is_shared(id_, asked.overlap) or not (by or leases.of_another(id_, asked.rater)):
            leases.take(id_, asked.rater)
            return Next(place, done, len(places) - others)
    return Next(None, done, len(places) - others)


def is_shared(id_: str, overlap: float) -> bool:
    """Whether everybody gets this pair; the same share of any pool, whoever rates it."""
    return int(identify("overlap", id_)[:8], 16) / 16**8 < overlap


@dataclass(frozen=True, slots=True)
class NextTwo:
    """Two attempts at one edit to compare, in the order in which they are shown."""

    places: tuple[int, int] | None
    done: int
    total: int


def next_two(table: Table, people: People, asked: Asked) -> NextTwo:
    """Two attempts at one edit that this rater hasn't compared: those nearest in score, or any."""
    done = {
        (said.pair_id, said.other_id)
        for said in people.comparisons.values()
        if said.rater == asked.rater and said.reason != WITHDRAWN
    }
    lanes: dict[str, list[int]] = {}
    for place in pool(table, asked.wanted).tolist():
        if table.rows[place].lane:
            lanes.setdefault(table.rows[place].lane, []).append(place)
    keyed = sorted((_key(table, one, other, asked.order), one, other) for one, other in _twos(lanes, table))
    compared = 0
    found: tuple[int, int] | None = None
    for _, one, other in keyed:
        ids = sorted((table.rows[one].id, table.rows[other].id))
        if (ids[0], ids[1]) in done:
            compared += 1
        elif found is None:
            swapped = int(identify("side", asked.rater, *ids)[:1], 16) % 2
            found = (other, one) if swapped else (one, other)
    return NextTwo(found, compared, len(keyed))


def _twos(lanes: Mapping[str, list[int]], table: Table) -> Iterator[tuple[int, int]]:
    for places in lanes.values():
        for one, other in combinations(places[:6], 2):
            if table.rows[one].edited_image != table.rows[other].edited_image:
                yield one, other


def _key(table: Table, one: int, other: int, order: Order) -> tuple[float, str]:
    chance = identify("two", *sorted((table.rows[one].id, table.rows[other].id)))
    if order == "random":
        return 0.0, chance
    apart = abs(float(table.columns["score"][one]) - float(table.columns["score"][other]))
    return (99.0 if np.isnan(apart) else round(apart, 3)), chance
