"""Styles: a picture, or a photograph, painted, drawn or printed anew.

Lengths are in units of sqrt(width * height). Colours are never chosen from the whole picture's
statistics, so a local edit of the source stays a local change of the styled picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np

from triptych.backends.studio.brush import painterly, stroke_painting
from triptych.backends.studio.canvas import (
    Array,
    Frame,
    blur,
    fbm,
    frame,
    from_uint8,
    generator,
    hsv_to_rgb,
    lerp,
    luminance,
    ramp,
    rgb,
    rgb_to_hsv,
    smoothstep,
    spread,
    to_uint8,
    triple,
)
from triptych.backends.studio.finish import grain
from triptych.backends.studio.relief import slopes
from triptych.backends.studio.scene import Style

PAPER_WHITE: Final = np.array([0.985, 0.972, 0.945], np.float32)
SKETCH_PAPER: Final = np.array([0.975, 0.962, 0.93], np.float32)
GRAPHITE: Final = rgb("#2b2a33")
POSTER_INK: Final = rgb("#1f2a44")
BAYER: Final = (
    np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32) / 16 - 15 / 32
)

Painter = Callable[[Array, int, Array | None], Array]


def stylise(image: Array, style: Style, seed: int, edges: Array | None = None) -> Array:
    """Render an H x W x 3 picture in 0..1 in a style.

    `edges` (H, W) 0..1 marks outlines that must show even where colours are alike: those of known things.
    """
    if style == "render":
        return image
    return np.clip(PAINTERS[style](np.ascontiguousarray(image, np.float32), seed, edges), 0, 1)


def edge_strength(grey: Array, canvas: Frame) -> Array:
    """Length of the gradient per 1/1024 of the side, so that edges weigh alike at all sizes."""
    across, down = slopes(grey)
    return np.sqrt(across * across + down * down) * np.float32(canvas.side / 1024)


def _canvas(image: Array) -> Frame:
    return frame(image.shape[1], image.shape[0])


def _paper(canvas: Frame, seed: int, fineness: float) -> Array:
    """Paper tooth about 0..1; `fineness` cells per side."""
    tile = fbm(generator(seed, "paper"), 64, 3, 0.65, size=512)
    return spread(tile, canvas, 64 / fineness)


def _watercolor(image: Array, seed: int, edges: Array | None) -> Array:
    canvas = _canvas(image)
    side = canvas.side
    rng = generator(seed, "watercolor")
    washes = painterly(image, 0.0062)
    tile = fbm(rng, 16, 3, 0.5, size=256)
    sway = (spread(tile, canvas, 0.45) - np.float32(0.5)) * np.float32(0.016 * side)
    swing = (spread(np.ascontiguousarray(tile.T[::-1]), canvas, 0.45) - np.float32(0.5)) * np.float32(
        0.016 * side
    )
    x, y = canvas.x - np.float32(0.5) + sway, canvas.y - np.float32(0.5) + swing
    washes = np.asarray(cv2.remap(washes, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    grey = luminance(washes)
    # Pigment gathers at the rim of a wash.
    rims = blur(np.clip(edge_strength(blur(grey, 0.0014 * side), canvas) * 16, 0, 1), 0.001 * side)
    if edges is not None:
        moved = cv2.remap(edges, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        rims = np.maximum(rims, blur(np.asarray(moved, np.float32), 0.0011 * side) * np.float32(0.85))
    bloom = spread(fbm(rng, 4, 6, 0.6, size=512), canvas, 1.0) - np.float32(0.5)
    tooth = _paper(canvas, seed, 250)
    valley = np.clip(slopes(tooth)[1] * np.float32(0.0016 * side), -0.07, 0.07)
    density = (
        bloom * np.float32(1.05) + rims * np.float32(0.72) + (tooth - np.float32(0.5)) * np.float32(0.35)
    )
    light = triple(grey)
    colour = light + (washes - light) * np.float32(1.28)
    colour = np.clip(colour * np.float32(0.86) + np.float32(0.14), 0.02, 1)
    colour -= triple(density) * colour * (np.float32(1.06) - colour)
    # The wash ends raggedly before the paper does.
    margin = np.minimum(
        np.minimum(canvas.u, 1 - canvas.u) * canvas.width, np.minimum(canvas.v, 1 - canvas.v) * canvas.height
    )
    margin = margin / np.float32(side) + (
        spread(fbm(rng, 8, 5, 0.6, size=512), canvas, 1.0) - np.float32(0.5)
    ) * np.float32(0.075)
    inside = smoothstep(0.020, 0.031, margin)
    pool = np.exp(-(((margin - np.float32(0.033)) / np.float32(0.005)) ** 2)) * np.float32(0.22)
    painted = colour * triple(1 - pool + valley)
    blank = triple(1 + valley * np.float32(0.6)) * PAPER_WHITE
    return lerp(blank, painted, triple(inside))


def _sketch(image: Array, seed: int, edges: Array | None) -> Array:
    canvas = _canvas(image)
    side = canvas.side
    rng = generator(seed, "sketch")
    grey = luminance(image)
    inverse = 1 - blur(grey, 0.008 * side)
    dodge = np.clip(grey / np.maximum(1 - inverse, np.float32(0.05)), 0, 1)
    contour = np.clip(edge_strength(blur(grey, 0.0009 * side), canvas) * 9 - np.float32(0.04), 0, 1)
    if edges is not None:
        contour = np.maximum(contour, edges)
    tone = blur(grey, 0.0022 * side)
    tooth = _paper(canvas, seed, 360)
    wobble_tile = fbm(rng, 8, 3, 0.5, size=256)
    pressure = spread(fbm(rng, 32, 2, 0.5, size=256), canvas, 0.35)
    hatching = np.ones_like(grey)
    # Four directions of strokes, each added where the tone falls below its threshold.
    for index, (angle, threshold) in enumerate(((0.80, 0.74), (0.86, 0.52), (-0.72, 0.36), (0.15, 0.20))):
        wobble = spread(np.roll(wobble_tile, 61 * index, 0), canvas, 0.55) - np.float32(0.5)
        along = (canvas.x * np.float32(np.cos(angle)) + canvas.y * np.float32(np.sin(angle))) / np.float32(
            side
        )
        line = np.sin((along + wobble * np.float32(0.022)) * np.float32(2 * np.pi * 185)) * np.float32(
            0.5
        ) + np.float32(0.5)
        depth = smoothstep(threshold + 0.06, threshold - 0.14, tone) * smoothstep(0.42, 0.9, line)
        hatching *= 1 - depth * (np.float32(0.30) + np.float32(0.55) * pressure)
    shade = dodge * dodge * np.float32(0.35) + dodge * np.float32(0.65)
    drawn = shade * hatching * (1 - contour * np.float32(0.82))
    drawn = np.clip(1 - (1 - drawn) * (np.float32(0.50) + np.float32(0.85) * tooth), 0, 1)
    return ramp(GRAPHITE, SKETCH_PAPER, drawn)


def _oil(image: Array, seed: int, edges: Array | None) -> Array:
    return stroke_painting(image, seed, edges)


def _pixel(image: Array, _seed: int, edges: Array | None) -> Array:
    canvas = _canvas(image)
    cell = canvas.side / 116
    across, down = max(4, round(canvas.width / cell)), max(4, round(canvas.height / cell))
    sharp = np.clip(image + (image - blur(image, 0.5 * cell)) * np.float32(0.6), 0, 1)
    small = np.asarray(cv2.resize(sharp, (across, down), interpolation=cv2.INTER_AREA), np.float32)
    if edges is not None:
        outline = np.asarray(cv2.resize(edges, (across, down), interpolation=cv2.INTER_AREA), np.float32)
        small = small * triple(1 - np.float32(0.55) * smoothstep(0.12, 0.45, outline))
    luma = luminance(small)
    chroma = (small - triple(luma)) * np.float32(1.25)
    tiled = np.tile(BAYER, (down // 4 + 1, across // 4 + 1))[:down, :across]
    dither = np.ascontiguousarray(tiled, np.float32)
    steps = np.float32(11)
    levels = np.asarray(np.rint(luma * steps + dither * np.float32(0.4)) / steps, np.float32)
    tints = np.rint(chroma * 12 + triple(dither) * np.float32(0.2)) / np.float32(12)
    flat = np.clip(triple(levels) + tints, 0, 1)
    return np.asarray(cv2.resize(flat, (canvas.width, canvas.height), interpolation=cv2.INTER_NEAREST))


def _neon(image: Array, _seed: int, edges: Array | None) -> Array:
    canvas = _canvas(image)
    side = canvas.side
    soft = blur(image, 0.0019 * side)
    channels = [edge_strength(np.ascontiguousarray(soft[..., c]), canvas) for c in range(3)]
    tubes = np.clip(
        np.sqrt(sum(c * c for c in channels)) * np.float32(15) - np.float32(0.16), 0, 1
    ) * np.float32(0.7)
    if edges is not None:
        tubes = np.maximum(tubes, edges)
    wide = rgb_to_hsv(np.clip(blur(image, 0.008 * side), 0, 1))
    hue = (
        wide[..., 0] * np.float32(0.8)
        + np.float32(0.52)
        + canvas.u * np.float32(0.22)
        + canvas.v * np.float32(0.10)
    )
    full = np.ones_like(hue)
    colour = hsv_to_rgb(np.dstack([hue, full * np.float32(0.86), full]))
    base = ramp(rgb("#090519"), rgb("#1c1142"), luminance(soft)) + image * np.float32(0.07)
    light = triple(tubes) * colour
    white_hot = lerp(colour, np.ones_like(colour), 0.62)
    core = triple(np.clip(tubes * np.float32(1.35) - np.float32(0.35), 0, 1)) * white_hot
    near, far = blur(light, 0.0036 * side), blur(light, 0.018 * side)
    return np.asarray(base + near * 1.05 + far * 1.1 + core, np.float32)


def _poster(image: Array, seed: int, edges: Array | None) -> Array:
    canvas = _canvas(image)
    flat = painterly(painterly(image, 0.0055), 0.0040)
    luma = luminance(flat)
    chroma = (flat - triple(luma)) * np.float32(1.35)
    steps = np.float32(5.5)
    levels = _soft_steps(luma * steps) / steps
    tints = _soft_steps(chroma * np.float32(7.5)) / np.float32(7.5)
    printed = np.clip(triple(levels) + tints, 0, 1)
    printed = np.asarray(from_uint8(np.asarray(cv2.medianBlur(to_uint8(printed), 5), np.uint8)))
    ink = smoothstep(0.045, 0.11, edge_strength(blur(luma, 0.0012 * canvas.side), canvas)) * np.float32(0.8)
    if edges is not None:
        ink = np.maximum(ink, smoothstep(0.1, 0.5, edges) * np.float32(0.9))
    result = lerp(printed, np.broadcast_to(POSTER_INK, printed.shape), triple(ink))
    result = result * np.array([1.0, 0.975, 0.90], np.float32) + np.float32(0.025)
    return result * triple(np.float32(0.95) + np.float32(0.10) * _paper(canvas, seed, 300))


def _soft_steps(x: Array) -> Array:
    """Round to whole steps with a narrow ramp between them, which keeps borders from jagging."""
    whole = np.floor(x)
    return whole + smoothstep(0.38, 0.62, x - whole)


def _noir(image: Array, seed: int, edges: Array | None) -> Array:
    canvas = _canvas(image)
    side = canvas.side
    # An orange filter: skies go dark, skin and brick stay bright.
    grey = np.clip(image @ np.array([0.50, 0.36, 0.14], np.float32), 0, 1)
    local = grey - blur(grey, 0.05 * side)
    grey = np.clip((grey - np.float32(0.06)) * np.float32(1.12) + local * np.float32(0.35), 0, 1)
    grey = grey * grey * (3 - 2 * grey)
    if edges is not None:
        grey = grey * (1 - np.float32(0.30) * edges)
    grey = grey + blur(np.clip(grey - np.float32(0.72), 0, 1), 0.016 * side) * np.float32(0.55)
    away = np.sqrt((canvas.u - np.float32(0.5)) ** 2 + (canvas.v - np.float32(0.5)) ** 2)
    grey = grey * (1 - np.float32(0.55) * smoothstep(0.32, 0.80, away))
    grey = grey + grain(canvas.width, canvas.height, seed, "noir") * np.float32(0.035)
    return triple(np.clip(grey, 0, 1)) * np.array([1.0, 0.985, 0.955], np.float32)


PAINTERS: Final[Mapping[Style, Painter]] = MappingProxyType(
    {
        "watercolor": _watercolor,
        "sketch": _sketch,
        "oil": _oil,
        "pixel": _pixel,
        "neon": _neon,
        "poster": _poster,
        "noir": _noir,
    }
)
