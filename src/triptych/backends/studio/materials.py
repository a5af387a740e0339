"""Materials: the shading of a picture mapped onto gold, stone, wool..., with a texture of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np

from triptych.backends.studio.canvas import (
    Array,
    Stops,
    blur,
    fbm,
    generator,
    gradient,
    luminance,
    smoothstep,
    triple,
)
from triptych.backends.studio.relief import rounded_height, slopes

GOLD: Final[Stops] = (
    (0, "#3a1c02"), (0.25, "#8a5408"), (0.5, "#d69a1e"), (0.72, "#ffd154"), (0.88, "#fff0a6"), (1, "#fffdee"),
)  # fmt: skip
SILVER: Final[Stops] = (
    (0, "#30353c"), (0.2, "#747d88"), (0.45, "#b4bbc4"), (0.72, "#e0e4e9"), (1, "#ffffff"),
)  # fmt: skip
STONE: Final[Stops] = ((0, "#3c3b38"), (0.4, "#84817b"), (0.75, "#b8b4ac"), (1, "#e2ded6"))
WOOD: Final[Stops] = ((0, "#2f180b"), (0.35, "#6f4220"), (0.65, "#a87040"), (1, "#e6bd88"))
ICE: Final[Stops] = ((0, "#1d5c98"), (0.35, "#5ea8dc"), (0.65, "#a9dcf6"), (0.85, "#dff5ff"), (1, "#ffffff"))
CHOCOLATE: Final[Stops] = ((0, "#1d0d06"), (0.4, "#5c2e14"), (0.7, "#8f5732"), (1, "#e0b48b"))

Maker = Callable[[Array, Array, np.random.Generator], Array]


def materialise(rgb: Array, alpha: Array, material: str, seed: int) -> Array:
    """An HxWx3 picture made of a material (a key of MAKERS); alpha is its coverage."""
    return np.clip(MAKERS[material](rgb, alpha, generator(seed, "material", material)), 0, 1)


def shading(rgb: Array, alpha: Array) -> Array:
    """Lightness stretched over 0..1, so that a dark and a pale thing take a material alike."""
    light = luminance(np.ascontiguousarray(rgb))
    low, high = np.percentile(light[alpha > 0.5], (2, 98))
    centre, span = (low + high) / 2, max(0.28, high - low)
    return np.asarray(np.clip((light - centre) / span + 0.5, 0, 1), np.float32)


def _noise(
    rng: np.random.Generator, shape: tuple[int, int], cells: int | tuple[int, int], gain: float
) -> Array:
    """Fractal noise 0..1 whose cells keep their share of the picture."""
    tile = fbm(rng, cells, 5, gain, size=256)
    side = max(shape)
    scaled = np.asarray(cv2.resize(tile, (side, side), interpolation=cv2.INTER_CUBIC), np.float32)
    return scaled[: shape[0], : shape[1]]


def _normals(rgb: Array, alpha: Array) -> tuple[Array, Array]:
    """Slopes of a rounded body with the picture's own shading embossed on it, about -1..1."""
    side = float(max(alpha.shape))
    bevel = blur(rounded_height(alpha, 0.10 * side), 0.018 * side) * np.float32(0.07 * side)
    bevel += blur(rounded_height(alpha, 0.34 * side), 0.035 * side) * np.float32(0.20 * side)
    emboss = blur(luminance(np.ascontiguousarray(rgb)), 0.012 * side) * np.float32(0.05 * side)
    across, down = slopes(blur(bevel + emboss, 2.0))  # the wide blur's coarse grid must not shine
    length = np.sqrt(1 + across * across + down * down)
    return np.asarray(-across / length, np.float32), np.asarray(-down / length, np.float32)


def _metal(stops: Stops) -> Maker:
    def make(rgb: Array, alpha: Array, rng: np.random.Generator) -> Array:
        light = blur(shading(rgb, alpha), 0.004 * max(alpha.shape))
        across, down = _normals(rgb, alpha)
        up = -down + np.float32(0.25) * across
        # A studio to mirror: bright ceiling, dark wall with a lit strip, warm floor.
        sky = smoothstep(-0.05, 0.55, up) - np.float32(0.45) * smoothstep(0.5, 0.95, up)
        floor = smoothstep(-0.15, -0.8, up) * np.float32(0.55)
        strip = np.exp(-(((up - np.float32(0.18)) / np.float32(0.10)) ** 2)) * np.float32(0.35)
        scratches = (_noise(rng, alpha.shape, (4, 64), 0.6) - np.float32(0.5)) * np.float32(0.10)
        mirror = (
            np.float32(0.30)
            + np.float32(0.62) * sky
            + floor
            + strip
            - np.float32(0.28) * smoothstep(0.0, -0.35, up) * smoothstep(-0.75, -0.3, up)
        )
        glint = smoothstep(0.86, 1.0, light) * np.float32(0.35)
        tone = (
            mirror * (np.float32(0.42) + np.float32(0.62) * light)
            + np.float32(0.12) * light
            + scratches
            + glint
        )
        return gradient(stops, tone)

    return make


