"""Multi-turn editing: each chain as a list of turns, in ImgEdit's fields.

metadata.jsonl   {sample_id, data: [{input_images, output_images, prompt}, …]}    images/ab/abcd….jpg
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import orjson

from triptych.datasets.dataset import DataSet, style_of
from triptych.datasets.files import Files
from triptych.datasets.images import Images
from triptych.datasets.layout import Found, Layout, Row
from triptych.datasets.rows import json_lines
from triptych.datasets.shared_images import image_name
from triptych.mining.select import Triplet
from triptych.records import Json


def _chains(data: DataSet) -> list[Triplet]:
    """Triplets that were made on what another edit made."""
    return [triplet for triplet in data.triplets if triplet.kind == "chain"]


def _pictures(chain: Triplet) -> tuple[str, ...]:
    """The source and what each turn made of it."""
    return chain.source.image, *(attempt.image for attempt in chain.attempts)


def _rows(data: DataSet) -> Sequence[Row]:
    return [
        Row(one.id, "\n".join(edit.instruction for edit in one.edits), _pictures(one))
        for one in _chains(data)
    ]


def _write(data: DataSet, files: Files, images: Images) -> None:
    chains = _chains(data)
    wanted = sorted({image for chain in chains for image in _pictures(chain)})
    names = {image: image_name(image, images) for image in wanted}
    files.copy_images({image: [name] for image, name in names.items()}, images)
    files.write("metadata.jsonl", json_lines(_record(chain, names) for chain in chains))


def _record(chain: Triplet, names: dict[str, str]) -> dict[str, Json]:
    pictures = [names[image] for image in _pictures(chain)]
    turns: list[Json] = [
        {
            "input_images": [before],
            "output_images": [after],
            "prompt": edit.instruction,
            "category": edit.category,
        }
        for before, after, edit in zip(pictures, pictures[1:], chain.edits, strict=False)
    ]
    return {"sample_id": chain.id, "data": turns, "style": style_of(chain.scene)}


def _read(files: Files) -> Iterator[Found]:
    with (files.part / "metadata.jsonl").open("rb") as lines:
        for line in lines:
            row = orjson.loads(line)
            turns = row["data"]
            names = [turns[0]["input_images"][0], *(turn["output_images"][0] for turn in turns)]
            said = "\n".join(turn["prompt"] for turn in turns)
            yield Found(row["sample_id"], said, tuple(files.part / name for name in names))


MULTITURN = Layout(
    name="multiturn",
    summary="Multi-turn editing: chains as lists of turns (`input_images`, `output_images`, `prompt`)",
    loading="Each line of `{home}/metadata.jsonl` is a chain: `data` has its turns in order, each from"
    " the picture that the one before gave.",
    write=_write,
    read=_read,
    rows=_rows,
    nothing="the selection holds no chain; mine with --set multiply.chains_per_source=2 makes them",
)
