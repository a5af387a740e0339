"""Drawing primitives: float32 RGB in H x W x 3, 0 = black, 1 = white (highlights may pass 1).

Lengths that describe a look (noise cells, blur radii, ridge heights) are in units of a frame's `side`,
so the same seed looks alike at 256 and at 2000 px. Everything here stays in float32.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Stops = Sequence[tuple[float, str]]

SUBPIXEL_BITS = 4
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture's size and its coordinates, as a row and a column that broadcast to the whole."""

    width: int
    height: int
    side: float  # sqrt(width * height), px
    x: Array  # (1, W) pixel centres, px
    y: Array  # (H, 1)
    u: Array  # (1, W) 0..1
    v: Array  # (H, 1)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), the order OpenCV wants."""
        return self.width, self.height

    def row(self, v: float) -> int:
        """Pixel row of a fraction of the height, kept inside 0..height."""
        return int(min(max(round(v * self.height), 0), self.height))


@lru_cache(maxsize=64)
def frame(width: int, height: int) -> Frame:
    """The frame of a size; cached."""
    x = (np.arange(width, dtype=np.float32) + np.float32(0.5))[None, :]
    y = (np.arange(height, dtype=np.float32) + np.float32(0.5))[:, None]
    u, v = x / np.float32(width), y / np.float32(height)
    for grid in (x, y, u, v):
        grid.flags.writeable = False
    return Frame(width, height, float((width * height) ** 0.5), x, y, u, v)


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """A random stream for one purpose: what has another purpose never moves when this one draws more."""
    key = zlib.crc32("|".join(map(str, purpose)).encode())
    return np.random.default_rng([seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF, key])


# --- scalars and colours ---


def lerp(a: Array, b: Array, t: Array | float) -> Array:
    """From `a` (t = 0) to `b` (t = 1), elementwise."""
    result: Array = a + (b - a) * (t if isinstance(t, np.ndarray) else np.float32(t))
    return result


def clip(x: Array, low: float = 0.0, high: float = 1.0) -> Array:
    """Limit to low..high."""
    return np.asarray(np.clip(x, np.float32(low), np.float32(high)), np.float32)


def smoothstep(low: float, high: float, x: Array) -> Array:
    """Hermite step from 0 at `low` to 1 at `high`; falls where low > high."""
    t = clip((x - np.float32(low)) * np.float32(1 / (high - low)))
    result: Array = t * t * (3 - 2 * t)
    return result


def rgb(colour: str) -> Array:
    """'#rrggbb' as three floats in 0..1."""
    digits = colour.lstrip("#")
    return np.array([int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)], np.float32)


def luminance(image: Array) -> Array:
    """Rec. 601 luma of (..., 3)."""
    if image.ndim == 3:
        return np.asarray(cv2.transform(image, LUMA[None, :]), np.float32)
    result: Array = image @ LUMA
    return result


def gradient(stops: Stops, t: Array) -> Array:
    """Colours of a piecewise-linear ramp at positions `t` (any shape) as (..., 3)."""
    places = [place for place, _ in stops]
    colours = np.stack([rgb(colour) for _, colour in stops])
    return np.stack([np.interp(t, places, colours[:, c]).astype(np.float32) for c in range(3)], -1)


def ramp(low: Array, high: Array, t: Array) -> Array:
    """Two-colour ramp: (H, W) of 0..1 to (H, W, 3), unclipped. Much faster than lerp with a new axis."""
    matrix = np.stack([high - low, low], -1).astype(np.float32)
    return np.asarray(cv2.transform(np.ascontiguousarray(t)[..., None], matrix), np.float32)


def fill(shape: tuple[int, int], colour: Array) -> Array:
    """A plain image of (height, width)."""
    return np.ascontiguousarray(np.broadcast_to(colour.astype(np.float32), (*shape, 3)))


def rows_image(rows: Array, width: int) -> Array:
    """A column of colours (H, 3) or (H, 1, 3), repeated over the width."""
    column = np.ascontiguousarray(rows.reshape(-1, 1, 3))
    return np.asarray(cv2.resize(column, (width, column.shape[0]), interpolation=cv2.INTER_NEAREST))


def rgb_to_hsv(image: Array) -> Array:
    """Hue 0..1, saturation 0..1, value; for H x W x 3."""
    hsv = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), np.float32)
    hsv[..., 0] *= np.float32(1 / 360)
    return hsv


def hsv_to_rgb(hsv: Array) -> Array:
    """Inverse of `rgb_to_hsv`; hue wraps."""
    degrees = hsv.copy()
    degrees[..., 0] = np.mod(degrees[..., 0], 1) * np.float32(360)
    return np.asarray(cv2.cvtColor(degrees, cv2.COLOR_HSV2RGB), np.float32)


def to_uint8(image: Array) -> Bytes:
    """0..1 floats to bytes, rounded, clipped."""
    return np.asarray(cv2.convertScaleAbs(np.maximum(image, 0), alpha=255.0), np.uint8)


def from_uint8(image: Bytes) -> Array:
    """Bytes to 0..1 floats."""
    result: Array = image.astype(np.float32) * np.float32(1 / 255)
    return result


