"""Two flat folders with a file of the same name for every triplet: `target/<id>.jpg`, `control/<id>.jpg`.

Trainers that find the source by the target's name, or keep caches by it, need a target file for each triplet,
even where two triplets end in the same picture. The control takes the target's suffix, whatever its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from triptych.datasets.files import Files
from triptych.datasets.images import Images
from triptych.mining.select import Triplet


@dataclass(frozen=True, slots=True)
class PairedFiles:
    """A triplet and its two files, relative to the export."""

    triplet: Triplet
    target: str
    control: str


def copy_pairs(triplets: Iterable[Triplet], files: Files, images: Images) -> list[PairedFiles]:
    """Copy both pictures of every triplet."""
    pairs = []
    copies: dict[str, list[str]] = defaultdict(list)
    for triplet in triplets:
        name = f"{triplet.id}{images.path(triplet.edited_image).suffix}"
        pairs.append(PairedFiles(triplet, f"target/{name}", f"control/{name}"))
        copies[triplet.edited_image].append(pairs[-1].target)
        copies[triplet.source_image].append(pairs[-1].control)
    files.copy_images(copies, images)
    return pairs


def write_captions(pairs: Iterable[PairedFiles], files: Files) -> None:
    """Beside every target, its instruction as `<id>.txt`."""
    for pair in pairs:
        files.write(f"target/{pair.triplet.id}.txt", pair.triplet.instruction.encode())
