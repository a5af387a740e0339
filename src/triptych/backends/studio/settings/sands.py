"""Sand: the beach by the sea and the desert's dunes."""

from __future__ import annotations

import numpy as np

from triptych.backends.studio.canvas import (
    Array,
    Frame,
    below,
    clip,
    fbm,
    generator,
    over,
    ramp,
    recede,
    rgb,
    ridge,
    shade,
    smoothstep,
    spread,
)
from triptych.backends.studio.light import greyed, haze_at, scene_light
from triptych.backends.studio.scene import Scene
from triptych.backends.studio.settings.stage import Backdrop, Stage, outdoor_backdrop, snow_cover
from triptych.backends.studio.settings.terrain import band, draw_pebbles, mist, sun_side
from triptych.backends.studio.settings.water import paint_water
from triptych.backends.studio.sky import paint_sky

BEACH = Stage(
    horizon=0.42, ground_far=0.70, ground_near=0.93, scale_far=0.6, scale_near=1.15, water=(0.45, 0.60)
)
DESERT = Stage(horizon=0.50, ground_far=0.74, ground_near=0.93, scale_far=0.6, scale_near=1.1)


def _moonlit(scene: Scene, *colours: Array) -> tuple[Array, ...]:
    """Colours as an eye sees them: by night, warm sand loses most of its hue."""
    share = {"night": 0.5, "dusk": 0.25}.get(scene.time, 0.0)
    return tuple(greyed(colour, share) for colour in colours)


def paint_beach(scene: Scene, target: Frame) -> Backdrop:
    """A sandy beach by the sea."""
    horizon, side = BEACH.horizon, target.side
    light = scene_light(scene)
    rng = generator(scene.seed, "beach")
    image = paint_sky(scene, target, horizon + 0.01)
    _draw_headland(image, scene, target, horizon)
    cool = scene.season == "winter"
    deep = ("#2a86b2", "#49c7c2") if not cool else ("#4d7d93", "#7fb0b4")
    paint_water(
        image,
        scene,
        target,
        horizon,
        0.70,
        deep=deep,
        mirror=0.40 if scene.time == "day" else 0.66,
        waves=0.55,
    )
    curve = (ridge(rng, target, 1.5, 3, 0.4) - np.float32(0.5)) * np.float32(0.07 * side)
    tilt = (target.u[0] - np.float32(0.5)) * np.float32(
        0.03 * target.height * (1 if scene.palette & 2 else -1)
    )
    shore = (np.float32(0.632 * target.height) + curve + tilt).astype(np.float32)
    sand_light, sand_dark = _moonlit(
        scene, *(rgb(c) for c in (("#f6deae", "#d9b47c") if not cool else ("#e9dcc2", "#c2ae90")))
    )
    rows = band(target, shore - np.float32(0.13 * side), 1.0)
    depth = (target.y[rows] - shore[None, :]) * np.float32(1 / side)  # below the shore line, in sides
    rows_sand = band(target, shore, 1.0)
    offset = rows_sand.start - rows.start
    sand = _sand(scene, target, rows_sand, sand_light, sand_dark)
    wet = np.exp(np.maximum(depth[offset:], 0) * np.float32(-1 / 0.024))
    over(sand, sand_dark * np.float32(0.62) * light.tint, wet * np.float32(0.75))
    over(
        sand,
        light.sky_colour(0.75),
        np.exp(np.maximum(depth[offset:], 0) * np.float32(-1 / 0.012)) * np.float32(0.30),
    )
    over(image[rows_sand], sand, below(target, shore, rows_sand))
    _draw_foam(image[rows], scene, target, depth, rows)
    draw_pebbles(image, scene, target, 0.70, 110, ("#c9ab83", "#a88a68", "#f3e6d2", "#e8c8b4", "#8f7d6c"))
    ground = (sand_light + sand_dark) * np.float32(0.5)
    return outdoor_backdrop(scene, BEACH, image, ground)


