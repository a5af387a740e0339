"""Lance: one table with the pictures in it, for random access and for training straight from it.

Lance names its files by random ids and stamps its manifests with the time: what is in the table is the same
for the same run, the files' bytes are not.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from triptych.datasets.dataset import DataSet
from triptych.datasets.files import Files, loaded_ahead
from triptych.datasets.images import Images, read_published
from triptych.datasets.layout import Found, Layout
from triptych.datasets.parquet import need_pyarrow
from triptych.datasets.rows import described
from triptych.errors import UserError
from triptych.mining.select import Triplet

_TABLE = "data.lance"
_ROWS_A_BATCH = 16
_BYTES_A_FILE = 500_000_000


def need_lance() -> None:
    """UserError with the command to install it, where it isn't."""
    need_pyarrow()
    try:
        import lance  # noqa: F401
    except ImportError:
        raise UserError("this format needs Lance: pip install 'triptych[lance]'") from None


def _write(data: DataSet, files: Files, images: Images) -> None:
    import lance
    import pyarrow as pa

    text, texts = pa.string(), pa.list_(pa.string())
    schema = pa.schema(
        [
            ("source_image", pa.large_binary()),
            ("edited_image", pa.large_binary()),
            ("edit_instruction", text),
            ("sample_id", text),
            ("augmented_instructions", texts),
            ("category", text),
            ("style", text),
            ("kind", text),
            ("width", pa.int64()),
            ("height", pa.int64()),
        ]
    )

    def row(triplet: Triplet) -> dict[str, object]:
        source, edited = (read_published(images, one) for one in (triplet.source_image, triplet.edited_image))
        shape = {"width": triplet.width, "height": triplet.height}
        return {"source_image": source, "edited_image": edited, **described(triplet), **shape}

    def batches() -> Iterator[pa.RecordBatch]:
        rows: list[dict[str, object]] = []
        for triplet, made in zip(data.triplets, loaded_ahead(data.triplets, row), strict=True):
            for image, side in (
                (triplet.source_image, "source_image"),
                (triplet.edited_image, "edited_image"),
            ):
                files.count(image, len(made[side]))  # type: ignore[arg-type]
            rows.append(made)
            if len(rows) == _ROWS_A_BATCH:
                yield pa.RecordBatch.from_pylist(rows, schema)
                rows = []
        if rows:
            yield pa.RecordBatch.from_pylist(rows, schema)

    folder = files.part / _TABLE
    shutil.rmtree(folder, ignore_errors=True)  # of a try that was interrupted
    folder.parent.mkdir(parents=True, exist_ok=True)
    reader = pa.RecordBatchReader.from_batches(schema, batches())
    lance.write_dataset(reader, str(folder), max_bytes_per_file=_BYTES_A_FILE)
    files.written.update(path for path in folder.rglob("*") if path.is_file())


def _read(files: Files) -> Iterator[Found]:
    import lance

    columns = ["sample_id", "edit_instruction", "source_image", "edited_image"]
    table = lance.dataset(str(files.part / _TABLE))
    for batch in table.to_batches(columns=columns, batch_size=_ROWS_A_BATCH):
        for id_, instruction, *pictures in zip(*(batch.column(name) for name in columns), strict=True):
            views = tuple(memoryview(picture.as_buffer()) for picture in pictures)
            yield Found(id_.as_py(), instruction.as_py(), views)


LANCE = Layout(
    name="lance",
    summary="Lance: one table with the pictures in it, for random access",
    loading="""\
```python
import lance

data = lance.dataset("{home}/data.lance")
data.take([0], columns=["source_image", "edit_instruction", "edited_image"])
```""",
    write=_write,
    read=_read,
    needs=need_lance,
)
