"""Rows of a run as compact columns, so that any filter over hundreds of thousands is an array operation.

One block a scene: when facts come, the block of their scene is read again and the others stay.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from triptych.records import Json
from triptych.review.filters import NUMBERS, VALUES, Filter
from triptych.review.rows import HELD_AS_DERIVED, STAGES, Row
from triptych.validator.rule import Rule

Places = NDArray[np.intp]

_COLUMNS: Final = np.dtype(
    [
        ("kind", "u2"),
        ("category", "u2"),
        ("style", "u2"),
        ("size", "u2"),
        ("stage", "u2"),
        ("reason", "u2"),
        ("gates", "?"),
        ("lane", "i4"),  # -1: nothing competes with it
        ("chance", "u4"),
        ("adherence", "f8"),  # thresholds are compared with these
        ("aesthetics", "f8"),
        ("score", "f8"),
        ("soft_adherence", "f8"),
        ("soft_aesthetics", "f8"),
        ("disagreement", "f8"),
        ("margin", "f8"),
        ("inverse", "f4"),
    ]
)
_ANSWERS_KEPT = 64


@dataclass(slots=True)
class Vocabulary:
    """Numbers for the few words that a column holds."""

    words: list[str] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, word: str) -> int:
        """Number of a word, a new one if need be."""
        known = self.numbers.get(word)
        if known is None:
            known = self.numbers[word] = len(self.words)
            self.words.append(word)
        return known


@dataclass(frozen=True, slots=True)
class Block:
    """The rows of one scene."""

    ordinal: int
    rows: Sequence[Row]
    columns: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Table:
    """All rows at one moment; what is asked of it never changes."""

    rows: Sequence[Row]
    columns: NDArray[Any]
    words: Mapping[str, Sequence[str]]
    texts: Sequence[str]  # lower case, to search
    by_id: Mapping[str, int]
    answers: OrderedDict[Hashable, Places] = field(default_factory=OrderedDict)

    def find(self, wanted: Filter) -> Places:
        """Places of the rows that pass, in the order asked for."""
        return self.kept(wanted, lambda: self._sorted(np.flatnonzero(self.mask(wanted)), wanted))

    def kept(self, question: Hashable, ask: Callable[[], Places]) -> Places:
        """The answer to a question about this table, which is asked once."""
        known = self.answers.get(question)
        if known is None:
            known = self.answers[question] = ask()
            while len(self.answers) > _ANSWERS_KEPT:
                self.answers.popitem(last=False)
        return known

    def mask(self, wanted: Filter, *, without: str = "") -> NDArray[np.bool_]:
        """Which rows pass; `without` one field's own condition, to count what else it could be."""
        passing = np.ones(len(self.rows), dtype=np.bool_)
        for name, values in wanted.values:
            if name != without:
                chosen = [number for number, word in enumerate(self.words[name]) if word in values]
                passing &= np.isin(self.columns[name], chosen)
        for name, low, high in wanted.ranges:
            if name != without:
                column = self.columns[name]
                # NaN compares false: a row without a score is in no range of scores.
                passing &= (column >= low - 1e-6) & (column <= high + 1e-6)
        if wanted.passed:
            passing &= self.columns["stage"] >= wanted.passed
        for name in ("lane", "scene"):
            id_ = getattr(wanted, name)
            if id_:
                places = np.flatnonzero(passing)
                passing[places] = [getattr(self.rows[place], name) == id_ for place in places.tolist()]
        if wanted.words:
            places = np.flatnonzero(passing)
            passing[places] = [
                all(word in self.texts[place] for word in wanted.words) for place in places.tolist()
            ]
        return passing

    def facets(self, wanted: Filter) -> dict[str, Json]:
        """For each field of values: word → how many rows it would leave."""
        told: dict[str, Json] = {}
        for name in VALUES:
            counts = np.bincount(
                self.columns[name][self.mask(wanted, without=name)], minlength=len(self.words[name])
            )
            told[name] = {word: int(counts[number]) for number, word in enumerate(self.words[name])}
        return told

    def _sorted(self, places: Places, wanted: Filter) -> Places:
        if wanted.sort == "run":
            return places[::-1] if wanted.descending else places
        if wanted.sort == "category":
            order = np.argsort(np.argsort(np.array(self.words["category"], dtype=object)))
            key = order[self.columns["category"][places]].astype(np.float64)
        elif wanted.sort == "mix":
            key = self.columns["chance"][places].astype(np.float64)
        elif wanted.sort == "near":
            key = np.abs(self.columns["margin"][places]).astype(np.float64)
        else:
            key = self.columns[wanted.sort][places].astype(np.float64)
        if wanted.descending:
            key = -key
        return places[np.argsort(key, kind="stable")]  # NaN comes last either way


