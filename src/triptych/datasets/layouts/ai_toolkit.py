"""ai-toolkit: a folder of targets with captions as text files, and a folder of controls of the same names."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from triptych.datasets.dataset import DataSet
from triptych.datasets.files import Files
from triptych.datasets.images import Images
from triptych.datasets.layout import Found, Layout
from triptych.datasets.paired_folders import copy_pairs, write_captions


def _write(data: DataSet, files: Files, images: Images) -> None:
    write_captions(copy_pairs(data.triplets, files, images), files)
    datasets = [
        {
            "folder_path": str(files.home / "target"),
            "control_path": str(files.home / "control"),
            "caption_ext": "txt",
            "resolution": [512, 768, 1024],
        }
    ]
    files.write("datasets.yaml", yaml.safe_dump({"datasets": datasets}, sort_keys=False).encode())


def read_captioned(files: Files) -> Iterator[Found]:
    """Targets with a caption beside them, and the control of the same name."""
    for target in sorted((files.part / "target").iterdir()):
        if target.suffix != ".txt":
            caption = target.with_suffix(".txt").read_bytes().decode()
            yield Found(target.stem, caption, (files.part / "control" / target.name, target))


AI_TOOLKIT = Layout(
    name="ai-toolkit",
    summary="ai-toolkit: `target/` with `.txt` captions, `control/` by the same names, `datasets.yaml`",
    loading="Put the `datasets` of `{home}/datasets.yaml` in your job's `process`. Paths are absolute.",
    write=_write,
    read=read_captioned,
)
