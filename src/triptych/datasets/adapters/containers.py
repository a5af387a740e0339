"""The containers that edit data sets come in, each as numbered records of named values.

`count` looks at no picture, so that a sample can be drawn before anything is read; `rows` then reads the
wanted ones alone. A record that can't be read is a `Skipped`, and the others follow.
"""

from __future__ import annotations

import csv
import json
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Container as Holds
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from triptych.datasets.adapters.fields import KNOWN, Record, plain_name
from triptych.datasets.adapters.sample import Skipped
from triptych.datasets.parquet import need_pyarrow

if TYPE_CHECKING:
    import pyarrow as pa

Wanted = Holds[int] | None  # None: all
_LISTS = ("data", "annotations", "samples", "items")  # where a JSON object keeps its records
_PARQUET_ROWS = 16  # decoded at once: rows of two pictures may have megabytes


@dataclass(frozen=True, slots=True)
class Row:
    """A record, its place for people, and the folder that its relative names start from."""

    name: str
    beside: Path
    record: Record
    columns: Sequence[str] = ()  # of the table, those too that weren't read; empty: as in the record


class Container(Protocol):
    """A file or folder of records."""

    def count(self) -> int:
        """How many records there are, damaged ones too."""

    def rows(self, wanted: Wanted = None) -> Iterator[Row | Skipped]:
        """The records whose number, from 0, is wanted."""


@dataclass(frozen=True, slots=True)
class ParquetFile:
    """One Parquet file; of its columns only those that may be parts of a pair are read."""

    path: Path

    def count(self) -> int:
        """As `Container`."""
        need_pyarrow()
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return int(pq.read_metadata(self.path).num_rows)
        except (pa.ArrowException, OSError):
            return 1

    def rows(self, wanted: Wanted = None) -> Iterator[Row | Skipped]:
        """As `Container`; a row group without a wanted row isn't read."""
        need_pyarrow()
        import pyarrow as pa
        import pyarrow.parquet as pq

        number = 0
        try:
            with pq.ParquetFile(self.path) as file:
                columns = _known(file.schema_arrow)
                for group in range(file.num_row_groups):
                    held = file.metadata.row_group(group).num_rows
                    if not any(_is_in(row, wanted) for row in range(number, number + held)):
                        number += held
                        continue
                    batches = file.iter_batches(_PARQUET_ROWS, row_groups=[group], columns=columns)
                    for batch in batches:
                        yield from _rows_of(batch, number, self.path, wanted, file.schema_arrow.names)
                        number += batch.num_rows
        except (pa.ArrowException, OSError):
            yield Skipped(f"{self.path.name}:{number}", "damaged_file")


@dataclass(frozen=True, slots=True)
class ArrowFile:
    """One Arrow stream, as `Dataset.save_to_disk` of `datasets` writes them."""

    path: Path

    def count(self) -> int:
        """As `Container`."""
        import pyarrow as pa

        try:
            return sum(batch.num_rows for batch in self._batches())
        except (pa.ArrowException, OSError):
            return 1

    def rows(self, wanted: Wanted = None) -> Iterator[Row | Skipped]:
        """As `Container`."""
        need_pyarrow()
        import pyarrow as pa

        number = 0
        try:
            for batch in self._batches():
                known = batch.select(_known(batch.schema))
                yield from _rows_of(known, number, self.path, wanted, batch.schema.names)
                number += batch.num_rows
        except (pa.ArrowException, OSError):
            yield Skipped(f"{self.path.name}:{number}", "damaged_file")

    def _batches(self) -> Iterator[Any]:
        need_pyarrow()
        import pyarrow as pa

        with pa.memory_map(str(self.path)) as file, pa.ipc.open_stream(file) as stream:
            yield from stream


@dataclass(frozen=True, slots=True)
class LinesFile:
    """JSON lines, or CSV with a head."""

    path: Path

    def count(self) -> int:
        """As `Container`."""
        return sum(1 for _ in self._records())

    def rows(self, wanted: Wanted = None) -> Iterator[Row | Skipped]:
        """As `Container`."""
        for number, (line, record) in enumerate(self._records()):
            if not _is_in(number, wanted):
                continue
            name = f"{self.path.name}:{line}"
            found = _object(record) if isinstance(record, bytes) else record
            yield Skipped(name, "bad_record") if found is None else Row(name, self.path.parent, found)

    def _records(self) -> Iterator[tuple[int, bytes | Record]]:
        """(number of the line, its bytes or what a row of CSV holds); empty lines are none."""
        if self.path.suffix == ".csv":
            with self.path.open(encoding="utf-8", errors="replace", newline="") as file:
                try:
                    yield from enumerate(csv.DictReader(file), start=2)
                except csv.Error:
                    yield 0, b"damaged"
            return
        with self.path.open("rb") as lines:
            yield from ((number, line) for number, line in enumerate(lines, start=1) if line.strip())


@dataclass(frozen=True, slots=True)
class JsonFile:
    """One JSON document: a list of records, an object that holds one, or records by their target."""

    path: Path

    def count(self) -> int:
        """As `Container`."""
        return len(self._records())

    def rows(self, wanted: Wanted = None) -> Iterator[Row | Skipped]:
        """As `Container`."""
        for number, record in enumerate(self._records()):
            if _is_in(number, wanted):
                name = f"{self.path.name}:{number}"
                yield (
                    Row(name, self.path.parent, record)
                    if isinstance(record, Mapping)
                    else Skipped(name, "bad_record")
                )

    def _records(self) -> Sequence[object]:
        try:
            document = orjson.loads(self.path.read_bytes())
        except (orjson.JSONDecodeError, OSError):
            return [None]
        if isinstance(document, list):
            return document
        if not isinstance(document, dict):
            return [None]
        for name in _LISTS:
            if isinstance(document.get(name), list):
                records: list[object] = document[name]
                return records
        if document and all(isinstance(value, dict) for value in document.values()):
            return [{"target_image": name, **value} for name, value in document.items()]
        return [document]