class Index:
    """Blocks by scene, and the table of all of them."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._blocks: dict[str, Block] = {}
        self._words = {name: Vocabulary() for name in VALUES}
        self._lanes = Vocabulary()
        for stage in STAGES:
            self._words["stage"].number(stage)
        self.table = self._joined()

    def put(self, scene: str, ordinal: int, rows: Sequence[Row]) -> None:
        """Add a scene's rows, or put them in the place of those it had; `publish` shows them."""
        self._blocks[scene] = Block(ordinal, rows, self._columns(rows))

    def put_all(self, scenes: Sequence[tuple[str, int, Sequence[Row]]]) -> None:
        """As `put`, of many scenes at once."""
        columns = self._columns([row for _, _, rows in scenes for row in rows])
        first = 0
        for scene, ordinal, rows in scenes:
            self._blocks[scene] = Block(ordinal, rows, columns[first : first + len(rows)])
            first += len(rows)

    def rows(self, scene: str) -> Sequence[Row] | None:
        """The rows of a scene; None where it was never put."""
        block = self._blocks.get(scene)
        return None if block is None else block.rows

    def publish(self) -> Table:
        """Make the table anew from all blocks."""
        self.table = self._joined()
        return self.table

    def _columns(self, rows: Sequence[Row]) -> NDArray[Any]:
        columns = np.zeros(len(rows), dtype=_COLUMNS)
        for name in ("kind", "category", "style", "reason"):
            columns[name] = [self._words[name].number(getattr(row, name)) for row in rows]
        columns["size"] = [self._words["size"].number(f"{row.width}×{row.height}") for row in rows]
        for name in ("stage", "gates", "adherence", "aesthetics", "soft_adherence", "soft_aesthetics"):
            columns[name] = [getattr(row, name) for row in rows]
        columns["lane"] = [self._lanes.number(row.lane) if row.lane else -1 for row in rows]
        columns["inverse"] = [row.inverse for row in rows]
        columns["chance"] = [int(row.id[-8:], 16) for row in rows]
        columns["score"] = np.sqrt(columns["adherence"] * columns["aesthetics"])
        own, derived = self._rule.threshold, self._rule.for_derived.threshold
        is_derived = np.array([row.kind in HELD_AS_DERIVED for row in rows], dtype=np.bool_)
        columns["margin"] = np.minimum(
            columns["adherence"] - np.where(is_derived, derived.adherence, own.adherence),
            columns["aesthetics"] - np.where(is_derived, derived.aesthetics, own.aesthetics),
        )
        columns["disagreement"] = np.maximum(
            np.abs(columns["adherence"] - columns["soft_adherence"]),
            np.abs(columns["aesthetics"] - columns["soft_aesthetics"]),
        )
        for name in ("score", "margin", "disagreement"):  # so that what is shown is what is sorted by
            columns[name] = np.round(columns[name], 4)
        return columns

    def _joined(self) -> Table:
        blocks = sorted(self._blocks.values(), key=lambda block: block.ordinal)
        rows = [row for block in blocks for row in block.rows]
        columns, first = np.empty(len(rows), dtype=_COLUMNS), 0
        for block in blocks:  # np.concatenate compares the fields of every two blocks
            columns[first : first + len(block.rows)] = block.columns
            first += len(block.rows)
        by_id: dict[str, int] = {}
        for place, row in enumerate(rows):  # of several attempts with one Pair, the one that came furthest
            other = by_id.get(row.id)
            if other is None or rows[other].stage < row.stage:
                by_id[row.id] = place
        return Table(
            rows,
            columns,
            {name: tuple(words.words) for name, words in self._words.items()},
            [f"{row.instruction} {row.prompt}".lower() for row in rows],
            by_id,
        )


def plain(table: Table, places: Iterable[int]) -> list[dict[str, Json]]:
    """Rows as the page reads them."""
    return [_plain(table, int(place)) for place in places]


def _plain(table: Table, place: int) -> dict[str, Json]:
    row, columns = table.rows[place], table.columns[place]
    numbers: dict[str, Json] = {name: _number(columns[name]) for name in NUMBERS}
    return numbers | {
        "id": row.id,
        "kind": row.kind,
        "source": row.source_image,
        "edited": row.edited_image,
        "instruction": row.instruction,
        "category": row.category,
        "style": row.style,
        "width": row.width,
        "height": row.height,
        "stage": STAGES[row.stage],
        "reason": row.reason,
    }


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
