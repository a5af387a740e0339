"""Ratings: what people said about pairs, in and out, and the removal of each rater's own bias.

A file holds one rating a row: `item, rater, axis, score` and, where known, `sitting` (0, 1, …: a later one
replaces an earlier), `time` (seconds since the epoch) and, where there is no score, the `reason`. The same
rater, item, axis and sitting twice is a repeat: with the same score a duplicate, with another a conflict.
Both are reported by line; neither is merged in silence.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Literal, TextIO, get_args

import orjson

from triptych.errors import UserError
from triptych.ledger.queries import standing
from triptych.records import Rating, RatingAxis

Axis = Literal["adherence", "aesthetics"]
AXES: tuple[Axis, ...] = get_args(Axis)
LOWEST, HIGHEST = 1.0, 5.0
_RANGES: Mapping[RatingAxis, tuple[float, float]] = {
    "adherence": (LOWEST, HIGHEST),
    "aesthetics": (LOWEST, HIGHEST),
    "accept": (0.0, 1.0),
}
_REQUIRED = ("item", "rater", "axis", "score")
_COLUMNS = (*_REQUIRED, "sitting", "time", "reason")
Key = tuple[str, str, RatingAxis, int]  # what may be said once


def key_of(rating: Rating) -> Key:
    """Pair, rater, axis and sitting: what may be said once."""
    return rating.pair_id, rating.rater, rating.axis, rating.sitting


@dataclass(frozen=True, slots=True)
class Repeat:
    """The same thing scored more than once: by which lines of the file, and as what."""

    key: Key
    lines: tuple[int, ...]
    scores: tuple[float | None, ...]

    @property
    def is_conflict(self) -> bool:
        """Whether the scores differ."""
        return len(set(self.scores)) > 1

    def __str__(self) -> str:
        item, rater, axis, sitting = self.key
        where = ", ".join(map(str, self.lines))
        scores = ", ".join("none" if score is None else f"{score:g}" for score in self.scores)
        return (
            f"lines {where}: {rater} on {item}, {axis}{f', sitting {sitting}' if sitting else ''}: {scores}"
        )


@dataclass(frozen=True, slots=True)
class RatingFile:
    """Every row of a file, as it stands, and what in it is said more than once."""

    origin: str
    rows: tuple[Rating, ...]
    repeats: tuple[Repeat, ...]

    @property
    def duplicates(self) -> tuple[Repeat, ...]:
        """Repeats that agree."""
        return tuple(repeat for repeat in self.repeats if not repeat.is_conflict)

    @property
    def conflicts(self) -> tuple[Repeat, ...]:
        """Repeats that don't."""
        return tuple(repeat for repeat in self.repeats if repeat.is_conflict)

    def settled(self, conflicts: Literal["refuse", "drop"] = "refuse") -> tuple[Rating, ...]:
        """One rating a key, to compute with: a duplicate counts once, a conflict is refused or left out."""
        if self.conflicts and conflicts == "refuse":
            first, more = self.conflicts[0], len(self.conflicts) - 1
            rest = f" (and {more} more)" if more else ""
            raise UserError(
                f"{self.origin}, {first}{rest}: conflicting scores; correct the file, or drop conflicts"
            )
        dropped = {repeat.key for repeat in self.conflicts}
        return tuple({key_of(row): row for row in self.rows if key_of(row) not in dropped}.values())


def read_ratings(path: Path, known_items: Collection[str] | None = None) -> RatingFile:
    """Read ratings from `.csv` or `.jsonl`.

    Raises UserError with the line of the first bad row; with `known_items`, also for an item that isn't one.
    """
    reader = _reader(path)
    rows: list[Rating] = []
    lines: dict[Key, list[tuple[int, float | None]]] = defaultdict(list)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            for line, values in reader(stream, path):
                rating = _parse(values, f"{path}, line {line}")
                if known_items is not None and rating.pair_id not in known_items:
                    raise UserError(
                        f"{path}, line {line}: unknown item {rating.pair_id!r}; give the run it was rated in"
                    )
                rows.append(rating)
                lines[key_of(rating)].append((line, rating.score))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} can't be read as ratings ({error}); give a CSV or JSONL file") from None
    if not rows:
        raise UserError(f"{path}: no ratings in it; a row is {', '.join(_REQUIRED)}")
    repeats = (
        Repeat(key, tuple(line for line, _ in said), tuple(score for _, score in said))
        for key, said in lines.items()
        if len(said) > 1
    )
    return RatingFile(str(path), tuple(rows), tuple(repeats))


def write_ratings(path: Path, ratings: Iterable[Rating]) -> None:
    """Write ratings as `.csv` or `.jsonl`, so that `read_ratings` gives the same rows."""
    rows = (dict(zip(_COLUMNS, _values(rating), strict=True)) for rating in ratings)
    if path.suffix == ".jsonl":
        path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    elif path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, _COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    else:
        raise _unknown_format(path)


def _values(rating: Rating) -> tuple[str | float | None, ...]:
    said = rating.pair_id, rating.rater, rating.axis, rating.score
    return (*said, rating.sitting, rating.rated_at, rating.reason)


