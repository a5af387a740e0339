"""The camera's part: depth of field, bloom, a soft shoulder, vignette, grain."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from triptych.backends.studio.canvas import (
    Array,
    blur,
    frame,
    generator,
    luminance,
    smoothstep,
    triple,
)

BLOOM_FROM = 0.80
SHOULDER = 0.86
GRAIN = 0.010
CONTRAST = 0.18
STRIP = 24  # rows
TILE = 512


def depth_of_field(image: Array, horizon: float, ground_far: float, strength: float = 1.0) -> Array:
    """A copy with what lies beyond the things softened; horizon and ground_far: shares of the height."""
    height, width = image.shape[:2]
    sigma = 0.0019 * strength * float((height * width) ** 0.5)
    stop = min(height, int((ground_far + 0.02) * height) + 1)
    context = min(height, stop + int(3 * sigma) + 1)
    row = frame(width, height).v[:stop]
    weight = smoothstep(ground_far + 0.02, min(horizon, ground_far - 0.02), row) * np.float32(0.9)
    result = image.copy()
    soft = blur(image[:context], sigma)[:stop] - result[:stop]
    soft *= weight[..., None]
    result[:stop] += soft
    return result


@lru_cache(maxsize=4)
def _vignette(width: int, height: int) -> Array:
    grid = frame(width, height)
    away = np.sqrt((grid.u - np.float32(0.5)) ** 2 + (grid.v - np.float32(0.5)) ** 2)
    shade: Array = 1 - np.float32(0.24) * smoothstep(0.45, 0.85, away)
    shade.flags.writeable = False
    return shade


def grain(width: int, height: int, seed: int, *purpose: str) -> Array:
    """White noise (H, W) of variance about 1 whose grains are 1/1024 of the frame's side."""
    tile = generator(seed, "grain", *purpose).standard_normal((TILE, TILE), dtype=np.float32)
    size = max(64, round(TILE * (width * height) ** 0.5 / 1024))
    if size > TILE:
        tile = np.asarray(cv2.resize(tile, (size, size), interpolation=cv2.INTER_CUBIC), np.float32)
    elif size < TILE:
        tile = tile[:size, :size]
    return np.tile(tile, (height // tile.shape[0] + 1, width // tile.shape[1] + 1))[:height, :width]


def finish(image: Array, seed: int) -> Array:
    """From scene light (may pass 1) to a picture in 0..1; the image is used up."""
    height, width = image.shape[:2]
    side = float((height * width) ** 0.5)
    halo = _bloom(image, side)
    vignette, noise = _vignette(width, height), grain(width, height, seed)
    for start in range(0, height, STRIP):  # strips stay in the processor's cache
        rows = slice(start, start + STRIP)
        part = image[rows]
        part += halo[rows]
        np.clip(part, 0, 1.6, out=part)
        # Highlights roll off to 1 instead of clipping.
        excess = np.maximum(part - np.float32(SHOULDER), 0)
        excess /= 1 + excess * np.float32(0.8 / (1 - SHOULDER))
        np.minimum(part, np.float32(SHOULDER), out=part)
        part += excess
        curve = part * part
        curve *= 3 - 2 * part
        curve -= part
        curve *= np.float32(CONTRAST)
        part += curve
        part *= triple(vignette[rows])
        part += triple(noise[rows] * np.float32(GRAIN))
        np.clip(part, 0, 1, out=part)
    return image


def _bloom(image: Array, side: float) -> Array:
    """Light that spills from what is nearly white."""
    height, width = image.shape[:2]
    shrink = max(1, int(side / 256))
    size = (max(1, width // shrink), max(1, height // shrink))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)
    small *= triple(np.clip(luminance(small) - np.float32(BLOOM_FROM), 0, 0.5) * np.float32(0.8))
    halo = cv2.GaussianBlur(small, (0, 0), 0.018 * side / shrink, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(halo, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
