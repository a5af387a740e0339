"""musubi-tuner: JSON lines with `image_path`, `control_path`, `caption`, and the TOML that names them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePath

import orjson

from triptych.datasets.dataset import DataSet
from triptych.datasets.files import Files
from triptych.datasets.images import Images
from triptych.datasets.layout import Found, Layout
from triptych.datasets.paired_folders import copy_pairs
from triptych.datasets.rows import json_lines


def _write(data: DataSet, files: Files, images: Images) -> None:
    pairs = copy_pairs(data.triplets, files, images)
    files.write(
        "data.jsonl",
        json_lines(
            {
                "image_path": str(files.home / pair.target),
                "control_path": str(files.home / pair.control),
                "caption": pair.triplet.instruction,
            }
            for pair in pairs
        ),
    )
    files.write("dataset.toml", _toml(files).encode())


def _toml(files: Files) -> str:
    lines, cache = (
        json.dumps(str(files.home / name), ensure_ascii=False) for name in ("data.jsonl", "cache")
    )
    return f"""\
[general]
resolution = [1024, 1024]
batch_size = 1
enable_bucket = true
bucket_no_upscale = true

[[datasets]]
image_jsonl_file = {lines}
cache_directory = {cache}
control_resolution = [1024, 1024]
"""


def _read(files: Files) -> Iterator[Found]:
    with (files.part / "data.jsonl").open("rb") as lines:
        for line in lines:
            row = orjson.loads(line)
            target, control = (
                files.part / PurePath(row[name]).relative_to(files.home)
                for name in ("image_path", "control_path")
            )
            yield Found(target.stem, row["caption"], (control, target))


MUSUBI = Layout(
    name="musubi",
    summary="musubi-tuner: `data.jsonl` (`image_path`, `control_path`, `caption`), `dataset.toml`, pictures",
    loading="`--dataset_config {home}/dataset.toml`. Paths are absolute.",
    write=_write,
    read=_read,
)
