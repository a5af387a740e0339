"""How a picture looks as a whole, in numbers: light, colours, textures, damage."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from triptych.backends.studio.canvas import Array
from triptych.backends.studio.judge.look import Look
from triptych.pixels.picture import Pixels

GRID: Final = 4
HUES: Final = 12
FINE: Final = 16  # the last descriptors: fine detail and flatness


def describe(look: Look) -> Array:
    """Descriptors of a picture, float32."""
    return np.concatenate(
        [_colours(look.lab), _edges(look), _full_size(look.pixels), _flatness(look.pixels)]
    ).astype(np.float32)


def _colours(lab: Array) -> Array:
    grid = cv2.resize(lab, (GRID, GRID), interpolation=cv2.INTER_AREA)
    squared = cv2.resize(lab[..., 0] ** 2, (GRID, GRID), interpolation=cv2.INTER_AREA)
    spread = np.sqrt(np.maximum(squared - grid[..., 0] ** 2, 0))
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    hue = (np.arctan2(lab[..., 2], lab[..., 1]) / (2 * np.pi)) % 1
    half = lab.shape[0] // 2
    hues = [
        np.histogram(hue[rows], HUES, (0, 1), weights=np.minimum(chroma[rows], 60))[0] / chroma[rows].size
        for rows in (slice(None, half), slice(half, None))
    ]
    lightness = np.histogram(lab[..., 0], 8, (0, 100.01))[0] / chroma.size * 30
    percentiles = np.percentile(lab[..., 0], (2, 25, 50, 75, 98))
    others = [
        chroma.mean(),
        *np.percentile(chroma, (50, 95)),
        float((chroma < 5).mean()) * 30,
        lab[..., 0].std(),
    ]
    return np.concatenate([grid.ravel(), spread.ravel(), *hues, lightness, percentiles, others])


def _edges(look: Look) -> Array:
    strength = look.edges[..., 0]
    across, down = look.edges[..., 1], look.edges[..., 2]
    rows = np.array_split(np.arange(strength.shape[0]), 3)
    bands = [[part.mean(), part.std()] for part in (strength[index] for index in rows)]
    upright = [
        float(across[index].sum() / (strength[index].sum() + 1e-3)) for index in rows
    ]  # streaks of rain run upright
    slanted = [float(down[index].sum() / (strength[index].sum() + 1e-3)) for index in rows]
    return np.concatenate(
        [np.ravel(bands), upright, slanted, np.percentile(strength, (10, 25, 50, 75, 90, 97))]
    )


def _full_size(pixels: Pixels) -> Array:
    """Fine detail at full size and two halvings of it, JPEG's blocks, specks."""
    rows = pixels.shape[0]
    grey = cv2.cvtColor(pixels[rows // 8 : rows - rows // 8], cv2.COLOR_RGB2GRAY)
    values: list[float] = []
    level = grey
    for _ in range(3):
        detail = np.abs(cv2.Laplacian(level, cv2.CV_16S, ksize=1))
        values += [float(np.log(detail.mean() + 0.1)), float(np.log(np.median(detail[::2, ::2]) + 0.5))]
        values.append(float((detail > 60).mean()) * 30)
        level = cv2.resize(level, (level.shape[1] // 2, level.shape[0] // 2), interpolation=cv2.INTER_AREA)
    steps = np.abs(np.diff(grey[::2].astype(np.int16), axis=1)).mean(axis=0)
    columns = steps[: len(steps) // 8 * 8].reshape(-1, 8).mean(axis=0)
    values.append(float(columns.max() / (np.median(columns) + 0.2)))
    return np.array(values)


def _flatness(pixels: Pixels) -> Array:
    """Shares of neighbours that are all but the same, few or many colours: pixel art, posters."""
    thin = pixels[::2].astype(np.int16)
    step = np.abs(np.diff(thin, axis=1)).max(axis=2)
    shares = [float((step <= limit).mean()) for limit in (1, 3, 8)]
    coarse = (pixels[::4, ::4] >> 4).astype(np.int32)
    codes = coarse[..., 0] * 256 + coarse[..., 1] * 16 + coarse[..., 2]
    counts = np.bincount(codes.ravel(), minlength=4096)
    used = np.sort(counts)[::-1] / codes.size
    return np.array([*shares, float((counts > 0).sum()) / 100, float(used[:8].sum()), float(used[:32].sum())])