# --- compositing ---


def triple(mask: Array) -> Array:
    """(H, W) as three equal channels: NumPy is slow where a last axis of 3 broadcasts."""
    return np.asarray(cv2.merge((mask, mask, mask)), np.float32)


def over(image: Array, colour: Array, alpha: Array) -> Array:
    """Lay a colour (3,) or picture (H, W, 3) on `image` in place, weighted by alpha (H, W)."""
    if colour.ndim == 1:
        weight = np.broadcast_to(alpha, image.shape[:2])
        for channel in range(3):
            plane = image[..., channel]
            plane += (colour[channel] - plane) * weight
        return image
    image += (colour - image) * triple(np.ascontiguousarray(np.broadcast_to(alpha, image.shape[:2])))
    return image


def shade(image: Array, factor: Array) -> Array:
    """Multiply in place by a map (H, W)."""
    image *= triple(np.ascontiguousarray(np.broadcast_to(factor, image.shape[:2])))
    return image


def glow(image: Array, colour: Array, amount: Array) -> Array:
    """Add light of a colour in place, weighted by a map (H, W)."""
    image += ramp(np.zeros(3, np.float32), colour, np.broadcast_to(amount, image.shape[:2]))
    return image


def over_premultiplied(image: Array, layer: Bytes) -> Array:
    """Lay an RGBA byte layer, drawn anti-aliased on transparent black, on `image` in place."""
    drawn = np.flatnonzero(layer[..., 3].any(axis=1))
    if not drawn.size:
        return image
    rows = slice(int(drawn[0]), int(drawn[-1]) + 1)
    part = layer[rows].astype(np.float32) * np.float32(1 / 255)
    image[rows] *= triple(1 - part[..., 3])
    image[rows] += part[..., :3]
    return image


