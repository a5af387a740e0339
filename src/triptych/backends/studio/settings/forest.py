"""A forest path between tall trunks, with sunbeams."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from triptych.backends.studio.canvas import (
    Array,
    Frame,
    below,
    blur,
    clip,
    contrast,
    distance,
    fbm,
    frame,
    from_uint8,
    generator,
    glow,
    over,
    over_premultiplied,
    polygon,
    ramp,
    recede,
    rgb,
    ridge,
    shade,
    smoothstep,
    spread,
    to_uint8,
)
from triptych.backends.studio.light import haze_at, scene_light
from triptych.backends.studio.scene import Scene
from triptych.backends.studio.settings.stage import Backdrop, Stage, outdoor_backdrop, snow_cover
from triptych.backends.studio.settings.terrain import band, draw_blades, grass_colours, mist
from triptych.backends.studio.settings.trees import LEAVES
from triptych.backends.studio.sky import paint_sky

FOREST = Stage(horizon=0.46, ground_far=0.72, ground_near=0.94, scale_far=0.6, scale_near=1.15)
_PLANES = (  # distance, trunks per side, trunk width (sides), foot below the horizon
    (0.85, 26, 0.010, 0.02),
    (0.58, 16, 0.017, 0.06),
    (0.34, 9, 0.028, 0.11),
    (0.10, 7, 0.050, 0.19),
)


def paint_forest(scene: Scene, target: Frame) -> Backdrop:
    """A quiet forest path."""
    light = scene_light(scene)
    sun_x = 0.36 if scene.palette & 1 else 0.64
    # What stands far off is soft anyway: half the size will do.
    half = frame((target.width + 1) // 2, (target.height + 1) // 2)
    image = mist(paint_sky(scene, half, 0.62, clouds=False), scene, 0.45)
    halo = _halo(scene, half, sun_x)
    glow(image, light.sun * np.float32(light.ambient), halo * np.float32(0.25 if snow_cover(scene) else 0.55))
    for k in (0, 1):
        _draw_plane(image, scene, half, k, halo, sun_x)
    image = np.asarray(cv2.resize(image, target.size, interpolation=cv2.INTER_LINEAR), np.float32)
    halo = _halo(scene, target, sun_x)
    for k in (2, 3):
        _draw_plane(image, scene, target, k, halo, sun_x)
    draw_blades(image, scene, target, 0.70, 1500, flowers=0.04)
    _frame_with_leaves(image, scene, target)
    if light.overcast == 0:
        _draw_beams(image, scene, target, sun_x)
    lit, dark = _floor_colours(scene)
    return replace(outdoor_backdrop(scene, FOREST, image, (lit + dark) * np.float32(0.5)), sun=(sun_x, 0.2))


def _halo(scene: Scene, target: Frame, sun_x: float) -> Array:
    """Light falling through the crowns around the hidden sun, 0..1."""
    away = distance(target, sun_x * target.width, 0.24 * target.height)
    return np.asarray(
        np.exp(away * np.float32(-3.0)) * np.float32(scene_light(scene).direct * 0.9 + 0.1), np.float32
    )


def _draw_plane(image: Array, scene: Scene, target: Frame, k: int, halo: Array, sun_x: float) -> None:
    _draw_floor(image, scene, target, k, halo)
    _draw_canopy(image, scene, target, k, halo)
    _draw_trunks(image, scene, target, k, halo, sun_x)


def _floor_colours(scene: Scene) -> tuple[Array, Array]:
    if scene.season == "summer" and not snow_cover(scene):
        return rgb("#86a64a"), rgb("#41632d")
    return grass_colours(scene)


def _draw_floor(image: Array, scene: Scene, target: Frame, k: int, halo: Array) -> None:
    rng = generator(scene.seed, "forest floor", k)
    light = scene_light(scene)
    depth, _, _, foot = _PLANES[k]
    horizon = FOREST.horizon
    line = np.float32((horizon + foot - 0.02) * target.height) - (
        ridge(rng, target, 2.4, 4) - np.float32(0.5)
    ) * np.float32(0.03 * target.side)
    bottom = 1.0 if k == len(_PLANES) - 1 else horizon + _PLANES[k + 1][3] + 0.06
    rows = band(target, line, bottom)
    tile = fbm(generator(scene.seed, "forest soil"), 16, 5, 0.62)
    soil = recede(tile, target, horizon - 0.05, 0.9, rows=rows, squash=1.3)
    lit, dark = _floor_colours(scene)
    colour = ramp(dark, lit, contrast(soil, 2.0))
    path_dark, path_lit = (
        (rgb("#7a6040"), rgb("#c0a070")) if not snow_cover(scene) else (rgb("#a9b9d0"), rgb("#eef3fa"))
    )
    path = ramp(path_dark, path_lit, contrast(soil, 1.7))
    v = target.v[rows]
    bend = np.float32(0.5) + np.float32(0.05) * np.sin(v * np.float32(11)) * (1 - v)
    half = np.float32(0.045) + np.float32(0.27) * np.maximum(v - np.float32(horizon), 0)
    wobble = (soil - np.float32(0.5)) * np.float32(0.35)
    on_path = smoothstep(1.15, 0.75, np.abs(target.u - bend) / half + wobble)
    over(colour, path, on_path * np.float32(0.9))
    colour *= light.tint
    dapple = smoothstep(
        0.50, 0.62, recede(fbm(rng, 8, 4, 0.6), target, horizon - 0.05, 0.8, rows=rows, squash=2.0, turn=0.3)
    )
    base, sunlit, near_sun = (
        (0.84, 0.24, 0.08) if snow_cover(scene) else (0.82, 0.42, 0.35)
    )  # snow has no room above
    shade(
        colour,
        np.float32(base) + dapple * np.float32(sunlit * light.direct) + halo[rows] * np.float32(near_sun),
    )
    mist(colour, scene, haze_at(light, depth * 0.85))
    over(image[rows], colour, below(target, line, rows))


def _draw_canopy(image: Array, scene: Scene, target: Frame, k: int, halo: Array) -> None:
    """Foliage as a thresholded noise field, denser towards the top."""
    rng = generator(scene.seed, "canopy", k)
    light = scene_light(scene)
    depth = _PLANES[k][0]
    reach = (0.50, 0.38, 0.26, 0.15)[k]
    bare = scene.season == "winter"
    rows = slice(0, max(2, target.row(min(0.62, reach + 0.26))))
    leaves = spread(fbm(rng, (16, 16), 5, 0.68), target, 1.15 - 0.1 * k, rows)
    edge = np.float32(reach) + (ridge(rng, target, 4, 4) - np.float32(0.5))[None, :] * np.float32(0.16)
    cover = smoothstep(-0.035, 0.045, edge - target.v[rows] + (leaves - np.float32(0.5)) * np.float32(0.62))
    if bare:
        twigs = spread(fbm(rng, 64, 3, 0.7), target, 1.0, rows)
        cover = cover * smoothstep(0.50, 0.60, twigs) * np.float32(0.55)
    clumps = spread(fbm(rng, 32, 4, 0.72), target, 0.95, rows)
    tones = LEAVES[scene.season]
    low, high = rgb(tones[k % 4]) * np.float32(0.52), rgb(tones[(k + 1) % 4]) * np.float32(1.18)
    if snow_cover(scene):
        low, high = rgb("#8f9097"), rgb("#e6edf5")
    colour = ramp(low, high, smoothstep(0.34, 0.68, clumps))
    colour *= light.tint
    shade(colour, 1 + halo[rows] * np.float32((0.2 if snow_cover(scene) else 0.7) * light.direct))
    mist(colour, scene, haze_at(light, depth) * 0.92)
    over(image[rows], colour, cover)


def _draw_trunks(image: Array, scene: Scene, target: Frame, k: int, halo: Array, sun_x: float) -> None:
    depth, density, width, foot = _PLANES[k]
    rng = generator(scene.seed, "trunks", k)
    light = scene_light(scene)
    side = target.side
    bottom = target.row(FOREST.horizon + foot + 0.05)
    layer = np.zeros((bottom, target.width), np.uint8)
    for _ in range(density * 3):
        x, girth, lean, low = (float(q) for q in rng.random(4))
        boughs = rng.random((3, 3))
        x = x * 3 * side
        if x > target.width * 1.05:
            continue
        u = x / target.width
        clearing = 0.05 + 0.065 * k
        if abs(u - 0.5) < clearing:
            continue
        half = width * side * (0.3 + 0.4 * girth)
        tilt = (lean - 0.5) * 0.06 * side
        y = (FOREST.horizon + foot + (low - 0.5) * 0.02) * target.height
        flare = half * 1.5
        polygon(
            layer,
            [
                (x - flare, y + half * 0.3),
                (x - half, y - half * 2.5),
                (x + tilt - half * 0.62, -2),
                (x + tilt + half * 0.62, -2),
                (x + half, y - half * 2.5),
                (x + flare, y + half * 0.3),
            ],
            255,
        )
        for height, reach, thick in boughs.tolist():
            by = (0.03 + 0.34 * height) * target.height
            dx = (reach - 0.5) * 0.34 * side
            bx, thin = x + tilt * (1 - by / y), max(0.6, half * (0.16 + 0.16 * thick))
            polygon(layer, [(bx, by - thin), (bx + dx, by - abs(dx) * 0.65), (bx, by + thin)], 255)
    mask = from_uint8(layer)
    rows = slice(0, bottom)
    bark = spread(fbm(rng, (128, 16), 4, 0.62), target, 1.0, rows)
    inner = blur(mask, width * side * 0.22)
    slope = cv2.Sobel(inner, cv2.CV_32F, 1, 0, ksize=3) * np.float32(width * side * 0.30)
    towards = np.float32(-1.0 if sun_x > 0.5 else 1.0)
    relief = clip(slope * towards * np.float32(0.55), -0.45, 0.6)
    colour = ramp(
        rgb("#3d2f24"),
        rgb("#9a8062"),
        clip(bark * np.float32(1.5) - np.float32(0.35) + relief * np.float32(0.7)),
    )
    if snow_cover(scene):
        over(
            colour,
            rgb("#eaf1f9"),
            smoothstep(0.50, 0.66, bark) * smoothstep(-0.05, 0.3, relief) * np.float32(0.8),
        )
    colour *= light.tint
    glow(colour, light.sun, np.maximum(relief, 0) * halo[rows] * np.float32(1.2 * light.direct))
    mist(colour, scene, haze_at(light, depth))
    over(image[rows], colour, mask)


def _frame_with_leaves(image: Array, scene: Scene, target: Frame) -> None:
    """Near boughs hanging into the upper corners."""
    if scene.season == "winter":
        return
    rng = generator(scene.seed, "near leaves")
    light = scene_light(scene)
    reach = 0.30
    bottom = target.row(0.34)
    layer = np.zeros((bottom, target.width, 4), np.uint8)
    tones = [rgb(c) for c in LEAVES[scene.season]]
    for k in range(900):
        u, drop, tone, size, turn = (float(q) for q in rng.random(5))
        hang = 0.03 + reach * abs(u - 0.5) ** 1.7 * 3.0
        y = hang * drop**1.3 * target.height
        x = u * target.width
        bright = 0.42 + 0.5 * drop + 0.25 * tone
        colour = to_uint8((tones[k % 4] * light.tint * np.float32(bright)).reshape(1, 1, 3))[0, 0].tolist()
        half = target.side * (0.006 + 0.007 * size)
        axes = (int(half * 16), int(half * 0.5 * 16))
        cv2.ellipse(
            layer, (int(x * 16), int(y * 16)), axes, turn * 180, 0, 360, (*colour, 255), -1, cv2.LINE_AA, 4
        )
    over_premultiplied(image[:bottom], layer)


def _draw_beams(image: Array, scene: Scene, target: Frame, sun_x: float) -> None:
    """Sunbeams fanning out from above the frame; soft, so painted at a quarter of the size."""
    rng = generator(scene.seed, "beams")
    light = scene_light(scene)
    width, height = max(8, target.width // 4), max(8, target.height // 4)
    x = (np.arange(width, dtype=np.float32)[None, :] + np.float32(0.5)) / width * target.width - np.float32(
        sun_x * target.width
    )
    y = (
        np.arange(height, dtype=np.float32)[:, None] + np.float32(0.5)
    ) / height * target.height + np.float32(0.25 * target.side)
    angle = np.arctan2(x, y) * np.float32(1 / np.pi) + np.float32(0.5)
    pattern = cv2.GaussianBlur(rng.random((1, 512), dtype=np.float32), (0, 0), 3.4)[0]
    index = np.clip(angle * 511, 0, 510)
    low = index.astype(np.int32)
    shafts = pattern[low] + (pattern[low + 1] - pattern[low]) * (index - low)
    fade = np.exp(-np.sqrt(x * x + y * y) * np.float32(1.15 / target.side))
    amount = smoothstep(0.50, 0.66, shafts.astype(np.float32)) * fade
    strength = {"dawn": 0.40, "day": 0.38, "sunset": 0.42, "dusk": 0.18, "night": 0.16}[scene.time]
    full = cv2.resize(amount.astype(np.float32), target.size, interpolation=cv2.INTER_LINEAR)
    glow(image, light.sun, np.asarray(full, np.float32) * np.float32(strength))
