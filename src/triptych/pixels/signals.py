"""All that is measured on a pair's pixels, in one pass that shares its intermediates.

    low_level.changed_share   share of pixels that differ by more than 40, 0..1
    low_level.largest_share   largest 4-connected component of those, 0..1; absent: nothing changed
    registration.dx .dy       pixels that the picture outside the edit moved (right, down); absent: unknown
    registration.shift        their length
    registration.zoom         percent, > 0: enlarged
    drift.lightness           mean change of CIE L* outside the edit, signed
    drift.cast                length of the mean change of (a*, b*) outside the edit
    drift.colour              mean of |ΔL*| + |Δa*| + |Δb*| over the blocks outside the edit
    sharpness.ratio           fine detail outside the edit, edited over source; < 1: blurred

"Outside the edit" is the picture less the blocks most of whose pixels are flagged, and less a margin around
them. Where hardly any of it is left, drift and sharpness are absent.
"""

from __future__ import annotations

from functools import cached_property
from math import hypot
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from triptych.pixels.low_level import Mask, change_mask, low_level
from triptych.pixels.picture import Picture, Pixels
from triptych.pixels.registration import Reference, Registration, register, working_factor

BYTES_A_PIXEL: Final = 5  # that a source and what is kept of it take: three colours, and a quarter size twice

_BLOCK = 8  # pixels: the side of the blocks that the outside of the edit is told apart by
_MARGIN = np.ones((5, 5), np.uint8)  # blocks around an edit that aren't outside of it either
_LEAST_OUTSIDE = 0.05  # of the picture
_STRIPS, _STRIP_BLOCKS = 8, 4  # sharpness is read from this many strips, each so many blocks high
_LEAST_DETAIL = 0.3  # mean |Laplacian| of 255 below which the source has no detail to lose


class Before:
    """A source, with what the checks of any edit of it need, worked out when first wanted and kept."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture

    @property
    def pixels(self) -> Pixels:
        """Decoded pixels."""
        return self.picture.pixels

    @cached_property
    def factor(self) -> int:
        """What it is reduced by for the registration check."""
        return working_factor(self.picture.width, self.picture.height)

    @cached_property
    def reference(self) -> Reference:
        """What edited pictures are laid over."""
        return Reference(_grey(_reduced(self.pixels, self.factor)))

    @cached_property
    def blocks(self) -> npt.NDArray[np.uint8]:
        """Mean CIE Lab of every block of 8 × 8 pixels."""
        return _lab_blocks(_reduced(self.pixels, self.factor), self.pixels)

    @cached_property
    def edges(self) -> npt.NDArray[np.uint8]:
        """Fine detail, in strips."""
        return _edges(self.pixels)


def measure(source: Before | Pixels, edited: Pixels) -> dict[str, float]:
    """Every signal of a pair of one size; the module's head names them. Unknown ones are absent."""
    before = source if isinstance(source, Before) else Before(Picture.from_pixels(source))
    mask = change_mask(before.pixels, edited)
    change = low_level(mask)
    signals = {"low_level.changed_share": change.changed_share}
    if change.largest_share is not None:
        signals["low_level.largest_share"] = change.largest_share

    small = _reduced(edited, before.factor)
    registration = register(before.reference, _grey(small), before.factor)
    if isinstance(registration, Registration):
        signals["registration.dx"] = registration.dx
        signals["registration.dy"] = registration.dy
        signals["registration.shift"] = registration.shift
        signals["registration.zoom"] = registration.zoom

    outside = outside_of_change(mask)
    blocks = cv2.countNonZero(outside)
    if blocks and blocks >= outside.size * _LEAST_OUTSIDE:
        signals |= _drift(before.blocks, _lab_blocks(small, edited), outside)
        signals |= _sharpness(before, edited, outside)
    return {name: round(value, 5) for name, value in signals.items()}


def get_ready() -> None:
    """Have OpenCV make its tables of colours, which takes a tenth of a second, before they are needed."""
    cv2.cvtColor(np.zeros((1, 1, 3), np.uint8), cv2.COLOR_RGB2LAB)


