"""Rain, snow and fog over a picture: one of the studio's, or any photograph taken outdoors."""

from __future__ import annotations

import cv2
import numpy as np

from triptych.backends.studio.canvas import (
    Array,
    Frame,
    fbm,
    frame,
    from_uint8,
    generator,
    lerp,
    luminance,
    smoothstep,
    spread,
    triple,
)
from triptych.backends.studio.light import Light
from triptych.backends.studio.scene import Weather

PHOTO_HORIZON = 0.45
STRIP = 32  # rows
COOL_GREY = np.array([0.96, 1.0, 1.05], np.float32)


def weather_over(
    image: Array, weather: Weather, seed: int, horizon: float | None = None, light: Light | None = None
) -> Array:
    """Lay falling or drifting weather on an H x W x 3 picture.

    Without a light the picture is taken for a photograph in fair weather: its colours are greyed too, and the
    haze takes their brightness. `horizon` is a fraction of the height.
    """
    if weather == "clear":
        return image
    height, width = image.shape[:2]
    canvas = frame(width, height)
    line = PHOTO_HORIZON if horizon is None else horizon
    if light is None:
        image, haze = _overcast(image, weather)
    else:
        image, haze = image.copy(), light.haze
    if weather == "fog":
        return _fog(image, canvas, seed, line, haze, thick=light is None)
    band = np.exp(-(((canvas.v - np.float32(line)) / np.float32(0.14)) ** 2))
    if weather == "rain":
        _veil(image, haze, np.float32(0.10) + np.float32(0.24) * band)
        return _rain(image, canvas, seed, line, haze)
    _veil(image, haze, np.float32(0.08) + np.float32(0.20) * band)
    return _snow(image, canvas, seed, haze)


def _veil(image: Array, colour: Array, alpha: Array) -> Array:
    """Lay a colour (3,) on the whole image in place; strips of rows stay in the processor's cache."""
    height, width = image.shape[:2]
    for start in range(0, height, STRIP):
        part = image[start : start + STRIP]
        cover = alpha[start : start + STRIP] if alpha.shape[0] > 1 else alpha
        part += (colour - part) * triple(
            np.ascontiguousarray(np.broadcast_to(cover, (part.shape[0], width)), np.float32)
        )
    return image


def _overcast(image: Array, weather: Weather) -> tuple[Array, Array]:
    """A sunny photograph under a grey sky, and the colour of its haze."""
    grey = luminance(image)
    height = grey.shape[0]
    sky = float(np.clip(np.percentile(grey[: max(1, height // 2) : 4, ::4], 70), 0.18, 0.82))
    strength = {"rain": 0.55, "snow": 0.5, "fog": 0.45}[weather]
    dull = lerp(image, triple(grey) * COOL_GREY, strength) * np.float32(0.88 if weather == "rain" else 0.96)
    return dull, COOL_GREY * np.float32(0.16 + 0.80 * sky)


def _fog(image: Array, canvas: Frame, seed: int, horizon: float, haze: Array, thick: bool) -> Array:
    tile = fbm(generator(seed, "fog"), (4, 8), 5, 0.5, size=256)
    drift = spread(tile, canvas, 1.3)
    above = smoothstep(horizon - 0.75, horizon, canvas.v)
    below = smoothstep(1.15, horizon + 0.02, canvas.v)
    bank = np.where(canvas.v < np.float32(horizon), np.float32(0.35) + np.float32(0.65) * above, below)
    amount = np.float32(1.0 if thick else 0.8)
    density = np.clip(bank * (np.float32(0.35) + np.float32(0.95) * drift) * amount, 0, 0.92)
    return _veil(image, haze * np.float32(1.03), density)


def _rain(image: Array, canvas: Frame, seed: int, horizon: float, haze: Array) -> Array:
    rng = generator(seed, "rain")
    side = canvas.side
    slant = float(rng.uniform(-0.22, 0.22))
    light = np.maximum(haze * np.float32(1.15), np.float32(0.45)) * np.array([0.96, 1.0, 1.04], np.float32)
    area = canvas.width * canvas.height / side**2
    # Far, middle and near drops: (count, length, width, brightness)
    for count, length, thickness, level in (
        (900, 0.018, 1.0, 74),
        (420, 0.040, 1.4, 104),
        (70, 0.085, 2.3, 84),
    ):
        n = round(count * area)
        x, y, stretch, shade = rng.random((4, n), dtype=np.float32)
        span = np.float32(length * side) * (np.float32(0.6) + np.float32(0.8) * stretch)
        start = np.stack([(x * 1.3 - 0.15) * canvas.width, (y * 1.1 - 0.1) * canvas.height], -1)
        end = start + np.stack([-slant * span, span], -1)
        lines = np.rint(np.stack([start, end], 1) * 16).astype(np.int32)
        layer = np.zeros((canvas.height, canvas.width), np.uint8)
        width = max(1, round(thickness * side / 1024))
        for part in range(4):  # OpenCV draws many lines of one brightness in a call
            chosen = (shade * 4).astype(np.int32) == part
            value = round(level * (0.55 + 0.3 * part))
            cv2.polylines(layer, list(lines[chosen]), False, value, width, cv2.LINE_AA, 4)
        if thickness > 2:
            layer = np.asarray(cv2.GaussianBlur(layer, (0, 0), max(0.4, side / 1024)), np.uint8)
        _veil(image, light, from_uint8(layer) * np.float32(min(1.0, 0.45 + 0.55 * side / 1024)))
    splashes = np.zeros((canvas.height, canvas.width), np.uint8)
    for x, depth, size in rng.random((round(90 * area), 3)):
        y = (horizon + 0.12 + (0.88 - horizon) * depth) * canvas.height
        radius = side * (0.002 + 0.008 * depth) * (0.6 + 0.8 * size)
        axes = (max(16, round(16 * radius)), max(8, round(16 * radius * 0.36)))
        cv2.ellipse(
            splashes, (round(16 * x * canvas.width), round(16 * y)), axes, 0, 0, 360, 95, 1, cv2.LINE_AA, 4
        )
    return _veil(image, light, from_uint8(splashes))


def _snow(image: Array, canvas: Frame, seed: int, haze: Array) -> Array:
    rng = generator(seed, "snow")
    side = canvas.side
    white = np.maximum(haze * np.float32(1.3), np.float32(0.72)).clip(0, 1)
    area = canvas.width * canvas.height / side**2
    # Flakes that share a softness share a layer: (softness, ((count, radius, brightness), ...)), far to near.
    layers = (
        (0.0005, ((1100, 0.0011, 165), (420, 0.0021, 210))),
        (0.0014, ((130, 0.0036, 215),)),
        (0.0040, ((26, 0.0080, 150),)),
    )
    for softness, sizes in layers:
        layer = np.zeros((canvas.height, canvas.width), np.uint8)
        for count, radius, level in sizes:
            for x, y, size in rng.random((round(count * area), 3)).tolist():
                centre = (round(16 * x * canvas.width), round(16 * y * canvas.height))
                reach = max(8, round(16 * radius * side * (0.6 + 0.8 * size)))
                cv2.circle(layer, centre, reach, level, -1, cv2.LINE_AA, 4)
        soft = np.asarray(cv2.GaussianBlur(layer, (0, 0), max(0.3, softness * side)), np.uint8)
        _veil(image, white, np.minimum(from_uint8(soft) * np.float32(1.15), np.float32(0.95)))
    return image
