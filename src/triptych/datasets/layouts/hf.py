"""Parquet for the Hugging Face Hub: columns `source_image`, `edited_image`, `edit_instruction`, and more.

Scores and lineage are a second config, `scores`, keyed by `sample_id`: judging anew rewrites no image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from triptych.datasets.croissant import Table
from triptych.datasets.dataset import DataSet
from triptych.datasets.files import Files, loaded_ahead
from triptych.datasets.images import Images, read_published
from triptych.datasets.layout import Found, Layout
from triptych.datasets.parquet import ShardWriter, need_pyarrow, read_rows
from triptych.datasets.rows import described, lineage
from triptych.mining.select import Triplet

_COLUMNS = {
    "source_image": "image",
    "edited_image": "image",
    "edit_instruction": "string",
    "sample_id": "string",
    "augmented_instructions": "strings",
    "category": "string",
    "style": "string",
    "kind": "string",
    "width": "int",
    "height": "int",
}
_NOT_TEXT = {
    "parents": "strings",
    "adherence": "double",
    "aesthetics": "double",
    "geometric_mean": "double",
    "source_seed": "int",
    "attempt_seed": "int",
}


def _write(data: DataSet, files: Files, images: Images) -> None:
    def load(triplet: Triplet) -> tuple[Triplet, bytes, bytes]:
        return (
            triplet,
            read_published(images, triplet.source_image),
            read_published(images, triplet.edited_image),
        )

    with ShardWriter(files, "data", _COLUMNS) as shards:
        for triplet, source, edited in loaded_ahead(data.triplets, load):
            row: dict[str, object] = {
                "source_image": {"bytes": source, "path": images.path(triplet.source_image).name},
                "edited_image": {"bytes": edited, "path": images.path(triplet.edited_image).name},
                **described(triplet),
                "width": triplet.width,
                "height": triplet.height,
            }
            files.count(triplet.source_image, len(source))
            files.count(triplet.edited_image, len(edited))
            shards.add(row, len(source) + len(edited))


def _write_scores(data: DataSet, files: Files) -> None:
    rows = [lineage(triplet, data) for triplet in data.triplets]
    columns = {name: _NOT_TEXT.get(name, "string") for name in rows[0]}
    with ShardWriter(files, "scores/scores", columns) as shards:
        for row in rows:
            shards.add(row, 0)


def _read(files: Files) -> Iterator[Found]:
    columns = ("sample_id", "edit_instruction", "source_image", "edited_image")
    for id_, instruction, source, edited in read_rows(sorted(files.part.glob("data-*.parquet")), columns):
        pictures = (memoryview(side["bytes"].as_buffer()) for side in (source, edited))
        yield Found(id_.as_py(), instruction.as_py(), tuple(pictures))


def _configs(splits: Sequence[str]) -> list[dict[str, object]]:
    data = [
        {"split": name or "train", "path": f"{name}/data-*.parquet" if name else "data-*.parquet"}
        for name in splits
    ]
    return [
        {"config_name": "default", "data_files": data, "default": True},
        {"config_name": "scores", "data_files": [{"split": "train", "path": "scores/*.parquet"}]},
    ]


HF = Layout(
    name="hf",
    summary="Hugging Face `datasets`, diffusers' training scripts: Parquet shards with the pictures in them",
    loading="""\
```python
from datasets import load_dataset

data = load_dataset("{home}", split="train")
data[0]["source_image"], data[0]["edit_instruction"], data[0]["edited_image"]
scores = load_dataset("{home}", "scores", split="train")  # by sample_id
```

diffusers: `train_instruct_pix2pix.py --original_image_column source_image --edit_prompt_column
edit_instruction --edited_image_column edited_image`; scripts for FLUX Kontext: `--cond_image_column
source_image --image_column edited_image --caption_column edit_instruction` (they
decode the whole split to memory: export with `--limit`).""",
    write=_write,
    read=_read,
    scores=_write_scores,
    configs=_configs,
    table=Table("data-*.parquet", "application/x-parquet", _COLUMNS),
    needs=need_pyarrow,
)
