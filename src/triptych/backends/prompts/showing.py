"""How a picture is shown to a model that takes only so many pixels.

The rule: all pictures of one question get the same scale, the largest (at most 1) that brings the source's
area under `max_pixels` and its longer side under `max_side`. Sides are rounded down to pixels, at least 1.
Shrinking averages areas. An edited picture of another size is first brought to the source's, so that both are
seen alike.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from triptych.pixels.picture import Picture


def shown_size(width: int, height: int, max_pixels: int, max_side: int) -> tuple[int, int]:
    """Width and height at which a picture is shown, by the rule above."""
    scale = min(1.0, math.sqrt(max_pixels / (width * height)), max_side / max(width, height))
    return max(1, math.floor(width * scale + 1e-9)), max(1, math.floor(height * scale + 1e-9))


def shown(picture: Picture, size: tuple[int, int]) -> Picture:
    """The picture at this width and height; itself where it has them already."""
    if (picture.width, picture.height) == size:
        return picture
    shrinks = size[0] * size[1] < picture.width * picture.height
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return Picture.from_pixels(np.asarray(cv2.resize(picture.pixels, size, interpolation=how), np.uint8))
