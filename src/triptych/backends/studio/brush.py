"""Brushwork: smoothing that keeps edges, and oil strokes that follow the forms."""

from __future__ import annotations

import cv2
import numpy as np

from triptych.backends.studio.canvas import (
    Array,
    blur,
    fbm,
    from_uint8,
    generator,
    luminance,
    spread,
    to_uint8,
    triple,
)
from triptych.backends.studio.canvas import frame as frame_of
from triptych.backends.studio.relief import slopes

FLOW_SIDE = 256  # strokes follow a flow field of about this many samples per side
# Coarse to fine: width (sides), strokes on a square of one side, length in widths
PASSES: tuple[tuple[float, int, float], ...] = (
    (0.030, 620, 4.0),
    (0.016, 2100, 3.8),
    (0.0085, 5200, 3.2),
    (0.0045, 14000, 3.4),
)
STEPS = 6


def painterly(image: Array, radius: float) -> Array:
    """Kuwahara filter: each pixel takes the mean of its calmest quadrant; radius in sides."""
    height, width = image.shape[:2]
    reach = max(1, round(radius * (height * width) ** 0.5))
    grey = luminance(image)
    window = (reach + 1, reach + 1)
    padded = cv2.copyMakeBorder(image, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    padded_grey = cv2.copyMakeBorder(grey, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    # Anchored at the top left, the window at (y, x) covers the quadrant down and to the right of it.
    mean = cv2.boxFilter(padded, -1, window, anchor=(0, 0))
    first = cv2.boxFilter(padded_grey, -1, window, anchor=(0, 0))
    variance = cv2.sqrBoxFilter(padded_grey, cv2.CV_32F, window, anchor=(0, 0)) - first * first
    best, calmest = mean[:height, :width].copy(), variance[:height, :width].copy()
    for dy, dx in ((0, reach), (reach, 0), (reach, reach)):
        candidate = variance[dy : dy + height, dx : dx + width]
        calmer = (candidate < calmest).astype(np.uint8)
        cv2.copyTo(mean[dy : dy + height, dx : dx + width], calmer, best)
        np.minimum(calmest, candidate, out=calmest)
    return np.asarray(best, np.float32)


def flow_field(grey: Array, seed: int) -> tuple[Array, Array]:
    """Unit vectors along the forms (x, y) on a coarse grid; where nothing leads, a slow swirl does."""
    height, width = grey.shape
    scale = FLOW_SIDE / (height * width) ** 0.5
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.float32)
    across, down = slopes(blur(small, 1.0))
    # Smoothed structure tensor: opposite gradients strengthen instead of cancelling each other.
    xx, yy, xy = blur(across * across, 2.5), blur(down * down, 2.5), blur(across * down, 2.5)
    swirl = spread(fbm(generator(seed, "swirl"), 2, 2, 0.5, size=128), frame_of(*size), 1.6)
    angle = (swirl - np.float32(0.5)) * np.float32(3.0) + np.float32(0.5)
    prior = np.float32(2.0e-5)
    real = (yy - xx) + prior * np.cos(2 * angle)
    imaginary = -2 * xy + prior * np.sin(2 * angle)
    theta = np.float32(0.5) * np.arctan2(imaginary, real)
    return np.cos(theta), np.sin(theta)


def stroke_painting(image: Array, seed: int, edges: Array | None = None) -> Array:
    """Oil paint: layers of strokes from coarse to fine, with ridges that catch the light."""
    height, width = image.shape[:2]
    side = float((height * width) ** 0.5)
    rng = generator(seed, "oil")
    grey = luminance(image)
    flow = flow_field(grey, seed)
    painted = to_uint8(blur(image, 0.012 * side))
    ridge = np.full((height, width), 128, np.uint8)
    area = width * height / side**2
    for stroke_width, count, length in PASSES:
        source = blur(image, stroke_width * 0.30 * side)
        detail = edge_detail(source, stroke_width, edges)
        n = round(count * area)
        draws = rng.random((6, n), dtype=np.float32)
        busy = _sample(detail, draws[0], draws[1])
        if stroke_width > 0.02:
            kept = np.ones(n, bool)
        elif stroke_width > 0.006:
            kept = draws[2] < np.float32(0.16) + busy
        else:  # only the finest forms deserve the finest brush
            kept = draws[2] < busy * busy
        _lay_strokes(painted, ridge, source, flow, draws[:, kept], stroke_width * side, length)
    return _varnish(from_uint8(painted), from_uint8(ridge), flow, seed)


def edge_detail(source: Array, stroke_width: float, edges: Array | None) -> Array:
    """Where finer strokes are wanted, 0..1, on a coarse grid."""
    height, width = source.shape[:2]
    scale = FLOW_SIDE / (height * width) ** 0.5
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = luminance(np.asarray(cv2.resize(source, size, interpolation=cv2.INTER_AREA), np.float32))
    across, down = slopes(small)
    wanted = np.clip(np.sqrt(across * across + down * down) * np.float32(9), 0, 1)
    if edges is not None:
        wanted = np.maximum(wanted, cv2.resize(edges, size, interpolation=cv2.INTER_AREA))
    near = blur(np.asarray(wanted, np.float32), max(1.0, stroke_width * 0.6 * FLOW_SIDE))
    return np.asarray(np.clip(near * 2, 0, 1), np.float32)


def _sample(field: Array, u: Array, v: Array) -> Array:
    """Values of a field at fractions of its width and height, nearest."""
    rows = np.clip((v * field.shape[0]).astype(np.int32), 0, field.shape[0] - 1)
    columns = np.clip((u * field.shape[1]).astype(np.int32), 0, field.shape[1] - 1)
    return np.asarray(field[rows, columns], np.float32)


def _lay_strokes(
    painted: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    ridge: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    source: Array,
    flow: tuple[Array, Array],
    draws: Array,
    stroke_px: float,
    length: float,
) -> None:
    """Trace all strokes of one layer at once, then draw them."""
    height, width = source.shape[:2]
    u, v = draws[0], draws[1]
    first = _sample(source, u, v)
    step = np.float32(stroke_px * length / STEPS)
    points = np.empty((STEPS + 1, u.size, 2), np.float32)
    points[STEPS // 2] = np.stack([u * width, v * height], -1)
    for sign, order in ((1, range(STEPS // 2, STEPS)), (-1, range(STEPS // 2, 0, -1))):
        going = np.ones(u.size, bool)
        for i in order:
            here = points[i]
            at = (here[:, 0] / np.float32(width), here[:, 1] / np.float32(height))
            heading = np.stack([_sample(flow[0], *at), _sample(flow[1], *at)], -1)
            ahead = here + heading * step * np.float32(sign)
            # A stroke stops where the colour it carries no longer fits.
            there = _sample(source, ahead[:, 0] / np.float32(width), ahead[:, 1] / np.float32(height))
            going &= np.abs(there - first).sum(-1) < np.float32(0.20)
            points[i + sign] = np.where(going[:, None], ahead, here)
    tone = (draws[3] - np.float32(0.5)) * np.float32(0.10)
    tint = (np.stack([draws[4], draws[5], 1 - draws[4]], -1) - np.float32(0.5)) * np.float32(0.05)
    colours = np.clip((first * (1 + tone[:, None]) + tint) * 255, 0, 255).astype(np.uint8).tolist()
    levels = (96 + 90 * draws[5]).astype(np.uint8).tolist()
    paths = np.ascontiguousarray(np.rint(points.transpose(1, 0, 2) * 8).astype(np.int32))
    thickness = max(1, round(stroke_px))
    for path, colour, level in zip(paths, colours, levels, strict=True):
        cv2.polylines(painted, [path], False, colour, thickness, cv2.LINE_8, 3)
        cv2.polylines(ridge, [path], False, level, thickness, cv2.LINE_8, 3)


def _varnish(painted: Array, ridge: Array, flow: tuple[Array, Array], seed: int) -> Array:
    """Light the paint: ridges between strokes, and bristle marks along them."""
    height, width = painted.shape[:2]
    canvas = frame_of(width, height)
    tile = fbm(generator(seed, "bristle"), 128, 2, 0.6, size=512)
    noise = spread(tile, canvas, 0.45)
    across = cv2.resize(flow[0], (width, height), interpolation=cv2.INTER_LINEAR)
    down = cv2.resize(flow[1], (width, height), interpolation=cv2.INTER_LINEAR)
    streaks = np.zeros_like(noise)
    pace = canvas.side * 0.0022
    for i in range(-3, 4):  # line integral convolution along the flow
        x = canvas.x - np.float32(0.5) + across * np.float32(i * pace)
        y = canvas.y - np.float32(0.5) + down * np.float32(i * pace)
        streaks += cv2.remap(noise, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    relief = blur(ridge, 0.0007 * canvas.side) * np.float32(0.55) + streaks * np.float32(0.35 / 7 * 2)
    slope_x, slope_y = slopes(relief)
    light = np.clip((slope_x + slope_y) * np.float32(1.5 * canvas.side / 1024), -0.16, 0.20)
    soft = blur(painted, 0.0006 * canvas.side)
    grey = triple(luminance(soft))
    return (grey + (soft - grey) * np.float32(1.18)) * triple(1 + light)