def _draw_headland(image: Array, scene: Scene, target: Frame, horizon: float) -> None:
    """A wooded cape on one side of the horizon."""
    rng = generator(scene.seed, "headland")
    light = scene_light(scene)
    at = 0.10 if scene.palette & 2 else 0.90
    rise = np.exp(-(((target.u[0] - np.float32(at)) / np.float32(0.24)) ** 2))
    height = (np.float32(0.03) + np.float32(0.055) * ridge(rng, target, 3, 6, 0.55)) * np.float32(target.side)
    line = (np.float32(horizon * target.height + 2) - height * rise * np.float32(1.25)).astype(np.float32)
    rows = band(target, line, horizon + 0.004)
    texture = spread(fbm(rng, (16, 32), 4, 0.6, 256), target, 0.5, rows)
    cape = ramp(rgb("#41624f"), rgb("#8aa57e"), clip(texture * np.float32(1.6) - np.float32(0.3)))
    cape *= light.tint
    mist(cape, scene, haze_at(light, 0.5))
    mask = below(target, line, rows) * smoothstep(0.04, 0.10, rise)[None, :]
    over(image[rows], cape, mask)


def _sand(scene: Scene, target: Frame, rows: slice, lit: Array, dark: Array) -> Array:
    rng = generator(scene.seed, "sand")
    broad = recede(fbm(rng, (8, 16), 5, 0.55), target, 0.42, 1.3, rows=rows, squash=1.7)
    grain = recede(fbm(rng, 128, 2, 0.8), target, 0.42, 0.5, rows=rows, turn=0.2)
    t = clip((target.v[rows] - np.float32(0.62)) * np.float32(1 / 0.38))
    shadow = clip(np.float32(0.18) + np.float32(0.30) * t + (broad - np.float32(0.5)) * np.float32(1.3))
    sand = ramp(lit, dark, shadow)
    shade(sand, np.float32(0.86) + np.float32(0.28) * grain)
    if scene.weather == "rain":
        sand *= np.float32(0.80)
    snow = snow_cover(scene)
    if snow:
        over(
            sand,
            rgb("#eef3f8"),
            smoothstep(0.46, 0.60, broad) * np.float32(snow * 1.5) * smoothstep(0.1, 0.5, t),
        )
    sand *= scene_light(scene).tint
    return sand


def _draw_foam(part: Array, scene: Scene, target: Frame, depth: Array, rows: slice) -> None:
    """The swash on the sand and two breakers behind it."""
    rng = generator(scene.seed, "foam")
    light = scene_light(scene)
    lace = recede(fbm(rng, (16, 32), 5, 0.7), target, 0.40, 0.9, rows=rows, squash=1.8)
    wander = (ridge(rng, target, 2.2, 3, 0.5) - np.float32(0.5))[None, :]
    white = np.ones(3, np.float32) * np.maximum(light.tint, np.float32(0.42))
    foam = np.zeros_like(depth)
    for place, width, level, strength in (
        (0.0, 0.007, 0.40, 1.0),
        (-0.036, 0.006, 0.45, 0.9),
        (-0.074, 0.004, 0.49, 0.75),
    ):
        line = depth - np.float32(place) - wander * np.float32(abs(place) * 0.5)
        crest = np.exp(-((line / np.float32(width)) ** 2)) * smoothstep(level, level + 0.14, lace)
        trail = np.exp(np.minimum(line, 0) * np.float32(1 / 0.02)) * (line < 0) * smoothstep(0.54, 0.66, lace)
        foam = np.maximum(foam, (crest + trail * np.float32(0.55)) * np.float32(strength))
        if place:  # the face of a breaking wave is dark just before its crest
            face = np.exp(-(((line - np.float32(0.007)) / np.float32(0.005)) ** 2))
            over(part, rgb("#1f7f92") * light.tint, face * np.float32(0.30) * (depth < 0))
    over(part, white, clip(foam * np.float32(1.25), 0, 0.95))


