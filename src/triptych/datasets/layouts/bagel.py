"""BAGEL: Parquet with `image_list` and `instruction_list`, and a JSON that counts each file's row groups.

BAGEL's reader finds files by the very path in that JSON, and finds nothing, silently, where it differs: the
paths are absolute, so an export that is moved needs `parquet_info.json` edited.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from triptych.datasets.dataset import DataSet, paraphrases_of
from triptych.datasets.files import Files, loaded_ahead
from triptych.datasets.images import Images, read_published
from triptych.datasets.layout import Found, Layout
from triptych.datasets.parquet import ShardWriter, need_pyarrow, read_rows
from triptych.mining.select import Triplet

_COLUMNS = {
    "image_list": "images",
    "instruction_list": "string_lists",  # for each step, the ways to say it
    "sample_id": "string",
    "category": "string",
    "kind": "string",
}


def _write(data: DataSet, files: Files, images: Images) -> None:
    def load(triplet: Triplet) -> tuple[Triplet, list[bytes]]:
        return triplet, [
            read_published(images, triplet.source_image),
            read_published(images, triplet.edited_image),
        ]

    with ShardWriter(files, "parquet/data", _COLUMNS) as shards:
        for triplet, pictures in loaded_ahead(data.triplets, load):
            row = {
                "image_list": pictures,
                "instruction_list": [[triplet.instruction, *paraphrases_of(triplet)]],
                "sample_id": triplet.id,
                "category": triplet.category,
                "kind": triplet.kind,
            }
            for image, picture in zip((triplet.source_image, triplet.edited_image), pictures, strict=True):
                files.count(image, len(picture))
            shards.add(row, sum(map(len, pictures)))
    info = {str(files.home / name): {"num_row_groups": groups} for name, groups in shards.shards}
    files.write("parquet_info.json", orjson.dumps(info, option=orjson.OPT_INDENT_2) + b"\n")
    entry = {
        "triptych": {
            "data_dir": str(files.home / "parquet"),
            "num_files": len(shards.shards),
            "num_total_samples": len(data.triplets),
            "parquet_info_path": str(files.home / "parquet_info.json"),
        }
    }
    files.write("dataset_info.json", orjson.dumps(entry, option=orjson.OPT_INDENT_2) + b"\n")


def _read(files: Files) -> Iterator[Found]:
    info = orjson.loads((files.part / "parquet_info.json").read_bytes())
    paths = [files.part / "parquet" / name.rsplit("/", 1)[1] for name in info]
    columns = ("sample_id", "instruction_list", "image_list")
    for id_, instructions, pictures in read_rows(paths, columns):
        views = tuple(memoryview(picture.as_buffer()) for picture in pictures.values)
        yield Found(id_.as_py(), instructions.as_py()[0][0], views)


BAGEL = Layout(
    name="bagel",
    summary="BAGEL (`unified_edit`): Parquet with `image_list`, `instruction_list`; `parquet_info.json`",
    loading="Put the entry of `{home}/dataset_info.json` under `unified_edit` in `DATASET_INFO` of BAGEL's"
    " `data/dataset_info.py`, and name it in the `dataset_names` of your data config. Paths are absolute: an"
    " export that is moved gives no data until `parquet_info.json` is edited.",
    write=_write,
    read=_read,
    needs=need_pyarrow,
)
