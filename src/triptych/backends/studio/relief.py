"""The shape that light sees: surface slopes of a flat picture, guessed from its outline and its shading."""

from __future__ import annotations

import cv2
import numpy as np

from triptych.backends.studio.canvas import Array, blur


def padded_blur(alpha: Array, sigma: float) -> Array:
    """Blur as if nothing but empty space surrounded the picture."""
    pad = int(3 * sigma) + 2
    wide = cv2.copyMakeBorder(alpha, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0.0)
    height, width = alpha.shape
    return blur(np.asarray(wide, np.float32), sigma)[pad : pad + height, pad : pad + width]


def slopes(height: Array) -> tuple[Array, Array]:
    """Derivatives across and down, per pixel."""
    across = np.asarray(cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=1 / 8, borderType=cv2.BORDER_REPLICATE))
    down = np.asarray(cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=1 / 8, borderType=cv2.BORDER_REPLICATE))
    return across.astype(np.float32, copy=False), down.astype(np.float32, copy=False)


def outline_normals(alpha: Array, radius: float) -> tuple[Array, Array, Array]:
    """Outward normals (x, y, each about -1..1) of a picture puffed up over `radius` px, and its soft alpha.

    Differentiated on the coarse grid and enlarged afterwards: slopes of an enlarged blur would show its grid.
    """
    height, width = alpha.shape
    pad = int(3 * radius) + 2
    factor = max(1.0, radius / 4)
    wide = cv2.copyMakeBorder(alpha, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0.0)
    size = (max(2, round((width + 2 * pad) / factor)), max(2, round((height + 2 * pad) / factor)))
    coarse = np.asarray(cv2.resize(wide, size, interpolation=cv2.INTER_AREA), np.float32)
    coarse = np.asarray(cv2.GaussianBlur(coarse, (0, 0), radius / factor), np.float32)
    gain = np.float32(-2.2 * radius / factor)
    across, down = slopes(coarse)
    full = (width + 2 * pad, height + 2 * pad)
    enlarged = cv2.resize(
        cv2.merge([across * gain, down * gain, coarse]), full, interpolation=cv2.INTER_CUBIC
    )
    inner = enlarged[pad : pad + height, pad : pad + width]
    return (
        np.ascontiguousarray(inner[..., 0]),
        np.ascontiguousarray(inner[..., 1]),
        np.ascontiguousarray(inner[..., 2]),
    )


def rounded_height(alpha: Array, radius: float) -> Array:
    """Height 0..1 of a bevel with a quarter-circle profile, `radius` px wide, flat inside."""
    solid = cv2.copyMakeBorder((alpha > 0.5).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = np.asarray(cv2.distanceTransform(solid, cv2.DIST_L2, 5))[1:-1, 1:-1]
    rise = np.clip(depth.astype(np.float32, copy=False) / np.float32(radius), 0, 1)
    return np.asarray(np.sqrt(np.maximum(1 - (1 - rise) ** 2, 0)), np.float32)
