"""Pictures of things: loaded, trimmed, recoloured, turned into a material, scaled."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from triptych.backends.studio.canvas import Array, from_uint8
from triptych.backends.studio.catalogue import KINDS
from triptych.backends.studio.materials import materialise
from triptych.backends.studio.recolour import recolour

OPAQUE = 1 / 255


@dataclass(frozen=True, slots=True)
class Cutout:
    """A picture without its background: colour HxWx3 (not premultiplied) and coverage HxW, both 0..1."""

    colour: Array
    alpha: Array


@lru_cache(maxsize=48)
def load_picture(key: str) -> NDArray[np.uint8]:
    """The RGBA picture of a kind, cropped as the catalogue says and trimmed to what is visible."""
    with files("triptych.backends.studio").joinpath("sprites", f"{key}.webp").open("rb") as file:
        rgba = np.asarray(Image.open(file).convert("RGBA"))
    rgba = rgba[: round(rgba.shape[0] * KINDS[key].crop)]
    visible = rgba[..., 3] > 8
    rows, columns = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
    return np.ascontiguousarray(rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def aspect(key: str) -> float:
    """Width over height of a kind's picture."""
    height, width = load_picture(key).shape[:2]
    return float(width / height)


@lru_cache(maxsize=16)
def _dressed(key: str, colour: str | None, material: str | None, seed: int) -> Array:
    """Premultiplied RGBA at the picture's own size, in its colour and material."""
    rgba = from_uint8(load_picture(key))
    rgb: Array = rgba[..., :3]
    alpha: Array = rgba[..., 3]
    if colour is not None:
        rgb = recolour(rgb, alpha, colour, KINDS[key].natural_colour)
    if material is not None and material != "glass":  # glass shows what is behind: made on the spot
        rgb = materialise(rgb, alpha, material, seed)
    dressed = np.dstack([rgb * alpha[..., None], alpha]).astype(np.float32, copy=False)
    dressed.flags.writeable = False
    return dressed


def cutout(key: str, height: int, colour: str | None, material: str | None, flip: bool, seed: int) -> Cutout:
    """The picture of a thing `height` pixels high; the seed gives a material its grain."""
    dressed = _dressed(key, colour, material, seed if material else 0)
    if flip:
        dressed = dressed[:, ::-1]
    width = max(3, round(height * dressed.shape[1] / dressed.shape[0]))
    method = cv2.INTER_AREA if height <= dressed.shape[0] else cv2.INTER_CUBIC
    scaled = np.asarray(cv2.resize(dressed, (width, height), interpolation=method), np.float32)
    alpha = np.clip(scaled[..., 3], 0, 1)
    rgb = scaled[..., :3] / np.maximum(alpha, OPAQUE)[..., None]
    return Cutout(np.clip(rgb, 0, 1), alpha)
