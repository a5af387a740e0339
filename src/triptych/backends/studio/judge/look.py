"""A picture as the judges work on it: reduced to one size, with what is derived from it made once."""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from triptych.backends.studio.canvas import Array
from triptych.backends.studio.judge.opinions import Opinion
from triptych.pixels.picture import Picture, Pixels, pixel_hash

SIDE: Final = 192  # px: geometric mean of the sides of the reduced picture; boxes are in its pixels
KEPT: Final = 6  # looks remembered by a process: the attempts at one source come in a row
_EDGE_FLOOR: Final = np.float32(0.02)


class Look:
    """A picture, reduced."""

    def __init__(self, pixels: Pixels, rgb: Array | None = None) -> None:
        self.pixels = pixels
        self._rgb = rgb
        self.remembered: Opinion | None = None  # what the heads made of it
        height, width = pixels.shape[:2]
        self.full_side = float((width * height) ** 0.5)
        scale = SIDE / self.full_side
        self.width, self.height = max(16, round(width * scale)), max(16, round(height * scale))

    @cached_property
    def rgb(self) -> Array:
        """Reduced to `SIDE`, 0..1."""
        return _reduced(self.pixels, self.width, self.height) if self._rgb is None else self._rgb

    @cached_property
    def lab(self) -> Array:
        """CIE L*a*b* of `rgb`."""
        return lab(self.rgb)

    @cached_property
    def edges(self) -> Array:
        """Oriented edges of `rgb`; see `oriented_edges`."""
        return oriented_edges(self.rgb)

    @cached_property
    def coarse_edges(self) -> Array:
        """`edges` at half the size."""
        return halved(self.edges)

    @cached_property
    def fine_grey(self) -> Array:
        """Luminance at twice `SIDE`, 0..1."""
        grey = cv2.cvtColor(self.pixels, cv2.COLOR_RGB2GRAY)
        size = (2 * self.width, 2 * self.height)
        method = cv2.INTER_AREA if size[0] < grey.shape[1] else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(grey, size, interpolation=method), np.float32) / np.float32(255)

    @cached_property
    def gradient(self) -> tuple[Array, Array]:
        """Slopes of the luminance of `rgb`, across and down."""
        grey = cv2.GaussianBlur(cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY), (0, 0), 0.8)
        return (
            np.asarray(cv2.Sobel(grey, cv2.CV_32F, 1, 0), np.float32),
            np.asarray(cv2.Sobel(grey, cv2.CV_32F, 0, 1), np.float32),
        )

    def moved_back(self, dx: float, dy: float, zoom: float) -> Look:
        """The look with a shift (px of the full picture) and a zoom (percent) about the middle undone."""
        scale = SIDE / self.full_side
        factor = 1 + zoom / 100
        middle_x, middle_y = (self.width - 1) / 2, (self.height - 1) / 2
        matrix = np.array(
            [
                [factor, 0, middle_x * (1 - factor) + dx * scale],
                [0, factor, middle_y * (1 - factor) + dy * scale],
            ]
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        moved = cv2.warpAffine(
            self.rgb, matrix, (self.width, self.height), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        return Look(self.pixels, np.asarray(moved, np.float32))


class Looks:
    """The last few looks of this process."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Look] = OrderedDict()

    def of(self, picture: Picture) -> Look:
        """The look of a picture, made anew only where it isn't remembered."""
        name = pixel_hash(picture.pixels)
        look = self._kept.pop(name, None) or Look(picture.pixels)
        self._kept[name] = look
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return look


def lab(rgb: Array) -> Array:
    """CIE L*a*b* of RGB 0..1."""
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2Lab), np.float32)


def oriented_edges(rgb: Array) -> Array:
    """How strong an edge each pixel is on and which way it runs, whichever of its sides is the lighter.

    Three channels: the square root of the strength, and that times the cosine and sine of twice the angle,
    from the structure tensor summed over the colours.
    """
    smooth = cv2.GaussianBlur(rgb, (0, 0), 0.7)
    across = cv2.Sobel(smooth, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    xx, yy = (across * across).sum(axis=2), (down * down).sum(axis=2)
    xy = (across * down).sum(axis=2)
    total = xx + yy + np.float32(1e-6)
    strength = np.sqrt(np.sqrt(total) + _EDGE_FLOOR) - np.sqrt(_EDGE_FLOOR)
    return np.dstack([strength, strength * (xx - yy) / total, strength * (2 * xy) / total]).astype(np.float32)


def halved(field: Array) -> Array:
    """At half the size, each pixel the mean of four."""
    size = (max(1, field.shape[1] // 2), max(1, field.shape[0] // 2))
    return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_AREA), np.float32)


def _reduced(pixels: Pixels, width: int, height: int) -> Array:
    method = cv2.INTER_AREA if width < pixels.shape[1] else cv2.INTER_LINEAR
    small: NDArray[np.uint8] = np.asarray(cv2.resize(pixels, (width, height), interpolation=method), np.uint8)
    return small.astype(np.float32) / np.float32(255)
