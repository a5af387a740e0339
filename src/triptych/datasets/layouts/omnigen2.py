"""OmniGen2: JSON lines with `task_type: edit`, and the YAML mix that names them. Its paths are absolute."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

import orjson
import yaml

from triptych.datasets.dataset import DataSet
from triptych.datasets.files import Files
from triptych.datasets.images import Images
from triptych.datasets.layout import Found, Layout
from triptych.datasets.rows import described, json_lines
from triptych.datasets.shared_images import copy_shared


def _write(data: DataSet, files: Files, images: Images) -> None:
    names = copy_shared(data.triplets, files, images)
    files.write(
        "edit.jsonl",
        json_lines(
            {
                "task_type": "edit",
                "instruction": triplet.instruction,
                "input_images": [str(files.home / names[triplet.source_image])],
                "output_image": str(files.home / names[triplet.edited_image]),
                **described(triplet),
            }
            for triplet in data.triplets
        ),
    )
    mix = {
        "ratio_type": "inside_ratio",
        "data": [{"path": str(files.home / "edit.jsonl"), "type": "edit", "ratio": 1.0}],
    }
    files.write("mix.yml", yaml.safe_dump(mix, sort_keys=False).encode())


def _read(files: Files) -> Iterator[Found]:
    with (files.part / "edit.jsonl").open("rb") as lines:
        for line in lines:
            row = orjson.loads(line)
            pictures = tuple(
                files.part / PurePath(path).relative_to(files.home)
                for path in (*row["input_images"], row["output_image"])
            )
            yield Found(row["sample_id"], row["instruction"], pictures)


OMNIGEN2 = Layout(
    name="omnigen2",
    summary="OmniGen2: `edit.jsonl` (`task_type`, `instruction`, `input_images`, `output_image`), `mix.yml`",
    loading="Set `data.data_path` of OmniGen2's `options/ft.yml` to `{home}/mix.yml`. Paths are absolute.",
    write=_write,
    read=_read,
)
