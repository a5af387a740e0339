"""Damage that a restoration can undo: for any picture, strength 0..1."""

from __future__ import annotations

import cv2
import numpy as np
from simplejpeg import decode_jpeg, encode_jpeg  # type: ignore[import-untyped]

from triptych.backends.studio.canvas import (
    Array,
    blur,
    from_uint8,
    generator,
    luminance,
    over,
    to_uint8,
    triple,
)
from triptych.backends.studio.finish import grain
from triptych.backends.studio.scene import Degradation

SEPIA = np.array([1.06, 0.96, 0.78], np.float32)
PAPER = np.array([0.97, 0.94, 0.86], np.float32)


def degrade(image: Array, kind: Degradation, strength: float, seed: int) -> Array:
    """Damage an H x W x 3 picture in 0..1; lengths follow its size, so that all sizes suffer alike."""
    height, width = image.shape[:2]
    side = float((height * width) ** 0.5)
    if kind == "blur":
        return np.clip(blur(image, side * (0.0025 + 0.0075 * strength)), 0, 1)
    if kind == "noise":
        return _noise(image, strength, seed)
    if kind == "lowres":
        factor = max(1.5, (3 + 6 * strength) * side / 1024)
        small = (max(8, round(width / factor)), max(8, round(height / factor)))
        reduced = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        return np.clip(cv2.resize(reduced, (width, height), interpolation=cv2.INTER_LINEAR), 0, 1)
    if kind == "jpeg":
        quality = round(18 - 13 * strength)
        scale = side / 1024  # 8 px blocks of a 1024 px picture, whatever the size
        small = (max(16, round(width / scale)), max(16, round(height / scale)))
        source = image
        if scale > 1.05:
            source = np.asarray(cv2.resize(image, small, interpolation=cv2.INTER_AREA), np.float32)
        decoded = from_uint8(decode_jpeg(encode_jpeg(to_uint8(source), quality, colorsubsampling="420")))
        if decoded.shape != image.shape:
            enlarged = cv2.resize(decoded, (width, height), interpolation=cv2.INTER_LINEAR)
            decoded = np.asarray(enlarged, np.float32)
        return np.clip(decoded, 0, 1)
    return _faded(image, strength, seed)


def _noise(image: Array, strength: float, seed: int) -> Array:
    """High-ISO noise: more in the shadows, some of it coloured."""
    height, width = image.shape[:2]
    amount = np.float32(0.035 + 0.11 * strength)
    grey = grain(width, height, seed, "grey")
    colour = cv2.merge([grain(width, height, seed, channel) for channel in ("red", "green", "blue")])
    shadows = np.float32(1.15) - np.float32(0.5) * luminance(image)
    total = (colour * np.float32(0.7) + triple(grey) * np.float32(0.8)) * triple(shadows * amount)
    return np.asarray(np.clip(image + total, 0, 1), np.float32)


def _faded(image: Array, strength: float, seed: int) -> Array:
    """An old print: washed out, yellowed, scratched and dusty."""
    height, width = image.shape[:2]
    side = (height * width) ** 0.5
    rng = generator(seed, "faded")
    grey = triple(luminance(image))
    old = image + (grey * SEPIA - image) * np.float32(0.45 + 0.4 * strength)
    old = old * np.float32(0.80 - 0.14 * strength) + np.float32(0.12 + 0.12 * strength)
    damage = np.zeros((height, width), np.uint8)
    # The same draws at every strength: a stronger one only keeps more of the scratches and the dust.
    starts, drift, length = rng.random((48, 2)), rng.random(48) - 0.5, 0.15 + 0.45 * rng.random(48)
    level = rng.integers(110, 230, 48)
    for i in range(int(8 + 38 * strength)):
        x, y = starts[i, 0] * width, (starts[i, 1] - 0.2) * height
        end = (round(16 * (x + drift[i] * 0.08 * side)), round(16 * (y + length[i] * height)))
        thick = max(1, round(side / 900))
        cv2.line(damage, (round(16 * x), round(16 * y)), end, int(level[i]), thick, cv2.LINE_AA, 4)
    specks, size, bright = rng.random((160, 2)), rng.random(160) ** 3, rng.integers(90, 220, 160)
    for i in range(int(40 + 120 * strength)):
        centre = (round(16 * specks[i, 0] * width), round(16 * specks[i, 1] * height))
        radius = round(16 * side * (0.0006 + 0.005 * size[i]))
        cv2.circle(damage, centre, radius, int(bright[i]), -1, cv2.LINE_AA, 4)
    worn = blur(from_uint8(damage), 0.0006 * side) * np.float32(0.85)
    return np.clip(over(old, PAPER, worn), 0, 1)