@dataclass(frozen=True, slots=True)
class TarFile:
    """A WebDataset shard: files of one key, up to the first dot, are one record."""

    path: Path

    def count(self) -> int:
        """As `Container`."""
        return sum(1 for _ in self._records(lambda _: False))

    def rows(self, wanted: Wanted = None) -> Iterator[Row | Skipped]:
        """As `Container`."""
        for number, record in enumerate(self._records(lambda number: _is_in(number, wanted))):
            if isinstance(record, Skipped):
                yield record
            elif _is_in(number, wanted):
                yield Row(f"{self.path.name}:{number}", self.path.parent, record)

    def _records(self, is_wanted: Callable[[int], bool]) -> Iterator[Record | Skipped]:
        """Every record; of those that aren't wanted, the key alone."""
        number = -1
        record: dict[str, object] = {}
        try:
            with tarfile.open(self.path, "r:*") as archive:
                for member in archive:
                    if not member.isfile():
                        continue
                    name = PurePosixPath(member.name)
                    stem, _, part = name.name.partition(".")
                    key = str(name.with_name(stem))
                    if key != record.get("__key__"):
                        if record:
                            yield record
                        record, number = {"__key__": key}, number + 1
                    if is_wanted(number):
                        content = archive.extractfile(member)
                        record |= _part(part, content.read() if content else b"")
            if record:
                yield record
        except (tarfile.TarError, OSError, EOFError, zlib.error):
            yield Skipped(f"{self.path.name}:{max(number, 0)}", "damaged_file")


@dataclass(frozen=True, slots=True)
class PromptFolders:
    """The raw layout of InstructPix2Pix: `<dir>/prompt.json`, `<dir>/{seed}_0.jpg`, `<dir>/{seed}_1.jpg`."""

    path: Path

    def count(self) -> int:
        """As `Container`."""
        return len(self._pairs())

    def rows(self, wanted: Wanted = None) -> Iterator[Row | Skipped]:
        """As `Container`."""
        for number, (folder, seed) in enumerate(self._pairs()):
            if not _is_in(number, wanted):
                continue
            name = f"{folder.name}/{seed}"
            try:
                prompt = _object((folder / "prompt.json").read_bytes())
            except OSError:
                prompt = None
            if prompt is None:
                yield Skipped(name, "bad_record")
                continue
            sides = {"source_image": f"{seed}_0.jpg", "edited_image": f"{seed}_1.jpg"}
            yield Row(name, folder, {**sides, "edit": prompt.get("edit"), "id": name})

    def _pairs(self) -> list[tuple[Path, str]]:
        try:
            listed = json.loads((self.path / "seeds.json").read_bytes())
            return [(self.path / str(name), str(seed)) for name, seeds in listed for seed in seeds]
        except (OSError, ValueError, TypeError):  # not every copy has the list
            found = sorted(self.path.glob("*/*_0.jpg"))
            return [(path.parent, path.stem.removesuffix("_0")) for path in found]


@dataclass(frozen=True, slots=True)
class PairedFolders:
    """`target/` with a `.txt` beside every picture, and `control/` with the same names."""

    path: Path

    def count(self) -> int:
        """As `Container`."""
        return len(self._targets())

    def rows(self, wanted: Wanted = None) -> Iterator[Row | Skipped]:
        """As `Container`."""
        for number, target in enumerate(self._targets()):
            if _is_in(number, wanted):
                caption = target.with_suffix(".txt")
                text = caption.read_text("utf-8", "replace") if caption.is_file() else None
                record = {
                    "source_image": f"control/{target.name}",
                    "edited_image": f"target/{target.name}",
                    "caption": text,
                    "id": target.stem,
                }
                yield Row(f"target/{target.name}", self.path, record)

    def _targets(self) -> list[Path]:
        return [path for path in sorted((self.path / "target").iterdir()) if path.suffix != ".txt"]


def _known(schema: pa.Schema) -> list[str]:
    return [name for name in schema.names if plain_name(name) in KNOWN]


def _rows_of(
    batch: pa.RecordBatch, number: int, path: Path, wanted: Wanted, columns: Sequence[str]
) -> Iterator[Row]:
    """The wanted rows of a batch whose first row has this number."""
    for place in range(batch.num_rows):
        if _is_in(number + place, wanted):
            record = batch.slice(place, 1).to_pylist()[0]
            yield Row(f"{path.name}:{number + place}", path.parent, record, columns)


def _is_in(number: int, wanted: Wanted) -> bool:
    return wanted is None or number in wanted


def _object(data: bytes) -> Record | None:
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _part(part: str, content: bytes) -> dict[str, object]:
    """What a member adds to its record: JSON its fields, text a text, a picture itself, by its name."""
    name, _, suffix = part.rpartition(".")
    if suffix == "json":
        return dict(_object(content) or {"json": None})
    if suffix in ("txt", "text"):
        return {name or "text": content.decode("utf-8", "replace")}
    return {name or suffix: content}
