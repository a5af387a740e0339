"""The registration check: did the picture outside the edit shift or zoom? Edit models like to, slightly.

Corners of the source, spread over a grid, are followed into the edited picture: pyramidal Lucas-Kanade on a
high-passed luminance, so that drift of colour or light hardly matters. RANSAC finds the similarity that most
of them agree on, so that the edited place has no say; reweighted least squares sharpen it. Where fewer agree
than can be trusted the answer is unknown, with the reason: never 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, sqrt
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.uint8]  # height × width
Points = npt.NDArray[np.float64]  # n × 2, x and y

WORKING_PIXELS = 512 * 512

_CELL = 11  # pixels at half the working size: one corner at most is taken from each cell
_WINDOW = 13  # pixels that a corner is followed with
_PYRAMID_LEVELS = 2
_SMOOTHING = 3  # pixels, side of the mean that the finest detail is taken out by
_CONTRAST = 20.0  # of 255: standard deviation that both pictures are brought to
_LEAST_CORNER = 2e-4  # smallest eigenvalue of the structure tensor; sensor noise lies under it
_MOST_CORNERS = 120
_LEAST_AGREEING = 16
_LEAST_AGREEING_SHARE = 0.3
_RANSAC_DISTANCE = 0.7  # pixels at the working size
_WORST_SHIFT_ERROR = 0.06  # standard errors above which the answer is unknown: pixels at full size
_WORST_ZOOM_ERROR = 0.05  # percent

UnknownReason = Literal["too_little_texture", "too_little_unchanged", "too_uncertain"]


@dataclass(frozen=True, slots=True)
class Registration:
    """How the edited picture lies over the source, outside the edit."""

    dx: float  # pixels at full size, at the picture's centre; > 0: what was left is now further right
    dy: float  # > 0: further down
    zoom: float  # percent; > 0: the edited picture is enlarged
    rotation: float  # degrees, > 0: clockwise as seen
    agreeing: float  # share of the followed corners that agree, 0..1

    @property
    def shift(self) -> float:
        """Length of (dx, dy) in pixels."""
        return hypot(self.dx, self.dy)


@dataclass(frozen=True, slots=True)
class Unregistered:
    """The two can't be laid over each other with any trust."""

    reason: UnknownReason


def working_factor(width: int, height: int) -> int:
    """Whole number that both sides are divided by to reach about `WORKING_PIXELS`."""
    return max(1, round(sqrt(width * height / WORKING_PIXELS)))


class Reference:
    """A source's luminance, with the corners that are followed into its edits; both are found once."""

    def __init__(self, grey: Grey) -> None:
        self.shape = grey.shape
        self.corners = _corners(grey)
        self.detail = _high_passed(grey)


def register(source: Reference, edited: Grey, factor: int) -> Registration | Unregistered:
    """Shift and zoom between two luminances that were reduced by `factor` from the full size."""
    corners = source.corners
    if len(corners) < _LEAST_AGREEING:
        return Unregistered("too_little_texture")
    found, status, _ = cv2.calcOpticalFlowPyrLK(  # type: ignore[call-overload]  # stubs want a first guess
        source.detail,
        _high_passed(edited),
        corners,
        None,
        winSize=(_WINDOW, _WINDOW),
        maxLevel=_PYRAMID_LEVELS,
        criteria=(cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 10, 0.01),
    )
    followed = status.ravel() == 1
    before, after = corners[followed], found[followed]
    if len(before) < _LEAST_AGREEING:
        return Unregistered("too_little_unchanged")
    _, agree = cv2.estimateAffinePartial2D(
        before,
        after,
        method=cv2.RANSAC,
        ransacReprojThreshold=_RANSAC_DISTANCE,
        maxIters=500,
        refineIters=0,  # only who agrees is wanted: the fit is our own
    )
    agreeing = 0 if agree is None else int(agree.sum())
    if agreeing < _LEAST_AGREEING or agreeing < _LEAST_AGREEING_SHARE * len(corners):
        return Unregistered("too_little_unchanged")
    chosen = agree.ravel() == 1
    height, width = source.shape
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    return _fit(before[chosen] - centre, after[chosen] - centre, factor, agreeing / len(corners))


