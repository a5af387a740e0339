"""DiffSynth-Studio: `metadata.json` with `image` (the target), `prompt`, `edit_image`; the pictures."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from triptych.datasets.dataset import DataSet
from triptych.datasets.files import Files
from triptych.datasets.images import Images
from triptych.datasets.layout import Found, Layout
from triptych.datasets.rows import described
from triptych.datasets.shared_images import copy_shared


def _write(data: DataSet, files: Files, images: Images) -> None:
    names = copy_shared(data.triplets, files, images)
    rows = [
        {
            "image": names[triplet.edited_image],
            "prompt": triplet.instruction,
            "edit_image": names[triplet.source_image],
            "kontext_images": names[triplet.source_image],
            **described(triplet),
        }
        for triplet in data.triplets
    ]
    files.write("metadata.json", orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")


def _read(files: Files) -> Iterator[Found]:
    for row in orjson.loads((files.part / "metadata.json").read_bytes()):
        pictures = (files.part / row["edit_image"], files.part / row["image"])
        yield Found(row["sample_id"], row["prompt"], pictures)


DIFFSYNTH = Layout(
    name="diffsynth",
    summary="DiffSynth-Studio: `metadata.json` (`image`, `prompt`, `edit_image`, `kontext_images`), pictures",
    loading="""\
```
accelerate launch examples/qwen_image/model_training/train.py \\
  --dataset_base_path {home} --dataset_metadata_path {home}/metadata.json \\
  --data_file_keys image,edit_image --extra_inputs edit_image
```

FLUX.1 Kontext: `--data_file_keys image,kontext_images --extra_inputs kontext_images`.""",
    write=_write,
    read=_read,
)