def outside_of_change(mask: Mask) -> Mask:
    """255 for every block of 8 × 8 pixels outside the edit, height/8 × width/8 (rounded up)."""
    height, width = mask.shape
    rows, columns = -(-height // _BLOCK), -(-width // _BLOCK)
    share = _halved(mask, columns, rows)
    # A shift by a pixel flags thin edges everywhere; only blocks that are mostly flagged are an edit.
    changed = cv2.threshold(share, 127, 255, cv2.THRESH_BINARY)[1]
    grown = cv2.dilate(changed, _MARGIN)
    return np.asarray(cv2.bitwise_not(grown), dtype=np.uint8)


def _lab_blocks(small: Pixels, whole: Pixels) -> npt.NDArray[np.uint8]:
    """Mean Lab of the blocks of the whole picture, from the reduced one."""
    height, width = whole.shape[:2]
    means = _halved(small, -(-width // _BLOCK), -(-height // _BLOCK))
    return np.asarray(cv2.cvtColor(means, cv2.COLOR_RGB2LAB), dtype=np.uint8)


def _drift(before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8], outside: Mask) -> dict[str, float]:
    mean_before, mean_after = cv2.mean(before, mask=outside), cv2.mean(after, mask=outside)
    mean_difference = cv2.mean(cv2.absdiff(before, after), mask=outside)
    lightness_scale = 100 / 255  # 8-bit Lab holds L* stretched to 255, a* and b* as they are
    return {
        "drift.lightness": (mean_after[0] - mean_before[0]) * lightness_scale,
        "drift.cast": hypot(mean_after[1] - mean_before[1], mean_after[2] - mean_before[2]),
        "drift.colour": mean_difference[0] * lightness_scale + mean_difference[1] + mean_difference[2],
    }


def _sharpness(before: Before, edited: Pixels, outside: Mask) -> dict[str, float]:
    """Mean positive Laplacian, edited over source: at full size, where softness shows; a few strips do."""
    spans = _strips(edited.shape[0])
    blocks = np.concatenate([outside[top // _BLOCK : -(-bottom // _BLOCK)] for top, bottom in spans])
    height, width = before.edges.shape
    kept: Mask = np.asarray(
        cv2.resize(blocks, (width, height), interpolation=cv2.INTER_NEAREST), dtype=np.uint8
    )
    if len(spans) > 1:  # where one strip meets the next there is an edge that no picture has
        seams = np.arange(_BLOCK * _STRIP_BLOCKS, height, _BLOCK * _STRIP_BLOCKS)
        kept[seams - 1] = kept[seams] = 0
    pixels = cv2.countNonZero(kept)
    detail = _sum_within(before.edges, kept)
    if not pixels or detail / pixels < _LEAST_DETAIL:
        return {}
    return {"sharpness.ratio": _sum_within(_edges(edited), kept) / detail}


def _strips(height: int) -> list[tuple[int, int]]:
    """First row and end of each strip, in pixels; a low picture is one strip."""
    rows = -(-height // _BLOCK)
    if rows <= _STRIPS * _STRIP_BLOCKS:
        return [(0, height)]
    firsts = np.linspace(0, rows - _STRIP_BLOCKS, _STRIPS).astype(int)
    return [(_BLOCK * int(first), min(_BLOCK * (int(first) + _STRIP_BLOCKS), height)) for first in firsts]


def _edges(pixels: Pixels) -> npt.NDArray[np.uint8]:
    """Positive Laplacian over the strips, laid one under the other."""
    spans = _strips(pixels.shape[0])
    grey = np.empty((sum(bottom - top for top, bottom in spans), pixels.shape[1]), np.uint8)
    at = 0
    for top, bottom in spans:
        cv2.cvtColor(pixels[top:bottom], cv2.COLOR_RGB2GRAY, dst=grey[at : at + bottom - top])
        at += bottom - top
    return np.asarray(cv2.Laplacian(grey, cv2.CV_8U, ksize=1), dtype=np.uint8)


def _sum_within(values: npt.NDArray[np.uint8], kept: Mask) -> float:
    return float(cv2.sumElems(cv2.bitwise_and(values, kept))[0])


def _reduced(pixels: Pixels, factor: int) -> Pixels:
    if factor == 1:
        return pixels
    height, width = pixels.shape[0] // factor, pixels.shape[1] // factor
    # Cropped to whole multiples: then every small pixel is the mean of factor × factor, and OpenCV is fast.
    whole = pixels[: height * factor, : width * factor]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _halved(image: npt.NDArray[np.uint8], width: int, height: int) -> npt.NDArray[np.uint8]:
    """Area-averaged to this size, by halves while they are whole: several times faster than in one go."""
    while image.shape[:2] != (height, width):
        half = (image.shape[1] // 2, image.shape[0] // 2)
        whole = image.shape[0] == 2 * half[1] and image.shape[1] == 2 * half[0] and half[0] >= width
        size = half if whole and half[1] >= height else (width, height)
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return image


def _grey(pixels: Pixels) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
