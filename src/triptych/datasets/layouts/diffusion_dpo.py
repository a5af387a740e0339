"""Diffusion-DPO: `jpg_0`, `jpg_1`, `label_0`, `caption` as its training script reads them, and the source."""

from __future__ import annotations

from collections.abc import Iterator

from triptych.datasets.dataset import DataSet
from triptych.datasets.files import Files, loaded_ahead
from triptych.datasets.images import Images, read_published
from triptych.datasets.layout import Found, Layout
from triptych.datasets.parquet import ShardWriter, need_pyarrow, read_rows
from triptych.datasets.preferences import Preference, explained, preference_rows, preferences_of

_PICTURES = ("source_jpg", "jpg_0", "jpg_1")
_COLUMNS = {
    "jpg_0": "binary",
    "jpg_1": "binary",
    "label_0": "double",  # 1: the first is better, 0: the second
    "caption": "string",
    "source_jpg": "binary",
    "key": "string",
    "reason": "string",
    "margin": "double",
    "category": "string",
    "kind": "string",
}


def _write(data: DataSet, files: Files, images: Images) -> None:
    def load(one: Preference) -> tuple[Preference, list[bytes]]:
        return one, [read_published(images, image) for image in one.images]

    with ShardWriter(files, "data", _COLUMNS) as shards:
        for one, pictures in loaded_ahead(preferences_of(data), load):
            for image, picture in zip(one.images, pictures, strict=True):
                files.count(image, len(picture))
            row = {
                **dict(zip(_PICTURES, pictures, strict=True)),
                "label_0": 1.0 if one.chosen_is_left else 0.0,
                "caption": one.chosen.instruction,
                "key": one.id,
                **explained(one),
            }
            shards.add(row, sum(map(len, pictures)))


def _read(files: Files) -> Iterator[Found]:
    paths = sorted(files.part.glob("data-*.parquet"))
    for id_, instruction, *pictures in read_rows(paths, ("key", "caption", *_PICTURES)):
        yield Found(id_.as_py(), instruction.as_py(), tuple(memoryview(one.as_buffer()) for one in pictures))


DIFFUSION_DPO = Layout(
    name="diffusion-dpo",
    summary="Diffusion-DPO: Parquet with `jpg_0`, `jpg_1` (bytes), `label_0`, `caption`, and `source_jpg`",
    loading="`load_dataset('parquet', data_files='{home}/data-*.parquet')`; Diffusion-DPO's scripts read"
    " `jpg_0`, `jpg_1`, `label_0`, `caption`; `source_jpg` is what the editor was given.",
    write=_write,
    read=_read,
    rows=preference_rows,
    needs=need_pyarrow,
)
