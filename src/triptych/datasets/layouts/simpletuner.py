"""SimpleTuner: two back ends, targets with captions and references of the same names (`reference_strict`)."""

from __future__ import annotations

import orjson

from triptych.datasets.dataset import DataSet
from triptych.datasets.files import Files
from triptych.datasets.images import Images
from triptych.datasets.layout import Layout
from triptych.datasets.layouts.ai_toolkit import read_captioned
from triptych.datasets.paired_folders import copy_pairs, write_captions


def _write(data: DataSet, files: Files, images: Images) -> None:
    write_captions(copy_pairs(data.triplets, files, images), files)
    targets, references = f"{data.name}-targets", f"{data.name}-references"
    backends = [
        {
            "id": targets,
            "type": "local",
            "dataset_type": "image",
            "instance_data_dir": str(files.home / "target"),
            "caption_strategy": "textfile",
            "conditioning_data": [references],
            "resolution": 1024,
            "resolution_type": "pixel_area",
            "cache_dir_vae": f"cache/vae/{targets}",
        },
        {
            "id": references,
            "type": "local",
            "dataset_type": "conditioning",
            "instance_data_dir": str(files.home / "control"),
            "conditioning_type": "reference_strict",
            "caption_strategy": None,
            "resolution": 1024,
            "resolution_type": "pixel_area",
            "cache_dir_vae": f"cache/vae/{references}",
        },
        {
            "id": "text-embeds",
            "type": "local",
            "dataset_type": "text_embeds",
            "default": True,
            "cache_dir": f"cache/text/{data.name}",
        },
    ]
    files.write("multidatabackend.json", orjson.dumps(backends, option=orjson.OPT_INDENT_2) + b"\n")


SIMPLETUNER = Layout(
    name="simpletuner",
    summary="SimpleTuner: `target/` with `.txt` captions, `control/`, `multidatabackend.json`",
    loading="`--data_backend_config {home}/multidatabackend.json`. Paths are absolute.",
    write=_write,
    read=read_captioned,
)