def blur(image: Array, sigma: float) -> Array:
    """Gaussian blur in float; sigma in px. Wide blurs run on a reduced copy."""
    if sigma < 0.3:
        return image
    height, width = image.shape[:2]
    factor = int(min(sigma / 3, min(height, width) / 8))
    if factor < 2:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE))
    reduced = (ceil(width / factor), ceil(height / factor))
    small = cv2.resize(image, reduced, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / factor, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


# --- noise ---


def _enlarge(tile: Array, across: int, down: int) -> Array:
    """Enlarge a periodic tile by whole factors, smoothly over its seams."""
    if across == down == 1:
        return tile
    padded = cv2.copyMakeBorder(tile, 2, 2, 2, 2, cv2.BORDER_WRAP)
    fine = cv2.resize(padded, None, fx=across, fy=down, interpolation=cv2.INTER_CUBIC)
    rows, columns = tile.shape[0] * down, tile.shape[1] * across
    return np.asarray(fine[2 * down : 2 * down + rows, 2 * across : 2 * across + columns], np.float32)


def fbm(
    rng: np.random.Generator,
    cells: int | tuple[int, int] = 8,
    octaves: int = 5,
    gain: float = 0.5,
    size: int = 512,
) -> Array:
    """Fractal noise on a square tile that repeats without a seam, about 0..1 around 0.5.

    `cells` = lattice cells per tile (across, down); it and `size` are powers of two. An octave is summed at
    four texels a cell, so that the coarse ones cost next to nothing.
    """
    nx, ny = (cells, cells) if isinstance(cells, int) else cells
    total = np.zeros((1, 1), np.float32)
    amplitude, weight = 1.0, 0.0
    for _ in range(octaves):
        nx, ny = min(nx, size), min(ny, size)
        width, height = min(4 * nx, size), min(4 * ny, size)
        lattice = rng.random((ny, nx), dtype=np.float32) * np.float32(amplitude)
        total = _enlarge(total, width // total.shape[1], height // total.shape[0]) if weight else total
        total = total + _enlarge(lattice, width // nx, height // ny)
        weight += amplitude
        amplitude, nx, ny = amplitude * gain, nx * 2, ny * 2
    return _enlarge(total, size // total.shape[1], size // total.shape[0]) * np.float32(1 / weight)


def contrast(noise: Array, amount: float) -> Array:
    """Stretch noise around 0.5 and clip to 0..1."""
    return clip((noise - np.float32(0.5)) * np.float32(amount) + np.float32(0.5))


def spread(tile: Array, target: Frame, span: float, rows: slice | None = None) -> Array:
    """Lay a tile flat over the frame (or some of its rows); one period is `span` sides long."""
    start, stop, _ = (rows or slice(None)).indices(target.height)
    step = tile.shape[0] / (span * target.side)  # texels per px
    matrix = np.array([[step, 0, 0.5 * step - 0.5], [0, step, (start + 0.5) * step - 0.5]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (target.width, stop - start)
    return np.asarray(cv2.warpAffine(tile, matrix, size, flags=flags, borderMode=cv2.BORDER_WRAP), np.float32)


def recede(
    tile: Array,
    target: Frame,
    horizon: float,
    span: float,
    *,
    rows: slice,
    squash: float = 1.0,
    turn: float = 0.0,
) -> Array:
    """Lay a tile on the ground plane in perspective, for some rows below the horizon.

    `span` = sides per period at the frame's lower edge; `squash` > 1 stretches the pattern across. Far off,
    where texels fall below a pixel, it fades into its mean and does not shimmer. `turn` shifts its start.
    """
    start, stop, _ = rows.indices(target.height)
    size = tile.shape[0]
    v = target.y[start:stop] / np.float32(target.side)
    eye = np.float32(horizon * target.height / target.side)
    near = np.float32(target.height / target.side) - eye
    depth = near / np.maximum(v - eye, np.float32(0.004))  # 1 at the lower edge
    texels = np.float32(size / span)
    x = (target.x / np.float32(target.side) - np.float32(0.5 * target.width / target.side)) * (
        texels / squash
    )
    map_x = x * depth + np.float32((0.5 + turn) * size)
    map_y = np.broadcast_to(depth * near * texels + np.float32(turn * 0.37 * size), map_x.shape)
    picture = np.asarray(
        cv2.remap(
            tile,
            np.mod(map_x, np.float32(size)),
            np.mod(map_y, np.float32(size)),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_WRAP,
        ),
        np.float32,
    )
    footprint = depth * texels / np.float32(target.side)  # texels per px across
    mean = np.float32(tile.mean())
    result: Array = (picture - mean) / (1 + (footprint * np.float32(0.33)) ** 2) + mean
    return result


def ridge(
    rng: np.random.Generator, target: Frame, cells: float, octaves: int = 5, gain: float = 0.5
) -> Array:
    """1-D fractal noise over the frame's columns, (W,), about 0..1; `cells` lattice cells per side."""
    x = target.x[0] / np.float32(target.side)
    total = np.zeros(target.width, np.float32)
    amplitude, weight = 1.0, 0.0
    for _ in range(octaves):
        lattice = rng.random(
            max(8, ceil(cells * 3)), dtype=np.float32
        )  # three sides wide, whatever the frame
        place = x * np.float32(cells)
        index = place.astype(np.int32)
        part = place - index
        part = part * part * (3 - 2 * part)
        low, high = lattice[index % lattice.size], lattice[(index + 1) % lattice.size]
        total += (low + (high - low) * part) * np.float32(amplitude)
        weight += amplitude
        amplitude, cells = amplitude * gain, cells * 2
    return total * np.float32(1 / weight)


# --- masks ---


def below(target: Frame, line: Array, rows: slice | None = None) -> Array:
    """Anti-aliased mask of what lies below a height line (W,), in px from the top."""
    return clip(target.y[rows or slice(None)] - line[None, :].astype(np.float32) + np.float32(0.5))


def distance(target: Frame, x: float, y: float) -> Array:
    """Distance of every pixel from a point in px, in sides."""
    dx = (target.x - np.float32(x)) * np.float32(1 / target.side)
    dy = (target.y - np.float32(y)) * np.float32(1 / target.side)
    return np.asarray(np.sqrt(dx * dx + dy * dy), np.float32)


def disc(target: Frame, x: float, y: float, radius: float, soft: float = 1.0) -> Array:
    """Anti-aliased disc; all in px."""
    away = distance(target, x, y) * np.float32(target.side)
    return clip((np.float32(radius) - away) * np.float32(1 / soft) + np.float32(0.5))


def rectangle(target: Frame, x0: float, y0: float, x1: float, y1: float, *, radius: float = 0.0) -> Array:
    """Anti-aliased rectangle, with rounded corners where radius > 0; all in px."""
    half = np.float32(0.5)
    if radius <= 0:
        across = np.clip(target.x - np.float32(x0) + half, 0, 1) * np.clip(
            np.float32(x1) - target.x + half, 0, 1
        )
        down = np.clip(target.y - np.float32(y0) + half, 0, 1) * np.clip(
            np.float32(y1) - target.y + half, 0, 1
        )
        result: Array = across * down
        return result
    dx = np.abs(target.x - np.float32((x0 + x1) / 2)) - np.float32((x1 - x0) / 2 - radius)
    dy = np.abs(target.y - np.float32((y0 + y1) / 2)) - np.float32((y1 - y0) / 2 - radius)
    outside = np.sqrt(np.maximum(dx, 0) ** 2 + np.maximum(dy, 0) ** 2)
    signed = outside + np.minimum(np.maximum(dx, dy), 0) - np.float32(radius)
    return clip(half - signed)


def fixed_point(points: Array | Sequence[Sequence[float]]) -> NDArray[np.int32]:
    """Points in px as OpenCV's fixed-point integers (shift = SUBPIXEL_BITS)."""
    scaled = (np.asarray(points, np.float32) - np.float32(0.5)) * np.float32(1 << SUBPIXEL_BITS)
    return np.asarray(np.rint(scaled), np.int32)


def polygon(layer: Bytes, points: Array | Sequence[Sequence[float]], colour: tuple[int, ...] | int) -> None:
    """Fill one polygon anti-aliased into a byte layer; points in px."""
    value = (colour,) if isinstance(colour, int) else colour
    cv2.fillPoly(layer, [fixed_point(points)], value, cv2.LINE_AA, SUBPIXEL_BITS)
