"""Parquet as the Hugging Face Hub likes it, with the pictures' bytes as they are stored.

Row groups of at most 100 rows and 24 MB (a reader of one picture fetches no more), a page index,
content-defined chunking (a data set published again uploads only what changed), schema metadata under
`huggingface` (image columns load as `Image`). Pictures are compressed already: their columns aren't.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triptych.datasets.files import Files
from triptych.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_A_GROUP = 100
BYTES_A_GROUP = 24_000_000
BYTES_A_SHARD = 500_000_000

_FEATURES = {"string": "string", "float": "float32", "int": "int64", "double": "float64"}


def need_pyarrow() -> None:
    """UserError with the command to install it, where it isn't."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise UserError("this format needs pyarrow: pip install 'triptych[parquet]'") from None


def schema_of(columns: Mapping[str, str]) -> pa.Schema:
    """Schema of columns of these kinds: "image", "binary", "images" (binaries), "string", "strings",
    "string_lists", "int", "float" (32 bits), "double". Where `datasets` knows all of them, it is told.
    """
    import pyarrow as pa

    kinds = {
        "image": pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
        "binary": pa.binary(),
        "images": pa.list_(pa.binary()),
        "string": pa.string(),
        "strings": pa.list_(pa.string()),
        "string_lists": pa.list_(pa.list_(pa.string())),
        "int": pa.int64(),
        "float": pa.float32(),
        "double": pa.float64(),
    }
    schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
    if not {"binary", "images", "string_lists"} & set(columns.values()):
        features = {name: _feature(kind) for name, kind in columns.items()}
        schema = schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    return schema


def _feature(kind: str) -> dict[str, object]:
    if kind == "image":
        return {"_type": "Image"}
    if kind == "strings":
        return {"feature": _feature("string"), "_type": "List"}
    return {"dtype": _FEATURES[kind], "_type": "Value"}


class ShardWriter:
    """Writes rows to `<prefix>-00000-of-00002.parquet` and so on; use it in a `with`, then see `shards`."""

    def __init__(self, files: Files, prefix: str, columns: Mapping[str, str]) -> None:
        self.shards: list[tuple[str, int]] = []  # name, row groups
        self._files = files
        self._prefix = prefix
        self._columns = columns
        self._schema = schema_of(columns)
        self._rows: list[Mapping[str, object]] = []
        self._group_bytes = 0
        self._shard_bytes = 0
        self._parts: list[tuple[Path, int]] = []
        self._open: Any = None
        self._pool = ThreadPoolExecutor(1)  # one group is written while the next is read
        self._writing: Future[None] | None = None

    def __enter__(self) -> ShardWriter:
        return self

    def add(self, row: Mapping[str, object], size: int) -> None:
        """Write a row whose pictures have this many bytes."""
        if self._rows and self._group_bytes + size > BYTES_A_GROUP:
            self._flush()
        self._rows.append(row)
        self._group_bytes += size
        if len(self._rows) >= ROWS_A_GROUP:
            self._flush()

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._flush()
        finally:
            try:
                self._finish_shard()
            finally:
                self._pool.shutdown()
        if kind is None:
            for number, (part, groups) in enumerate(self._parts):
                name = f"{self._prefix}-{number:05d}-of-{len(self._parts):05d}.parquet"
                part.replace(self._files.new(name))
                self.shards.append((name, groups))

    def _flush(self) -> None:
        if not self._rows:
            return
        if self._open is not None and self._shard_bytes + self._group_bytes > BYTES_A_SHARD:
            self._finish_shard()
        if self._open is None:
            self._start_shard()
        table = self._table(self._rows)
        self._wait()
        self._writing = self._pool.submit(self._open.write_table, table)
        self._parts[-1] = (self._parts[-1][0], self._parts[-1][1] + 1)
        self._shard_bytes += self._group_bytes
        self._rows, self._group_bytes = [], 0

    def _table(self, rows: Sequence[Mapping[str, object]]) -> pa.Table:
        import pyarrow as pa

        arrays = [pa.array([row[field.name] for row in rows], field.type) for field in self._schema]
        return pa.Table.from_arrays(arrays, schema=self._schema)

    def _start_shard(self) -> None:
        import pyarrow.parquet as pq

        part = self._files.part / f"{self._prefix}-{len(self._parts):05d}.parquet.part"
        part.parent.mkdir(parents=True, exist_ok=True)
        plain = [name for name, kind in self._columns.items() if kind in ("string", "int", "float", "double")]
        self._open = pq.ParquetWriter(
            part,
            self._schema,
            compression=dict.fromkeys(plain, "zstd"),
            use_dictionary=[name for name, kind in self._columns.items() if kind == "string"],
            write_statistics=plain,
            write_page_index=True,
            use_content_defined_chunking=True,
        )
        self._parts.append((part, 0))
        self._shard_bytes = 0

    def _wait(self) -> None:
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def _finish_shard(self) -> None:
        try:
            self._wait()
        finally:
            if self._open is not None:
                self._open.close()
                self._open = None


def read_rows(paths: Iterable[Path], columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Cells of these columns row by row, as pyarrow scalars; one row group in memory at a time."""
    import pyarrow.parquet as pq

    for path in paths:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=list(columns))
                yield from zip(*(table.column(name) for name in columns), strict=True)
