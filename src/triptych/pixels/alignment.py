"""Two pictures of a pair, brought to one size and never stretched.

The rule: of pictures of different size the larger one is scaled down to the smaller one's size. Where their
aspect ratios differ (editors round sides to multiples of 8 or 32), what sticks out of the larger is cut off
on both sides alike. Where that would be more than `MOST_CROPPED` of it, nobody knows how the two lie on each
other: there is no pair.
"""

from __future__ import annotations

from typing import Literal

from triptych.errors import PictureError
from triptych.pixels.photographs import as_stored, fit
from triptych.pixels.picture import Picture
from triptych.pixels.sizes import Size

MOST_CROPPED = 0.05  # of the larger picture

Alignment = Literal["same", "scaled", "cropped"]


class ShapesDiffer(PictureError):
    """Two pictures have shapes too different to be laid on each other."""


def aligned(source: bytes, edited: bytes) -> tuple[bytes, bytes, Alignment]:
    """The files of both pictures, upright, in sRGB and of one size, and what was done for it.

    A JPEG or PNG that needs nothing keeps its bytes, others become PNG. PictureError where one can't be read,
    ShapesDiffer where their aspect ratios do.
    """
    files = as_stored(source), as_stored(edited)
    one, other = map(Picture.from_encoded, files)
    if (one.width, one.height) == (other.width, other.height):
        return *files, "same"
    source_is_smaller = one.width * one.height <= other.width * other.height
    smaller, larger = (one, other) if source_is_smaller else (other, one)
    size = Size(smaller.width, smaller.height)
    aspects = size.aspect, larger.width / larger.height
    cropped = 1 - min(aspects) / max(aspects)
    if cropped > MOST_CROPPED:
        raise ShapesDiffer(
            f"source {one.width}×{one.height}, edit {other.width}×{other.height}: shapes differ too much"
        )
    how: Alignment = "scaled" if cropped * max(larger.width, larger.height) < 1 else "cropped"
    scaled = Picture.from_pixels(fit(larger.pixels, size, "crop")).encoded("png")
    return (files[0], scaled, how) if source_is_smaller else (scaled, files[1], how)
