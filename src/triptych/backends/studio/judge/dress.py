"""Which colour or material a thing in a picture has: its own picture, dressed in each, laid beside it."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from triptych.backends.studio.artwork import load_picture
from triptych.backends.studio.canvas import Array, from_uint8
from triptych.backends.studio.catalogue import COLOURS, KINDS, MATERIALS
from triptych.backends.studio.judge.finding import Pose
from triptych.backends.studio.judge.look import lab
from triptych.backends.studio.materials import MAKERS, materialise
from triptych.backends.studio.recolour import recolour

TALL: Final = 40  # px: the height at which patches are compared
DRAWN: Final = 120  # px: the height at which a thing is dressed, so that textures keep their grain
Flags = NDArray[np.bool_]
Dress = tuple[str | None, str | None]  # colour, material; None: the thing's own


@lru_cache(maxsize=1500)
def dressed(kind: str, colour: str | None, material: str | None) -> tuple[Array, Array]:
    """RGB and coverage of a kind in a colour or material, `TALL` px high."""
    rgba = from_uint8(load_picture(kind))
    drawn = _scaled(rgba, DRAWN)
    rgb, alpha = np.ascontiguousarray(drawn[..., :3]), np.ascontiguousarray(drawn[..., 3])
    if colour is not None and colour in COLOURS:
        rgb = recolour(rgb, alpha, colour, KINDS[kind].natural_colour)
    if material is not None and material in MAKERS:
        rgb = materialise(rgb, alpha, material, 0)
    small = _scaled(np.dstack([np.clip(rgb, 0, 1), alpha]).astype(np.float32), TALL)
    return np.ascontiguousarray(small[..., :3]), np.ascontiguousarray(small[..., 3])


def patch(rgb: Array, pose: Pose) -> Array:
    """What a picture shows in a pose's box, as `dressed` draws things: `TALL` px high, not mirrored."""
    rows, columns = rgb.shape[:2]
    top, left = max(0, pose.top), max(0, pose.left)
    bottom, right = min(rows, pose.top + pose.height), min(columns, pose.left + pose.width)
    _, alpha = dressed(pose.kind, None, None)
    if bottom - top < 2 or right - left < 2:
        return np.zeros((*alpha.shape, 3), np.float32)
    part = rgb[top:bottom, left:right]
    if pose.flip:
        part = part[:, ::-1]
    size = (alpha.shape[1], alpha.shape[0])
    return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.float32)


def light_on(seen: Array, kind: str, dress: Dress) -> Array:
    """How much of each colour the light leaves: factors that turn the dressed thing into what is seen."""
    rgb, alpha = dressed(kind, *dress)
    inside = alpha > 0.7
    if inside.sum() < 20:
        return np.ones(3, np.float32)
    return np.asarray(
        np.clip(
            (np.median(seen[inside], axis=0) + 0.04) / (np.median(rgb[inside], axis=0) + 0.04), 0.15, 2.5
        ),
        np.float32,
    )


def misfits(seen: Array, kind: str, light: Array, dresses: tuple[Dress, ...], where: Flags) -> Array:
    """For each dress, the mean difference of colour between the thing dressed so and what is seen, in ΔE."""
    _, alpha = dressed(kind, None, None)
    weight = ((alpha > 0.7) & where).astype(np.float32)
    if weight.sum() < 12:
        weight = (alpha > 0.7).astype(np.float32)
    actual = _smooth_lab(seen)
    total = float(weight.sum()) + 1e-6
    results: list[float] = []
    for dress in dresses:
        rgb, _ = dressed(kind, *dress)
        expected = _smooth_lab(np.clip(rgb * light, 0, 1))
        difference = actual - expected
        distance = np.sqrt(
            (0.5 * difference[..., 0]) ** 2 + difference[..., 1] ** 2 + difference[..., 2] ** 2
        )
        results.append(float((distance * weight).sum()) / total)
    return np.array(results, np.float32)


def dyed_part(kind: str, first: Dress, second: Dress) -> Flags:
    """Where two dresses of a kind plainly differ."""
    difference = np.abs(lab(dressed(kind, *first)[0]) - lab(dressed(kind, *second)[0])).sum(axis=2)
    return np.asarray(difference > 12, np.bool_)


def colours_of(kind: str) -> tuple[Dress, ...]:
    """Every colour that a kind can have, its own first."""
    return ((None, None), *((colour, None) for colour in COLOURS if colour != KINDS[kind].natural_colour))


def materials_of() -> tuple[Dress, ...]:
    """Every material that can be drawn alone (glass shows what is behind it), after the thing's own."""
    return ((None, None), *((None, material) for material in MATERIALS if material in MAKERS))


def dress_named(kind: str, colour: str | None, material: str | None) -> Dress:
    """A dress as words name it: a kind's natural colour is no dye."""
    return (None if colour == KINDS[kind].natural_colour else colour, material)


def _scaled(image: Array, tall: int) -> Array:
    wide = max(4, round(tall * image.shape[1] / image.shape[0]))
    method = cv2.INTER_AREA if tall < image.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (wide, tall), interpolation=method), np.float32)


def _smooth_lab(rgb: Array) -> Array:
    return lab(np.asarray(cv2.blur(np.ascontiguousarray(rgb), (3, 3)), np.float32))
