"""Step1X-Edit: one JSON `{target: {ref_image_path, caption}}` with absolute paths, and its TOML."""

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


def _write(data: DataSet, files: Files, images: Images) -> None:
    rows = {
        str(files.home / pair.target): {
            "ref_image_path": str(files.home / pair.control),
            "caption": pair.triplet.instruction,
        }
        for pair in copy_pairs(data.triplets, files, images)
    }
    files.write("metadata.json", orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")
    files.write("dataset.toml", _toml(files).encode())


def _toml(files: Files) -> str:
    folder, metadata = (
        json.dumps(str(files.home / name), ensure_ascii=False) for name in ("target", "metadata.json")
    )
    return f"""\
[general]
shuffle_caption = false
caption_extension = '.txt'
keep_tokens = 1

[[datasets]]
resolution = [768, 768]
batch_size = 1
edit_dataset = true

  [[datasets.subsets]]
  image_dir = {folder}
  metadata_file = {metadata}
"""


def _read(files: Files) -> Iterator[Found]:
    for target, row in orjson.loads((files.part / "metadata.json").read_bytes()).items():
        control, edited = (
            files.part / PurePath(path).relative_to(files.home) for path in (row["ref_image_path"], target)
        )
        yield Found(edited.stem, row["caption"], (control, edited))


STEP1X = Layout(
    name="step1x",
    summary="Step1X-Edit: `metadata.json` (`{target: {ref_image_path, caption}}`), `dataset.toml`, pictures",
    loading="`--dataset_config {home}/dataset.toml`. Paths are absolute.",
    write=_write,
    read=_read,
)
