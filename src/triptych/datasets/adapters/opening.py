"""Somebody's data set as pairs: what lies in its folder decides how it is read."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from pathlib import Path

from triptych.datasets.adapters.containers import (
    ArrowFile,
    Container,
    JsonFile,
    LinesFile,
    PairedFolders,
    ParquetFile,
    PromptFolders,
    Row,
    TarFile,
    Wanted,
)
from triptych.datasets.adapters.fields import Fields, fields_of, is_edit_record
from triptych.datasets.adapters.pictures import Pictures
from triptych.datasets.adapters.sample import Sample, Skipped, Unusable
from triptych.errors import UserError

_LOOKED_AT = 50  # records of a file that are looked at before it is said to hold no pairs
_SUFFIXES: Sequence[tuple[tuple[str, ...], Callable[[Path], Container]]] = (  # in the order of trust
    ((".parquet",), ParquetFile),
    ((".arrow",), ArrowFile),
    ((".jsonl", ".ndjson", ".csv"), LinesFile),
    ((".json",), JsonFile),
    ((".tar", ".tar.gz", ".tgz"), TarFile),
)


@dataclass(frozen=True, slots=True)
class ForeignDataSet:
    """A data set as its pairs can be read; nothing is read yet."""

    path: Path
    containers: Sequence[Container]
    pictures: Pictures

    def samples(self, most: int | None = None, seed: int = 0) -> Iterator[Sample | Skipped]:
        """Its pairs in order, and the rows that gave none; or those of so many records, drawn by the seed.

        A record of several turns or edits counts once, and gives all its pairs.
        """
        drawn = None if most is None else self._drawn(most, seed)
        for number, container in enumerate(self.containers):
            rows = container.rows() if drawn is None else container.rows(drawn[number])
            for row in rows:
                if isinstance(row, Skipped):
                    yield row
                else:
                    yield from self._pairs(row)

    def _drawn(self, most: int, seed: int) -> list[Wanted]:
        """The numbers of the drawn records, by container."""
        ends = list(accumulate(container.count() for container in self.containers))
        total = ends[-1]
        drawn: list[set[int]] = [set() for _ in self.containers]
        for number in random.Random(seed).sample(range(total), min(most, total)):
            place = bisect_right(ends, number)
            drawn[place].add(number - (ends[place - 1] if place else 0))
        return list(drawn)

    def _pairs(self, row: Row) -> Iterator[Sample | Skipped]:
        try:
            for fields in fields_of(row.record):
                yield self._pair(row, fields)
        except Unusable as problem:
            yield Skipped(row.name, problem.reason)

    def _pair(self, row: Row, fields: Fields) -> Sample | Skipped:
        name = f"{row.name} ({fields.name})" if fields.name else row.name
        if fields.instruction is None:
            return Skipped(name, "no_instruction")
        if fields.source is None or fields.edited is None:
            return Skipped(name, "no_picture")
        try:
            sides = [
                side if isinstance(side, bytes) else self.pictures.get(side, row.beside)
                for side in (fields.source, fields.edited)
            ]
        except Unusable as problem:
            return Skipped(name, problem.reason)
        return Sample(name, sides[0], fields.instruction, sides[1], fields.category)


def open_dataset(path: Path) -> ForeignDataSet:
    """The data set in a folder or file. UserError where there is none that is known."""
    if not path.exists():
        raise UserError(f"{path}: no such file or folder: name a data set")
    try:
        containers = _file(path) if path.is_file() else _folder(path)
    except OSError as error:
        raise UserError(f"{path} can't be read ({error.strerror}): check its rights") from None
    return ForeignDataSet(path, containers, Pictures(path if path.is_dir() else path.parent))


def _file(path: Path) -> list[Container]:
    for suffixes, kind in _SUFFIXES:
        if path.name.lower().endswith(suffixes):
            return _with_pairs([kind(path)], path)
    known = ", ".join(suffix for suffixes, _ in _SUFFIXES for suffix in suffixes)
    raise UserError(f"{path} is no data set that is known: give a folder, or a file of {known}")


def _folder(path: Path) -> list[Container]:
    if (path / "seeds.json").is_file() or next(path.glob("*/prompt.json"), None):
        return [PromptFolders(path)]
    if (path / "control").is_dir() and next((path / "target").glob("*.txt"), None):
        return [PairedFolders(path)]
    files = [
        one
        for one in sorted(path.rglob("*"))
        if one.is_file() and not any(part.startswith(".") for part in one.relative_to(path).parts)
    ]
    seen: list[Container] = []
    for suffixes, kind in _SUFFIXES:
        of_kind = [kind(one) for one in files if one.name.lower().endswith(suffixes)]
        if found := [one for one in of_kind if _has_pairs(one)]:
            return found
        seen += of_kind
    return _with_pairs(seen, path)


def _has_pairs(container: Container) -> bool:
    """Whether any of the first records has the parts of a pair; a damaged file counts where it is named."""
    first = islice(container.rows(), _LOOKED_AT)
    return any(isinstance(row, Row) and is_edit_record(row.record) for row in first)


def _with_pairs(containers: list[Container], path: Path) -> list[Container]:
    found = [container for container in containers if _has_pairs(container)]
    if found:
        return found
    first = next((row for one in containers for row in one.rows() if isinstance(row, Row)), None)
    if first is None:
        raise UserError(
            f"{path}: nothing in it is a data set: Parquet, Arrow, JSON lines, JSON, CSV, tar shards or"
            " folders of pictures; docs/audit.md has the layouts"
        )
    columns = ", ".join(sorted(map(str, first.columns or first.record))) or "none"
    raise UserError(
        f"{path}: no columns for a source picture, an instruction and an edited picture ({first.name} has"
        f" {columns}): rename them to source_image, edit_instruction, edited_image"
    )
