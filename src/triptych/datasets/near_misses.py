"""Known failures: attempts that the validator stopped close to the threshold, shown in the card."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from triptych.datasets.images import Images
from triptych.errors import MissingImage
from triptych.mining.select import RejectedPair
from triptych.pixels.picture import Picture, Pixels

_SHOWN = 6
_HEIGHT = 192


def near_misses(rejected: Iterable[RejectedPair]) -> list[RejectedPair]:
    """The few with the highest scores among those that the validator stopped, one for each source."""
    scored = [pair for pair in rejected if pair.gate == "validator" and pair.scores is not None]
    scored.sort(key=lambda pair: (-pair.scores.geometric_mean if pair.scores else 0, pair.id))
    first: dict[str, RejectedPair] = {}
    for pair in scored:
        first.setdefault(pair.source_image, pair)
    return list(first.values())[:_SHOWN]


def sheet(pairs: Sequence[RejectedPair], images: Images) -> tuple[list[RejectedPair], bytes]:
    """A JPEG with source and edit of each pair side by side, a row each, and those that could be shown."""
    shown: list[RejectedPair] = []
    rows: list[Pixels] = []
    for pair in pairs:
        try:
            sides = [images.get(name) for name in (pair.source_image, pair.edited_image)]
        except MissingImage:  # of a rejected pair: no reason to refuse the data set
            continue
        rows.append(np.hstack([_thumbnail(side) for side in sides]))
        shown.append(pair)
    if not rows:
        return [], b""
    width = max(row.shape[1] for row in rows)
    padded = [
        cv2.copyMakeBorder(row, 2, 2, 0, width - row.shape[1], cv2.BORDER_CONSTANT, value=(255, 255, 255))
        for row in rows
    ]
    return shown, Picture.from_pixels(np.vstack(padded).astype(np.uint8)).encoded("jpeg")


def _thumbnail(data: bytes) -> Pixels:
    pixels = Picture.from_encoded(data).pixels
    width = max(1, round(pixels.shape[1] * _HEIGHT / pixels.shape[0]))
    return np.asarray(cv2.resize(pixels, (width, _HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)
