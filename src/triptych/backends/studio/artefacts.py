"""Damage that an editor's decoder does to pixels, and how plainly it shows.

Pictures are H x W x 3 float32 in 0..1.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from triptych.backends.studio.canvas import Array, blur, fbm, frame, luminance, smoothstep, spread, triple

MEASURE_SIDE: Final = 320  # px: the longer side of the pictures that changes are measured on
VISIBLE: Final = (0.045, 0.13)  # difference of colours, 0..1: not seen below, plain above


def shrunk(image: Array) -> Array:
    """The picture at the size that changes are measured on."""
    height, width = image.shape[:2]
    scale = MEASURE_SIDE / max(height, width)
    if scale >= 1:
        return image
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)


def visible_mask(first: Array, second: Array) -> Array:
    """Where two pictures plainly differ, (H, W) in 0..1."""
    difference = np.abs(first - second)
    strongest = np.max(difference, axis=2) * np.float32(0.6) + np.mean(difference, axis=2) * np.float32(0.4)
    return smoothstep(*VISIBLE, np.asarray(cv2.GaussianBlur(strongest, (0, 0), 0.8), np.float32))


def visible_share(first: Array, second: Array) -> float:
    """The share of the frame where two pictures of one size plainly differ."""
    return float(visible_mask(first, second).mean())


def remaining_share(source: Array, clean: Array, edited: Array) -> float:
    """How much of the change that was asked for is missing, 0..1."""
    where = visible_mask(source, clean)
    asked = float((np.abs(clean - source).mean(axis=2) * where).sum())
    missing = float((np.abs(clean - edited).mean(axis=2) * where).sum())
    return min(1.0, missing / max(asked, 1e-6))


def lingering(image: Array, source: Array, rng: np.random.Generator, amount: float) -> Array:
    """What was there still shines through what changed: a soft, uneven ghost of the source."""
    height, width = image.shape[:2]
    side = (height * width) ** 0.5
    changed = np.clip(np.abs(image - source).max(axis=2) * np.float32(6), 0, 1)
    changed = np.clip(blur(changed, 0.006 * side) * np.float32(1.6), 0, 1)
    uneven = cloud(image, rng, 8) - np.float32(0.5)
    weight = changed * np.clip(np.float32(0.2 + 0.6 * amount) + uneven * np.float32(0.7), 0, 0.92)
    return mixed(image, blur(source, (0.001 + 0.003 * amount) * side), weight)


def unfinished(image: Array, source: Array, rng: np.random.Generator, amount: float) -> Array:
    """The change done in part: faintly everywhere, or only on one side with a soft border."""
    height, width = image.shape[:2]
    if rng.random() < 0.5:
        return mixed(image, source, np.full((height, width), 0.25 + 0.6 * amount, np.float32))
    changed = np.abs(image - source).max(axis=2) > 0.06
    rows, columns = np.nonzero(changed) if changed.any() else (np.array([0, height]), np.array([0, width]))
    middle = (float(columns.mean()), float(rows.mean()))
    reach = max(1.0, 1.6 * float(np.hypot(columns.std(), rows.std())))
    angle = float(rng.uniform(0, 2 * np.pi))
    canvas = frame(width, height)
    along = (
        (canvas.x - middle[0]) * np.float32(np.cos(angle))
        + (canvas.y - middle[1]) * np.float32(np.sin(angle))
    ) / np.float32(reach)
    ragged = (cloud(image, rng, 8) - np.float32(0.5)) * np.float32(0.7)
    weight = smoothstep(-0.18, 0.18, along + ragged + np.float32((amount - 0.5) * 0.9))
    return mixed(image, source, weight)


def smeared(image: Array, rng: np.random.Generator, amount: float) -> Array:
    """Botched patches: smeared detail, a cast of foreign colour, or mush; soft-edged, never regular."""
    height, width = image.shape[:2]
    side = (height * width) ** 0.5
    canvas = frame(width, height)
    for _ in range(1 + round(2 * amount)):
        x, y = rng.uniform(0.12, 0.88) * width, rng.uniform(0.15, 0.9) * height
        radius = (0.06 + 0.09 * amount * rng.random()) * side
        away = np.hypot(canvas.x - np.float32(x), canvas.y - np.float32(y)) / np.float32(radius)
        patch = smoothstep(1.15, 0.45, away + (cloud(image, rng, 8) - np.float32(0.5)) * np.float32(2.4))
        manner = int(rng.integers(3))
        if manner == 0:
            reach = np.float32((0.05 + 0.06 * amount) * side)
            map_x = canvas.x + (cloud(image, rng, 16) - np.float32(0.5)) * reach
            map_y = canvas.y + (cloud(image, rng, 16) - np.float32(0.5)) * reach
            other = np.asarray(
                cv2.remap(image, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT), np.float32
            )
        elif manner == 1:
            own = image.mean(axis=(0, 1))
            colour = np.asarray(own + (rng.uniform(0.1, 0.9, 3) - own) * 0.6, np.float32)
            other = image * np.float32(0.7 - 0.35 * amount) + colour * np.float32(0.3 + 0.35 * amount)
        else:
            mush = triple(cloud(image, rng, 64) - np.float32(0.5)) * np.float32(0.25 * amount)
            other = blur(image, (0.006 + 0.012 * amount) * side) + mush
        image = mixed(image, other, patch)
    return image


def drifted(image: Array, rng: np.random.Generator, amount: float) -> Array:
    """All colours shifted a little: white balance, exposure, saturation."""
    signs = rng.choice((-1.0, 1.0), 2)
    balance = rng.standard_normal(3)
    balance = (balance - balance.mean()) / max(1e-6, float(np.abs(balance - balance.mean()).max()))
    gains = np.asarray(1 + balance * 0.17 * amount + signs[0] * 0.08 * amount, np.float32)
    grey = triple(luminance(image))
    return np.clip((grey + (image - grey) * np.float32(1 + signs[1] * 0.35 * amount)) * gains, 0, 1)


def displaced(image: Array, dx: float, dy: float, zoom: float) -> Array:
    """Shifted by px and zoomed about the middle. The border is mirrored: an empty rim would tell at once."""
    height, width = image.shape[:2]
    matrix = np.array(
        [[1 / zoom, 0, width / 2 * (1 - 1 / zoom) - dx], [0, 1 / zoom, height / 2 * (1 - 1 / zoom) - dy]]
    )
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(image, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    return np.clip(np.asarray(moved, np.float32), 0, 1)


def softened(image: Array, amount: float) -> Array:
    """Fine detail lost."""
    side = (image.shape[0] * image.shape[1]) ** 0.5
    return mixed(
        image,
        blur(image, (0.0012 + 0.0045 * amount) * side),
        np.full(image.shape[:2], 0.55 + 0.4 * amount, np.float32),
    )


def overdone(image: Array, source: Array, amount: float) -> Array:
    """The change taken too far, with harsh contrast and colour."""
    further = image + (image - source) * np.float32(0.35 * amount)
    grey = triple(luminance(further))
    vivid = grey + (further - grey) * np.float32(1 + 0.9 * amount)
    harsh: Array = (vivid - np.float32(0.5)) * np.float32(1 + 0.45 * amount) + np.float32(0.5)
    return np.clip(harsh, 0, 1)


def decoded(image: Array, rng: np.random.Generator) -> Array:
    """What every decoder leaves: a trace of softness, noise and uneven tint. Good attempts have it too."""
    height, width = image.shape[:2]
    softness = float(rng.uniform(0.1, 0.35))
    tint = np.asarray(rng.standard_normal((5, 5, 3)) * 0.004, np.float32)
    spread_tint = np.asarray(cv2.resize(tint, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    noise = rng.standard_normal((height, width), dtype=np.float32) * np.float32(rng.uniform(0.002, 0.005))
    soft = np.asarray(cv2.addWeighted(image, 1 - softness, blur(image, 0.6), softness, 0), np.float32)
    soft += spread_tint
    soft += noise[..., None]
    return np.clip(soft, 0, 1, out=soft)


def lost_detail(before: Array, after: Array) -> float:
    """Share of fine detail that is gone, 0..1."""
    energies = [
        float(np.abs(cv2.Laplacian(luminance(image), cv2.CV_32F)).mean()) for image in (before, after)
    ]
    return float(min(1.0, max(0.0, 1 - energies[1] / max(energies[0], 1e-6))))


def cloud(image: Array, rng: np.random.Generator, cells: int) -> Array:
    """Soft noise over a picture, (H, W), about 0..1; `cells`, a power of two, to 1.6 sides."""
    height, width = image.shape[:2]
    return spread(fbm(rng, cells, 2, 0.6, size=128), frame(width, height), 1.6)


def mixed(image: Array, other: Array, weight: Array) -> Array:
    """From `image` to `other` by a weight (H, W)."""
    return image + (other - image) * weight[..., None]
