"""The layout of NHR-Edit: JPEG files and `metadata.jsonl`; `load_dataset` reads it as an image folder too.

README.md         the card                      images/ab/abcd….jpg   both sides, named by their hash
metadata.jsonl    one triplet a line            export.json           counts, recipes, rules, specs, hash
scores.jsonl      scores and lineage, by `sample_id`: judging anew rewrites no image and no metadata

A row of `metadata.jsonl` has the fields of NHR-Edit and no other. `datasets` turns `source_file_name` into a
column of pictures called `source`; the same for `edited`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import orjson

from triptych.datasets.croissant import Table
from triptych.datasets.dataset import DataSet
from triptych.datasets.files import Files
from triptych.datasets.images import Images
from triptych.datasets.layout import Found, Layout
from triptych.datasets.rows import described, json_lines
from triptych.datasets.shared_images import copy_shared
from triptych.mining.select import Triplet
from triptych.records import Json

_COLUMNS = {
    "sample_id": "string",
    "source_file_name": "string",
    "edited_file_name": "string",
    "edit_instruction": "string",
    "augmented_instructions": "strings",
    "category": "string",
    "style": "string",
    "kind": "string",
    "img_width": "int",
    "img_height": "int",
}


def _write(data: DataSet, files: Files, images: Images) -> None:
    names = copy_shared(data.triplets, files, images)
    files.write("metadata.jsonl", json_lines(_row(triplet, names) for triplet in data.triplets))


def _row(triplet: Triplet, names: Mapping[str, str]) -> dict[str, Json]:
    source, edited = names[triplet.source_image], names[triplet.edited_image]
    return {
        "sample_id": triplet.id,
        "source_file_name": source,
        "edited_file_name": edited,
        **described(triplet),
        "img_width": triplet.width,
        "img_height": triplet.height,
    }


def _read(files: Files) -> Iterator[Found]:
    with (files.part / "metadata.jsonl").open("rb") as lines:
        for line in lines:
            row = orjson.loads(line)
            pictures = (files.part / row[f"{side}_file_name"] for side in ("source", "edited"))
            yield Found(row["sample_id"], row["edit_instruction"], tuple(pictures))


NHR = Layout(
    name="nhr",
    summary="NHR-Edit's own layout; `datasets` (imagefolder): `metadata.jsonl`, `images/ab/….jpg`",
    loading="""\
```python
from datasets import load_dataset

data = load_dataset("imagefolder", data_dir="{home}", split="train")
data[0]["source"], data[0]["edit_instruction"], data[0]["edited"]
```""",
    write=_write,
    read=_read,
    table=Table("metadata.jsonl", "application/jsonlines", _COLUMNS),
)
