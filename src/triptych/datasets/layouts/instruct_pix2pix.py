"""The raw layout of InstructPix2Pix: `seeds.json`, and a folder for each triplet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import orjson

from triptych.datasets.dataset import DataSet
from triptych.datasets.files import Files
from triptych.datasets.images import Images
from triptych.datasets.layout import Found, Layout

_SEED = "0"  # one edited picture for each instruction


def _write(data: DataSet, files: Files, images: Images) -> None:
    copies: dict[str, list[str]] = defaultdict(list)
    for triplet in data.triplets:
        # The reader looks for this suffix and opens whatever picture the file holds.
        copies[triplet.source_image].append(f"{triplet.id}/{_SEED}_0.jpg")
        copies[triplet.edited_image].append(f"{triplet.id}/{_SEED}_1.jpg")
    files.copy_images(copies, images)
    for triplet in data.triplets:
        prompt = {"input": triplet.scene.prompt or "", "edit": triplet.instruction, "output": ""}
        files.write(f"{triplet.id}/prompt.json", orjson.dumps(prompt) + b"\n")
    seeds = [[triplet.id, [_SEED]] for triplet in data.triplets]
    files.write("seeds.json", orjson.dumps(seeds) + b"\n")


def _read(files: Files) -> Iterator[Found]:
    for name, seeds in orjson.loads((files.part / "seeds.json").read_bytes()):
        folder = files.part / name
        prompt = orjson.loads((folder / "prompt.json").read_bytes())
        yield Found(name, prompt["edit"], (folder / f"{seeds[0]}_0.jpg", folder / f"{seeds[0]}_1.jpg"))


INSTRUCT_PIX2PIX = Layout(
    name="instruct-pix2pix",
    summary="InstructPix2Pix's own code: `seeds.json`, `<id>/prompt.json`, `<id>/0_0.jpg`, `<id>/0_1.jpg`",
    loading='`EditDataset(path="{home}", split="train")` of InstructPix2Pix\'s `edit_dataset.py`. It takes'
    " its own 90 % of the folders for training; `output`, a caption of the edited picture, is empty.",
    write=_write,
    read=_read,
)
