"""A format, and what every format's export has in common: whole or not at all, described, read back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, islice
from pathlib import Path

from triptych.datasets.card import write_card
from triptych.datasets.croissant import Table, croissant
from triptych.datasets.dataset import DataSet, ExportReport, hash_of, in_order
from triptych.datasets.files import SAMPLED, Buffer, Files, loaded_ahead, own_buffer
from triptych.datasets.images import Images
from triptych.datasets.marking import is_image
from triptych.datasets.rows import json_lines, lineage, manifest
from triptych.datasets.staging import appearing_whole, keep_only
from triptych.errors import UserError, WorkFailed

_BATCH = 8


@dataclass(frozen=True, slots=True)
class Row:
    """One sample of an export, by what the ledger says: its images in the format's order."""

    id: str
    instruction: str
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """One sample as it was read back; pictures that are files of their own by their path."""

    id: str
    instruction: str
    pictures: tuple[bytes | memoryview | Path, ...]


def triplet_rows(data: DataSet) -> Sequence[Row]:
    """A sample for every triplet: source and edited image."""
    return [
        Row(triplet.id, triplet.instruction, (triplet.source_image, triplet.edited_image))
        for triplet in data.triplets
    ]


def write_scores(data: DataSet, files: Files) -> None:
    """Scores and lineage as JSON lines, apart from the images: judging anew rewrites none."""
    files.write("scores.jsonl", json_lines(lineage(triplet, data) for triplet in data.triplets))


@dataclass(frozen=True, slots=True)
class Layout:
    """A format: how it is written, and how its reader sees it. Calling it exports a data set.

    `write` is given the triplets of one split, in order, and the folder of that split; `read` gives back
    every sample there as the format's consumer would find it.
    """

    name: str
    summary: str  # who reads it, and what is written
    loading: str  # Markdown: how to load it; `{home}` is the folder
    write: Callable[[DataSet, Files, Images], None]
    read: Callable[[Files], Iterator[Found]]
    rows: Callable[[DataSet], Sequence[Row]] = triplet_rows
    scores: Callable[[DataSet, Files], None] = write_scores
    configs: Callable[[Sequence[str]], list[dict[str, object]]] | None = None  # of splits, for the Hub
    table: Table | None = None  # what Croissant metadata tells of
    nothing: str = "choose a lower threshold, or mine more"  # the mend where no row is left
    needs: Callable[[], object] | None = None  # UserError where an extra isn't installed

    def __call__(self, data: DataSet, folder: Path, images: Images) -> ExportReport:
        """Write the data set to `folder`, read it back. The same data set gives the same bytes.

        An export that was interrupted is finished by the next try. UserError where the folder isn't empty,
        MissingImage where a picture is missing or damaged, WorkFailed where what was read back differs.
        """
        if self.needs is not None:
            self.needs()
        data = replace(data, triplets=in_order(data.triplets))
        rows = self.rows(data)
        if not rows:
            raise UserError(f"nothing to export as {self.name}: {self.nothing}")
        with appearing_whole(folder) as part:
            files = Files(part, folder.absolute())
            size = 0
            for split in _splits_of(data):
                inside = files.below(split.name) if split.name else files
                self.write(split.data, inside, images)
                size += inside.image_bytes
            name = hash_of((row.id, *row.images) for row in rows)
            report = ExportReport(folder, len(rows), len(files.images), size, name)
            self.scores(data, files)
            files.write("export.json", manifest(data, self.name, report))
            write_card(data, report, self._loading(data), self._configs(data), files, images)
            if self.table is not None:
                names = [split.name for split in _splits_of(data)]
                files.write("croissant.json", croissant(data, report, self.table, names))
            keep_only(part, files.written)
            for split in _splits_of(data):
                inside = files.below(split.name) if split.name else files
                _check(self.rows(split.data), self.read(inside), files, images)
        return report

    def _loading(self, data: DataSet) -> str:
        """How to load the whole, or where it takes a folder for each split, the first."""
        whole = self.configs is not None or not data.splits
        home = data.name if whole else f"{data.name}/{_splits_of(data)[0].name}"
        return self.loading.replace("{home}", home)

    def _configs(self, data: DataSet) -> list[dict[str, object]]:
        return self.configs([split.name for split in _splits_of(data)]) if self.configs else []


@dataclass(frozen=True, slots=True)
class _Split:
    name: str  # empty where the data set isn't split
    data: DataSet


def _splits_of(data: DataSet) -> list[_Split]:
    if not data.splits:
        return [_Split("", data)]
    names = sorted(set(data.splits.values()))
    return [
        _Split(name, replace(data, triplets=[one for one in data.triplets if data.splits[one.id] == name]))
        for name in names
    ]


def _check(expected: Iterable[Row], found: Iterable[Found], files: Files, images: Images) -> None:
    """WorkFailed where what was written isn't the ledger's, DamagedImage where its own is at fault."""
    rows = {row.id: row for row in expected}
    seen: Counter[str] = Counter()
    looks = count(1)  # at files that were written as they should be

    def is_right(path: Path, image: str, buffer: Buffer) -> bool:
        if files.holds(path, image) and next(looks) % SAMPLED:
            return True
        return is_image(buffer.read(path), image)

    def check(batch: Sequence[Found]) -> list[tuple[str, str]]:
        buffer = own_buffer()
        return [
            (sample.id, problem)
            for sample in batch
            for problem in _problems(sample, rows.get(sample.id), partial(is_right, buffer=buffer), images)
        ]

    def batches() -> Iterator[list[Found]]:
        remaining = iter(found)
        while batch := list(islice(remaining, _BATCH)):
            seen.update(sample.id for sample in batch)
            yield batch

    for problems in loaded_ahead(batches(), check, ahead=4):
        for id_, problem in problems:
            raise WorkFailed(f"the export doesn't read back: {id_} {problem}; run the same command again")
    wrong = next((id_ for id_ in rows if seen[id_] != 1), None)
    if wrong is not None:
        raise WorkFailed(
            f"the export doesn't read back: {wrong} is there {seen[wrong]} times; run the same command again"
        )


def _problems(
    sample: Found, row: Row | None, is_right: Callable[[Path, str], bool], images: Images
) -> Iterator[str]:
    if row is None:
        yield "isn't in the ledger's selection"
        return
    if sample.instruction != row.instruction:
        yield f"has the instruction {sample.instruction!r}, not {row.instruction!r}"
    if len(sample.pictures) != len(row.images):
        yield f"has {len(sample.pictures)} pictures, not {len(row.images)}"
    for picture, image in zip(sample.pictures, row.images, strict=False):
        if isinstance(picture, Path):
            if is_right(picture, image):
                continue
        elif is_image(picture, image):
            continue
        images.get(image)  # where the original is damaged, that is to be said
        yield f"has another picture than {image}"
