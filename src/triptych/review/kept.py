"""Rows kept in the run folder, so that a large run is read once and not at each start.

A cache and nothing more: it can be removed at any moment. A file holds what one plan makes of the facts, and
for every scene how many calls and briefs there were: a scene with more by now is read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from itertools import islice
from math import nan
from operator import attrgetter
from typing import Any, Final

import orjson

from triptych.ledger.run import RunFolder
from triptych.mining.state import Plan
from triptych.records import hash_bytes
from triptych.review.rows import UNDECIDED, Row
from triptych.wiring import plan_key

_FORMAT: Final = 1  # one more when a Row says something else of the same facts
_MOST_FILES: Final = 4
_FIELDS: Final = tuple(field.name for field in fields(Row))
_NUMBERS: Final = frozenset(field.name for field in fields(Row) if field.type == "float")


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept: rows by scene, its mark when it was read, and what holds of the whole ledger."""

    rows: Mapping[str, Sequence[Row]]
    marks: Mapping[str, int]
    doubts: int


class KeptRows:
    """The file of one run under one plan."""

    def __init__(self, folder: RunFolder, plan: Plan) -> None:
        key = hash_bytes(orjson.dumps([_FORMAT, _FIELDS, plan_key(plan)]))
        self._file = folder.path / ".cache" / "review" / f"{key}.json"

    def read(self) -> Kept:
        """What there is; nothing where the file is missing or damaged."""
        try:
            told: dict[str, Any] = orjson.loads(self._file.read_bytes())
            rows = iter([Row(*values) for values in zip(*_columns(told["rows"]), strict=True)])
            by_scene = {scene: list(islice(rows, count)) for scene, _, count in told["scenes"]}
            return Kept(by_scene, {scene: mark for scene, mark, _ in told["scenes"]}, int(told["doubts"]))
        except (OSError, ValueError, KeyError, TypeError):
            return Kept({}, {}, 0)

    def keep(self, scenes: Iterable[tuple[str, int, Sequence[Row]]], doubts: int) -> None:
        """Keep scenes (id, mark, rows) of which nothing is open. A read-only folder keeps none."""
        settled = [one for one in scenes if all(row.reason != UNDECIDED for row in one[2])]
        rows = [row for _, _, its in settled for row in its]
        told = {
            "doubts": doubts,
            "scenes": [(scene, mark, len(its)) for scene, mark, its in settled],
            "rows": {name: [*map(attrgetter(name), rows)] for name in _FIELDS},  # NaN is written as null
        }
        part = self._file.with_suffix(".part")
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(orjson.dumps(told))
            part.replace(self._file)
            self._forget_old()

    def _forget_old(self) -> None:
        known = sorted(self._file.parent.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        for path in known[:-_MOST_FILES]:
            path.unlink(missing_ok=True)


def _columns(told: Mapping[str, Sequence[Any]]) -> Iterator[Iterable[Any]]:
    for name in _FIELDS:
        if name in _NUMBERS:
            yield [nan if value is None else value for value in told[name]]
        else:
            yield map(tuple, told[name]) if name == "parents" else told[name]
