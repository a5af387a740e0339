"""What an export leaves out: rows that a condition, a cap or a benchmark excludes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from triptych.datasets.benchmark_content import (
    Embed,
    instructions_below,
    pictures_in_tables_below,
    said_there,
)
from triptych.datasets.dataset import in_order
from triptych.datasets.images import Images
from triptych.datasets.perceptual import neighbours, perceptual_hash
from triptych.datasets.splits import hashes_of
from triptych.datasets.where import Condition
from triptych.errors import PictureError, UserError
from triptych.mining.select import Triplet

_PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


def matching(triplets: Iterable[Triplet], conditions: Iterable[Condition]) -> list[Triplet]:
    """Those for which every condition holds."""
    tests = [condition.holds for condition in conditions]
    return [triplet for triplet in triplets if all(holds(triplet) for holds in tests)]


def best_of_each_source(triplets: Iterable[Triplet], cap: int) -> list[Triplet]:
    """Of each source picture at most `cap` triplets, those with the highest √(adherence·aesthetics)."""
    by_source: dict[str, list[Triplet]] = defaultdict(list)
    for triplet in in_order(triplets):
        by_source[triplet.source.id].append(triplet)
    kept: list[Triplet] = []
    for group in by_source.values():
        group.sort(key=lambda triplet: (-triplet.scores.geometric_mean, triplet.id))
        kept += group[:cap]
    return in_order(kept)


@dataclass(frozen=True, slots=True)
class Decontaminated:
    """Triplets that show no picture of a benchmark and say none of its instructions, with counts."""

    triplets: list[Triplet]
    removed: int  # for a picture
    removed_by_text: int  # of the others, for an instruction
    benchmark_images: int
    benchmark_texts: int
    unreadable: int


def without_benchmark(
    triplets: Sequence[Triplet], folder: Path, images: Images, embed: Embed
) -> Decontaminated:
    """Leave out triplets of which a picture or the instruction is a near-duplicate of one under `folder`.

    UserError where there is neither a readable picture nor an instruction.
    """
    hashes = []
    unreadable = 0
    for data in _pictures_below(folder):
        try:
            hashes.append(perceptual_hash(data))
        except PictureError:
            unreadable += 1
    texts = instructions_below(folder)
    if not hashes and not texts:
        raise UserError(
            f"--decontaminate {folder}: no readable picture or instruction there; name a benchmark's folder"
        )
    met: set[str] = set()
    if hashes:
        names = sorted({name for one in triplets for name in (one.source_image, one.edited_image)})
        met = {names[one] for one, _ in neighbours(hashes_of(names, images), np.stack(hashes))}
    unseen = [one for one in triplets if not met & {one.source_image, one.edited_image}]
    said = said_there(sorted({one.instruction for one in unseen}), texts, embed)
    kept = [one for one in unseen if one.instruction not in said]
    return Decontaminated(
        kept, len(triplets) - len(unseen), len(unseen) - len(kept), len(hashes), len(texts), unreadable
    )


def _pictures_below(folder: Path) -> Iterator[bytes]:
    """Encoded pictures, files of their own or inside tables; nothing of a file that can't be read."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _PICTURES and path.is_file():
            try:
                yield path.read_bytes()
            except OSError:
                yield b""
    yield from pictures_in_tables_below(folder)