def paint_desert(scene: Scene, target: Frame) -> Backdrop:
    """Rolling dunes, each with a lit flank, a shaded slip face and a sharp crest between."""
    horizon, side = DESERT.horizon, target.side
    light = scene_light(scene)
    image = paint_sky(scene, target, horizon)
    cool = scene.season == "winter"
    lit, dark = _moonlit(
        scene, *(rgb(c) for c in (("#f5c585", "#b0683a") if not cool else ("#eccfa6", "#a5765a")))
    )
    ripples = _ripple_tile(scene)
    tops = (0.500, 0.535, 0.585, 0.655, 0.745)
    for k, top in enumerate(tops):
        rng = generator(scene.seed, "dune", k)
        line, crest_x, lead = _dune_shape(rng, target, top, 0.055 + 0.016 * k, 2.9 - 0.45 * k)
        bottom = 1.0 if k == len(tops) - 1 else min(1.0, tops[k + 1] + 0.10)
        rows = band(target, line, bottom)
        depth = (target.y[rows] - line[None, :]) * np.float32(1 / side)
        across = target.x * np.float32(1 / side)
        snake = np.float32(0.16) * (1 - np.exp(depth * np.float32(-5.0))) + np.float32(0.018) * np.sin(
            depth * np.float32(21)
        )
        away = np.float32(-sun_side(scene))  # the slip face looks away from the sun
        edge = (across - crest_x[None, :]) * away - snake * away
        lee = smoothstep(-0.004, 0.006 + 0.004 * k, edge) * lead[None, :]
        lee = (
            lee
            * np.exp(np.maximum(depth, 0) * np.float32(-(3.6 - 0.4 * k)))
            * np.float32(0.45 + 0.55 * light.direct)
        )
        pattern = recede(ripples, target, horizon - 0.02, 0.55, rows=rows, squash=1.2, turn=0.13 * k)
        grain = recede(ripples, target, horizon - 0.02, 0.9, rows=rows, turn=0.5)
        relief = clip(
            np.float32(0.86)
            - depth * np.float32(1.0)
            + (pattern - np.float32(0.5)) * np.float32(0.16 + 0.05 * k)
            + (grain - np.float32(0.5)) * np.float32(0.08)
        )
        relief = relief * (1 - np.float32(0.74) * lee)
        colour = ramp(dark * np.float32(0.80), lit * np.float32(1.05), relief)
        rim = np.exp(depth * np.float32(-120)) * (1 - lee) * np.float32(0.28)
        over(colour, lit * np.float32(1.14), rim)
        colour *= light.tint
        mist(colour, scene, haze_at(light, max(0.0, 0.62 - 0.17 * k)) * 0.9)
        over(image[rows], colour, below(target, line, rows))
    draw_pebbles(image, scene, target, 0.76, 70, ("#9c6a44", "#c79463", "#7d5438", "#dcb283"))
    return outdoor_backdrop(scene, DESERT, image, lit + (dark - lit) * np.float32(0.35))


def _ripple_tile(scene: Scene) -> Array:
    rng = generator(scene.seed, "ripples")
    warp = fbm(rng, 4, 4, 0.5)
    grain = fbm(rng, 128, 2, 0.8)
    y = np.arange(512, dtype=np.float32)[:, None] * np.float32(1 / 512)
    wave = np.sin((y * 22 + warp * np.float32(5.0)) * np.float32(2 * np.pi))
    strength = smoothstep(0.35, 0.6, fbm(rng, 4, 3, 0.5))
    return np.asarray(
        np.float32(0.5) + np.float32(0.30) * wave * strength + (grain - np.float32(0.5)) * np.float32(0.5),
        np.float32,
    )


def _dune_shape(
    rng: np.random.Generator, target: Frame, top: float, height: float, per_side: float
) -> tuple[Array, Array, Array]:
    """A chain of dunes: height line (px), and per column its peak (sides) and distance from a valley."""
    across = target.x[0] * np.float32(1 / target.side)
    peaks = np.arange(-1, 10, dtype=np.float32) / np.float32(per_side)
    peaks += (rng.random(11, dtype=np.float32) - np.float32(0.5)) * np.float32(0.5 / per_side)
    tall = np.float32(height) * (np.float32(0.55) + np.float32(0.75) * rng.random(11, dtype=np.float32))
    away = across[:, None] - peaks[None, :]
    wide = np.float32(0.62 / per_side)
    windward = np.exp(-(np.abs(away / wide) ** np.float32(1.6)))
    leeward = np.exp(-(np.abs(away / (wide * np.float32(0.62))) ** np.float32(1.25)))
    bumps = np.where(away < 0, windward, leeward) * tall[None, :]
    owner = np.argmax(bumps, 1)
    rise = np.sqrt((bumps**2).sum(1))
    swell = (ridge(rng, target, 1.1, 2, 0.4) - np.float32(0.5)) * np.float32(height * 0.8)
    line = np.float32(top * target.height) - (rise + swell) * np.float32(target.side)
    ordered = np.sort(bumps, 1)
    lead = smoothstep(
        0.0,
        0.75,
        ((ordered[:, -1] - ordered[:, -2]) / np.maximum(ordered[:, -1], np.float32(1e-4))).astype(np.float32),
    )
    return line.astype(np.float32), peaks[owner], lead
