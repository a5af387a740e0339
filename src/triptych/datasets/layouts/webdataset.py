"""WebDataset: tar shards with `<id>.source.jpg`, `<id>.edited.jpg` and `<id>.json`, always the same bytes."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import BinaryIO

import orjson

from triptych.datasets.dataset import DataSet
from triptych.datasets.files import Files, loaded_ahead
from triptych.datasets.images import Images, read_pieces
from triptych.datasets.layout import Found, Layout
from triptych.datasets.rows import described
from triptych.mining.select import Triplet

_BYTES_A_SHARD = 500_000_000
_BLOCK = tarfile.BLOCKSIZE

Pieces = list[memoryview]


def _write(data: DataSet, files: Files, images: Images) -> None:
    def load(triplet: Triplet) -> tuple[Triplet, list[tuple[str, Pieces]]]:
        sides = (("source", triplet.source_image), ("edited", triplet.edited_image))
        members = [
            (f"{side}{images.path(image).suffix}", read_pieces(images, image)) for side, image in sides
        ]
        row = {**described(triplet), "width": triplet.width, "height": triplet.height}
        return triplet, [*members, ("json", [memoryview(orjson.dumps(row))])]

    shard: BinaryIO | None = None
    number = written = 0
    try:
        for triplet, members in loaded_ahead(data.triplets, load):
            if shard is not None and written > _BYTES_A_SHARD:
                _finish(shard)
                shard = None
            if shard is None:
                shard = files.new(f"data-{number:05d}.tar").open("wb")
                number, written = number + 1, 0
            for name, content in members:
                written += _add(shard, f"{triplet.id}.{name}", content)
            for image, (_, content) in zip(
                (triplet.source_image, triplet.edited_image), members, strict=False
            ):
                files.count(image, sum(map(len, content)))
    finally:
        if shard is not None:
            _finish(shard)


def _finish(shard: BinaryIO) -> None:
    with shard:
        shard.write(bytes(2 * _BLOCK))


def _add(shard: BinaryIO, name: str, content: Pieces) -> int:
    """Append a member, with nothing in its header that depends on when or by whom it was written."""
    member = tarfile.TarInfo(name)
    member.size = sum(map(len, content))
    header = member.tobuf(tarfile.USTAR_FORMAT)
    padding = bytes(-member.size % _BLOCK)
    shard.writelines((header, *content, padding))
    return len(header) + member.size + len(padding)


def _read(files: Files) -> Iterator[Found]:
    for path in sorted(files.part.glob("data-*.tar")):
        sample: dict[str, bytes] = {}
        with tarfile.open(path, "r:") as shard:
            for member in shard:
                content = shard.extractfile(member)
                assert content is not None  # noqa: S101  (only files are written)
                side = member.name.split(".")[1]
                sample[side] = content.read()
                if side == "json":  # the last of each sample
                    row = orjson.loads(sample["json"])
                    yield Found(
                        row["sample_id"], row["edit_instruction"], (sample["source"], sample["edited"])
                    )
                    sample = {}


WEBDATASET = Layout(
    name="webdataset",
    summary="WebDataset: tar shards with `source.jpg`, `edited.jpg`, `json`",
    loading="""\
```python
import webdataset as wds

data = wds.WebDataset("{home}/data-00000.tar", shardshuffle=False).decode("pil")
sample = next(iter(data))
sample["source.jpg"], sample["json"]["edit_instruction"], sample["edited.jpg"]
```""",
    write=_write,
    read=_read,
)
