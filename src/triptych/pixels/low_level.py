"""The low-level check: is what changed a coherent edit, or dust? Stage 6 of the method, to the letter.

D = |edited - source|; the mask is D > 40; components are 4-connected; the value is the largest component's
share of all flagged pixels. That under 0.5 % is dropped is for the decision rule to say. How D joins the
channels the paper leaves open: here it is the largest of |ΔR|, |ΔG|, |ΔB|, so a change of hue is seen too.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from triptych.errors import PictureError
from triptych.pixels.picture import Pixels

CHANGE_THRESHOLD = 40  # of 255; a pixel is flagged where a channel differs by more

_STRIP = 65_536  # pixels worked on at once, few enough to stay in the processor's cache

Mask = npt.NDArray[np.uint8]  # height × width, 0 or 255


@dataclass(frozen=True, slots=True)
class LowLevel:
    """What the low-level check measures on a pair."""

    changed_share: float  # flagged pixels of all pixels, 0..1
    largest_share: float | None  # largest component of all flagged pixels, 0..1; None: nothing is flagged
    flagged: int  # pixels


def change_mask(source: Pixels, edited: Pixels) -> Mask:
    """255 where the pair differs by more than the threshold."""
    if source.shape != edited.shape:
        raise PictureError(
            f"source and edited picture differ in size: {source.shape[1]}×{source.shape[0]} and"
            f" {edited.shape[1]}×{edited.shape[0]}; fit one to the other"
        )
    mask = np.empty(source.shape[:2], dtype=np.uint8)
    strip = min(len(mask), max(1, _STRIP // source.shape[1]))
    difference = np.empty((strip, *source.shape[1:]), dtype=np.uint8)
    red, green, blue = (np.empty(difference.shape[:2], dtype=np.uint8) for _ in range(3))
    for top in range(0, len(mask), strip):
        rows = slice(top, top + strip)
        count = len(mask[rows])
        channels = red[:count], green[:count], blue[:count]
        cv2.split(cv2.absdiff(source[rows], edited[rows], dst=difference[:count]), channels)
        cv2.max(channels[0], channels[1], dst=channels[0])
        cv2.max(channels[0], channels[2], dst=mask[rows])
    cv2.threshold(mask, CHANGE_THRESHOLD, 255, cv2.THRESH_BINARY, dst=mask)
    return mask


def low_level(mask: Mask) -> LowLevel:
    """The check's value from a change mask."""
    flagged = cv2.countNonZero(mask)
    if not flagged:
        return LowLevel(changed_share=0.0, largest_share=None, flagged=0)
    return LowLevel(flagged / mask.size, _largest_component(mask) / flagged, flagged)


def check_low_level(source: Pixels, edited: Pixels) -> LowLevel:
    """The low-level check of a pair of one size."""
    return low_level(change_mask(source, edited))


def _largest_component(mask: Mask) -> int:
    """Pixels of the largest 4-connected component of a mask that is not empty."""
    left, top, width, height = cv2.boundingRect(mask)
    # A row of zeros above and a column to the right, so that runs in memory are runs within a row.
    framed = cv2.copyMakeBorder(
        mask[top : top + height, left : left + width], 1, 0, 0, 1, cv2.BORDER_CONSTANT, value=0
    )
    _, labels = cv2.connectedComponents(framed, connectivity=4, ltype=cv2.CV_32S)
    # Areas are summed over horizontal runs, which are few: twice as fast as OpenCV's own statistics.
    flat = framed.ravel()
    ends = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts, stops = ends[0::2], ends[1::2]
    areas = np.bincount(labels.ravel()[starts], weights=stops - starts)
    return int(areas.max())
