"""Finding a kind of thing in a picture: its own oriented edges, laid over the picture's at many sizes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np

from triptych.backends.studio.artwork import load_picture
from triptych.backends.studio.canvas import Array, from_uint8
from triptych.backends.studio.catalogue import KINDS
from triptych.backends.studio.judge.look import SIDE, Look, halved, oriented_edges

STEP: Final = 1.1  # from one size of a template to the next
SIZES: Final = tuple(range(-9, 8))  # powers of STEP on the kind's natural height
MARGIN: Final = 3  # px around a template, for its outline
CANDIDATES: Final = 5  # places of the coarse search that are looked at closely
GREY: Final = 0.5  # what a template stands on


@dataclass(frozen=True, slots=True)
class Pose:
    """Where and how large a thing seems to be, in pixels of the reduced picture. `score`: its fit, -1..1."""

    kind: str
    score: float
    left: int
    top: int
    size: int  # power of STEP
    flip: bool

    @property
    def alpha(self) -> Array:
        """Coverage of the thing, within its box."""
        return template(self.kind, self.size, self.flip).alpha

    @property
    def height(self) -> int:
        """Of the box, without margins."""
        return int(self.alpha.shape[0])

    @property
    def width(self) -> int:
        """Of the box, without margins."""
        return int(self.alpha.shape[1])

    @property
    def foot(self) -> tuple[float, float]:
        """Middle of the lower edge."""
        return self.left + self.width / 2, float(self.top + self.height)


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A kind at one size. `edges` has a margin around it, `alpha` and `rgb` have none."""

    edges: Array
    coarse: Array
    alpha: Array
    rgb: Array


@lru_cache(maxsize=1200)
def template(kind: str, size: int, flip: bool) -> Template:
    """The kind's picture at its natural height times STEP ** size."""
    rgba = from_uint8(load_picture(kind))
    tall = max(6, round(min(0.8, KINDS[kind].height * STEP**size) * SIDE))
    wide = max(5, round(tall * rgba.shape[1] / rgba.shape[0]))
    premultiplied = rgba.copy()
    premultiplied[..., :3] *= rgba[..., 3:]
    small = np.asarray(cv2.resize(premultiplied, (wide, tall), interpolation=cv2.INTER_AREA), np.float32)
    if flip:
        small = np.ascontiguousarray(small[:, ::-1])
    alpha = np.ascontiguousarray(small[..., 3])
    framed = cv2.copyMakeBorder(
        small, MARGIN, MARGIN, MARGIN, MARGIN, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0)
    )
    on_grey = framed[..., :3] + np.float32(GREY) * (1 - framed[..., 3:])
    own = cv2.dilate((framed[..., 3] > 0.3).astype(np.uint8), np.ones((5, 5), np.uint8))
    edges = oriented_edges(np.ascontiguousarray(on_grey)) * own[..., None].astype(np.float32)
    rgb = small[..., :3] / np.maximum(small[..., 3:], np.float32(1 / 255))
    return Template(edges, halved(edges), alpha, np.ascontiguousarray(np.clip(rgb, 0, 1)))


def find(look: Look, kind: str, count: int = 1) -> list[Pose]:
    """The best places for a kind, best first, none on another; empty where no template fits the frame."""
    rough: list[Pose] = []
    for flip in (False, True) if KINDS[kind].can_flip else (False,):
        for size in SIZES[::2]:
            rough += _peaks(look.coarse_edges, kind, size, flip)
    rough.sort(key=lambda pose: -pose.score)
    close = [refine(look, pose, reach=3) for pose in _apart(rough, CANDIDATES + count, near=0.25)]
    close.sort(key=lambda pose: -pose.score)
    return _apart(close, count, near=0.5)


def refine(look: Look, pose: Pose, reach: int, sizes: tuple[int, ...] = (-1, 0, 1)) -> Pose:
    """The best fit within `reach` px of a pose (foot on foot), at sizes next to its own."""
    best: Pose | None = None
    across, down = pose.foot
    for step in sizes:
        size = pose.size + step
        made = template(pose.kind, size, pose.flip)
        tall, wide = made.edges.shape[:2]
        left = round(across - (wide - 2 * MARGIN) / 2) - MARGIN
        top = round(down) - (tall - 2 * MARGIN) - MARGIN
        x0, y0 = left - reach, top - reach
        window = _window(look.edges, x0, y0, wide + 2 * reach, tall + 2 * reach)
        scores = cv2.matchTemplate(window, made.edges, cv2.TM_CCOEFF_NORMED)
        _, score, _, (x, y) = cv2.minMaxLoc(scores)
        if best is None or score > best.score:
            best = Pose(pose.kind, float(score), x0 + x + MARGIN, y0 + y + MARGIN, size, pose.flip)
    assert best is not None  # noqa: S101  (sizes isn't empty)
    return best


def _peaks(edges: Array, kind: str, size: int, flip: bool) -> list[Pose]:
    """The two best places of one template in the coarse picture."""
    made = template(kind, size, flip)
    tall, wide = made.coarse.shape[:2]
    if tall > edges.shape[0] or wide > edges.shape[1]:
        return []
    scores = cv2.matchTemplate(edges, made.coarse, cv2.TM_CCOEFF_NORMED)
    poses: list[Pose] = []
    for _ in range(2):
        _, score, _, (x, y) = cv2.minMaxLoc(scores)
        poses.append(Pose(kind, float(score), 2 * x + MARGIN, 2 * y + MARGIN, size, flip))
        scores[max(0, y - tall // 3) : y + tall // 3 + 1, max(0, x - wide // 3) : x + wide // 3 + 1] = -1
    return poses


def _apart(poses: list[Pose], count: int, near: float) -> list[Pose]:
    """The first poses whose feet are `near` of their height or more apart."""
    kept: list[Pose] = []
    for pose in poses:
        if len(kept) == count:
            break
        x, y = pose.foot
        if all(
            np.hypot(x - other.foot[0], y - other.foot[1]) > near * min(pose.height, other.height)
            for other in kept
        ):
            kept.append(pose)
    return kept


def _window(field: Array, left: int, top: int, width: int, height: int) -> Array:
    """A part of a field; what lies outside it is zero."""
    rows, columns = field.shape[:2]
    y0, y1 = max(0, top), min(rows, top + height)
    x0, x1 = max(0, left), min(columns, left + width)
    if y1 <= y0 or x1 <= x0:
        return np.zeros((height, width, field.shape[2]), np.float32)
    part = field[y0:y1, x0:x1]
    if part.shape[:2] == (height, width):
        return part
    return np.asarray(
        cv2.copyMakeBorder(
            part,
            y0 - top,
            top + height - y1,
            x0 - left,
            left + width - x1,
            cv2.BORDER_CONSTANT,
            value=(0, 0, 0),
        ),
        np.float32,
    )