def _unknown_format(path: Path) -> UserError:
    return UserError(f"{path}: ratings are .csv or .jsonl; rename it")


def _reader(path: Path) -> Callable[[TextIO, Path], Iterator[tuple[int, Mapping[str, object]]]]:
    if path.suffix == ".csv":
        return _csv_rows
    if path.suffix == ".jsonl":
        return _jsonl_rows
    raise _unknown_format(path)


def _csv_rows(stream: TextIO, path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    reader = csv.DictReader(stream)
    _check_columns(reader.fieldnames or (), f"{path}, line 1")
    for row in reader:
        if None in row or None in row.values():
            raise UserError(f"{path}, line {reader.line_num}: not as many fields as the header; mend it")
        yield reader.line_num, row


def _jsonl_rows(stream: TextIO, path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    for line, text in enumerate(stream, 1):
        if not text.strip():
            continue
        try:
            values = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise UserError(f"{path}, line {line}: not JSON; one object a line") from None
        if not isinstance(values, dict):
            raise UserError(f"{path}, line {line}: one JSON object a line, with {', '.join(_REQUIRED)}")
        _check_columns(values, f"{path}, line {line}")
        yield line, values


def _check_columns(names: Collection[str], where: str) -> None:
    missing = [name for name in _REQUIRED if name not in names]
    unknown = [name for name in names if name not in _COLUMNS]
    if missing:
        raise UserError(f"{where}: no {', '.join(missing)}; a row is {', '.join(_COLUMNS)}")
    if unknown:
        raise UserError(f"{where}: unknown column {unknown[0]!r}; a row is {', '.join(_COLUMNS)}")


def _parse(values: Mapping[str, object], where: str) -> Rating:
    item, rater, said_axis = (str(values[name] or "").strip() for name in _REQUIRED[:3])
    if not item or not rater:
        raise UserError(f"{where}: no {'rater' if item else 'item'}; every rating names both")
    axis = next((name for name in _RANGES if name == said_axis), None)
    if axis is None:
        raise UserError(f"{where}: axis {said_axis!r}; it is {', '.join(_RANGES)}")
    score = _number(values["score"], "score", where)
    reason = str(values.get("reason") or "").strip() or None
    lowest, highest = _RANGES[axis]
    if score is None and reason is None:
        raise UserError(f"{where}: score {values['score']!r}; where there is none, give the reason")
    if score is not None and (not lowest <= score <= highest or (axis == "accept" and score % 1)):
        told = "0 or 1" if axis == "accept" else f"from {lowest:g} to {highest:g}"
        raise UserError(f"{where}: score {values['score']!r} is not {told}; mend the row")
    time = _number(values.get("time"), "time", where)
    return Rating(item, rater, axis, _sitting(values.get("sitting"), where), score, reason, time)


def _sitting(value: object, where: str) -> int:
    number = _number(value, "sitting", where) or 0.0
    if number % 1 or not 0 <= number < 2**31:
        raise UserError(f"{where}: sitting {value!r}; it counts 0, 1, 2, …: a later one replaces an earlier")
    return int(number)


def _number(value: object, name: str, where: str) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(value) if isinstance(value, str | int | float) else math.nan
    except ValueError:
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        raise UserError(f"{where}: {name} {value!r} is not a number; mend the row")
    return number


def scores_of(ratings: Iterable[Rating], axis: RatingAxis) -> Iterator[tuple[str, str, float]]:
    """(item, rater, score) of one axis; of a rater's sittings on an item, the last."""
    for rating in standing(rating for rating in ratings if rating.axis == axis):
        if rating.score is not None:
            yield rating.pair_id, rating.rater, rating.score


@dataclass(frozen=True, slots=True)
class Unbiased:
    """Scores of one axis after each rater's bias is taken off."""

    scores: Mapping[str, float]  # of each item; may pass 1..5 a little
    bias: Mapping[str, float]  # of each rater, in points: above 0 is lenient
    raters: Mapping[str, int]  # how many scored each item


def remove_rater_bias(ratings: Iterable[Rating], axis: Axis) -> Unbiased:
    """Final scores of one axis, as in arXiv 2507.14119.

    b_j = mean of rater j's scores − mean of the item means of what j rated; final = mean of (s − b_j).
    Of a rater's sittings on one item the last counts.
    """
    by_item: dict[str, list[tuple[str, float]]] = defaultdict(list)
    by_rater: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for item, rater, score in scores_of(ratings, axis):
        by_item[item].append((rater, score))
        by_rater[rater].append((item, score))
    if not by_rater:
        raise UserError(f"no ratings of {axis}; every item needs some on both axes")
    if len(by_rater) == 1:
        raise UserError(
            f"all ratings of {axis} are by {next(iter(by_rater))!r}: with one rater, bias can't be told from"
            " quality; have at least 2 people rate the same items"
        )
    means = {item: fmean(score for _, score in said) for item, said in by_item.items()}
    bias = {
        rater: fmean(score for _, score in said) - fmean(means[item] for item, _ in said)
        for rater, said in by_rater.items()
    }
    final = {item: fmean(score - bias[rater] for rater, score in said) for item, said in by_item.items()}
    return Unbiased(final, bias, {item: len(said) for item, said in by_item.items()})