def _fit(before: Points, after: Points, factor: int, agreeing: float) -> Registration | Unregistered:
    """Least squares over (dx, dy, zoom, rotation), reweighted so that the last strays lose their say."""
    # A similarity is one complex line: moved = shift + turn · place.
    place = before[:, 0] + 1j * before[:, 1]
    moved = (after[:, 0] + 1j * after[:, 1]) - place
    weights = np.ones(len(place))
    median = len(place) // 2
    for _ in range(3):
        total = float(weights.sum())
        middle = (weights @ place) / total
        offset = place - middle
        weighted = weights * offset.conj()
        spread = float((weighted @ offset).real)
        turn = (weighted @ moved) / spread
        shift = (weights @ moved) / total - turn * middle
        distance = np.abs(moved - shift - turn * place)
        scale = 1.4826 * float(np.partition(distance, median)[median]) + 0.003
        weights = (1 - np.minimum(distance / (4 * scale), 1) ** 2) ** 2
    variance = float(weights @ distance**2) / (2 * total - 4)  # of one coordinate
    zoom_error = sqrt(variance / spread)
    shift_error = sqrt(variance / total + abs(middle) ** 2 * variance / spread)
    if factor * shift_error > _WORST_SHIFT_ERROR or 100 * zoom_error > _WORST_ZOOM_ERROR:
        return Unregistered("too_uncertain")
    return Registration(
        dx=factor * float(shift.real),
        dy=factor * float(shift.imag),
        zoom=100 * float(turn.real),
        rotation=float(np.degrees(turn.imag)),
        agreeing=agreeing,
    )


def _corners(grey: Grey) -> npt.NDArray[np.float32]:
    """The best corner of each grid cell, n × 2, where it is one. Half the size is enough to look at."""
    if min(grey.shape) < 2 * _CELL:
        return np.zeros((0, 2), dtype=np.float32)
    half = cv2.resize(grey, (grey.shape[1] // 2, grey.shape[0] // 2), interpolation=cv2.INTER_AREA)
    strength = cv2.cornerMinEigenVal(half, 3)
    rows, columns = strength.shape[0] // _CELL, strength.shape[1] // _CELL
    # The grid is centred, so that its margins are equal.
    top, left = (strength.shape[0] - rows * _CELL) // 2, (strength.shape[1] - columns * _CELL) // 2
    cells = (
        strength[top : top + rows * _CELL, left : left + columns * _CELL]
        .reshape(rows, _CELL, columns, _CELL)
        .transpose(0, 2, 1, 3)
        .reshape(rows * columns, _CELL * _CELL)
    )
    best = cells.argmax(axis=1)
    kept = np.flatnonzero(cells[np.arange(len(best)), best] > _LEAST_CORNER)
    if len(kept) > _MOST_CORNERS:  # the strongest would bunch; an even stride keeps the spread
        kept = kept[np.linspace(0, len(kept) - 1, _MOST_CORNERS).astype(int)]
    x = left + (kept % columns) * _CELL + best[kept] % _CELL
    y = top + (kept // columns) * _CELL + best[kept] // _CELL
    return np.stack([2 * x + 0.5, 2 * y + 0.5], axis=1).astype(np.float32)


def _high_passed(grey: Grey) -> Grey:
    """Detail around mid-grey, at one contrast: slow changes of light and colour are taken out."""
    # The finest detail, aliased by the reduction, draws shifts towards whole pixels: it is taken out too.
    fine = cv2.blur(grey, (_SMOOTHING, _SMOOTHING))
    slow = cv2.blur(grey, (31, 31))
    contrast = cv2.norm(fine, slow, cv2.NORM_L2) / sqrt(grey.size)
    # Night or fog lowers the contrast, and Lucas-Kanade takes what is weaker for what has moved.
    gain = min(max(_CONTRAST / max(contrast, 0.1), 0.5), 6.0)
    return np.asarray(cv2.addWeighted(fine, gain, slow, -gain, 128.0), dtype=np.uint8)