def _stone(rgb: Array, alpha: Array, rng: np.random.Generator) -> Array:
    light = shading(rgb, alpha)
    grain = _noise(rng, alpha.shape, 8, 0.75)
    across, down = slopes(grain * np.float32(0.06 * max(alpha.shape)))
    bump = np.clip(down * np.float32(0.8) + across * np.float32(0.2), -0.12, 0.12)
    speckle = smoothstep(0.62, 0.70, _noise(rng, alpha.shape, 64, 0.5)) * np.float32(0.12)
    tone = (
        light * np.float32(0.62)
        + np.float32(0.16)
        + (grain - np.float32(0.5)) * np.float32(0.55)
        - bump
        - speckle
    )
    return gradient(STONE, tone)


def _wood(rgb: Array, alpha: Array, rng: np.random.Generator) -> Array:
    light = shading(rgb, alpha)
    height, width = alpha.shape
    side = np.float32(max(alpha.shape))
    x = np.arange(width, dtype=np.float32)[None, :] / side
    y = np.arange(height, dtype=np.float32)[:, None] / side
    warp = (_noise(rng, alpha.shape, (2, 2), 0.45) - np.float32(0.5)) * np.float32(0.55)
    # Cut along the trunk: rings are long parabolas around a pith beside the picture.
    ring = np.sqrt((x - np.float32(0.35) + warp) ** 2 + (np.float32(0.22) * (y - np.float32(0.3))) ** 2) * 17
    late = ring - np.floor(ring)
    late = smoothstep(0.05, 0.9, late) * smoothstep(1.0, 0.93, late)
    fibre = _noise(rng, alpha.shape, (64, 4), 0.7) - np.float32(0.5)
    tone = light * np.float32(0.62) + np.float32(0.30) - late * np.float32(0.24) + fibre * np.float32(0.34)
    return gradient(WOOD, tone)


def _ice(rgb: Array, alpha: Array, rng: np.random.Generator) -> Array:
    light = shading(rgb, alpha)
    across, down = _normals(rgb, alpha)
    cloudy = _noise(rng, alpha.shape, 4, 0.62)
    # Cracks: thin lines where a warped noise passes its mean.
    crack = np.exp(-(((_noise(rng, alpha.shape, 4, 0.5) - np.float32(0.5)) / np.float32(0.008)) ** 2))
    rim = np.sqrt(across * across + down * down)
    tone = (
        light * np.float32(0.5) + np.float32(0.12) + (cloudy - np.float32(0.5)) * np.float32(0.75)
        + rim * np.float32(0.34) - down * np.float32(0.12) + crack * np.float32(0.28)
    )  # fmt: skip
    glint = smoothstep(0.9, 1.0, light) * np.float32(0.5)
    return gradient(ICE, np.clip(tone, 0, 1) + glint)


def _chocolate(rgb: Array, alpha: Array, rng: np.random.Generator) -> Array:
    light = blur(shading(rgb, alpha), 0.006 * max(alpha.shape))
    across, down = _normals(rgb, alpha)
    gloss = smoothstep(0.30, 0.75, -down + np.float32(0.3) * across) * smoothstep(1.0, 0.7, -down)
    soft = (_noise(rng, alpha.shape, 4, 0.4) - np.float32(0.5)) * np.float32(0.10)
    tone = light * np.float32(0.58) + np.float32(0.14) + soft + gloss * np.float32(0.30)
    return gradient(CHOCOLATE, tone + smoothstep(0.85, 1.0, light) * np.float32(0.15))


def _knitted(rgb: Array, alpha: Array, rng: np.random.Generator) -> Array:
    height, width = alpha.shape
    stitch = np.float32(max(alpha.shape) / 26)
    x = np.arange(width, dtype=np.float32)[None, :] / stitch
    y = np.arange(height, dtype=np.float32)[:, None] / (stitch * np.float32(0.62))
    # Stocking stitch: columns of V's, each leg a slanted bead of yarn.
    column = x - np.floor(x)
    leg = np.abs(column - np.float32(0.5)) * 2  # 0 in the valley of the V, 1 between columns
    row = y - leg * np.float32(0.9)
    across = np.sin(np.float32(np.pi) * (row - np.floor(row)))
    along = np.sin(np.float32(np.pi) * np.clip(leg * np.float32(0.94) + np.float32(0.04), 0, 1))
    yarn = np.sqrt(np.clip(across, 0, 1)) * (
        np.float32(0.45) + np.float32(0.55) * np.sqrt(np.clip(along, 0, 1))
    )
    fuzz = _noise(rng, alpha.shape, (64, 64), 0.8) - np.float32(0.5)
    coarse = np.asarray(
        blur(np.dstack([rgb * triple(alpha), alpha]).astype(np.float32), float(stitch) * 0.40)
    )
    soft = coarse[..., :3] / np.maximum(triple(np.ascontiguousarray(coarse[..., 3])), np.float32(0.02))
    grey = triple(luminance(np.ascontiguousarray(soft)))
    wool = grey + (soft - grey) * np.float32(0.86) + np.float32(0.03)
    relief = np.float32(0.50) + np.float32(0.58) * yarn + fuzz * np.float32(0.30)
    return np.asarray((wool * 0.94 + 0.06) * triple(relief.astype(np.float32)), np.float32)


MAKERS: Final[Mapping[str, Maker]] = MappingProxyType(
    {
        "gold": _metal(GOLD),
        "silver": _metal(SILVER),
        "stone": _stone,
        "wood": _wood,
        "ice": _ice,
        "chocolate": _chocolate,
        "knitted": _knitted,
    }
)
