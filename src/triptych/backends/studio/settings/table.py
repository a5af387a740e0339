"""A table top before an out-of-focus background: a garden, a kitchen shelf or a painter's wall."""

from __future__ import annotations

from dataclasses import replace
from math import pi

import cv2
import numpy as np

from triptych.backends.studio.canvas import (
    Array,
    Frame,
    blur,
    clip,
    distance,
    fbm,
    fill,
    frame,
    generator,
    over,
    over_premultiplied,
    polygon,
    ramp,
    recede,
    rgb,
    shade,
    smoothstep,
    to_uint8,
)
from triptych.backends.studio.light import scene_light
from triptych.backends.studio.scene import Scene, Season
from triptych.backends.studio.settings.outdoors import paint_vista
from triptych.backends.studio.settings.room import WALLS
from triptych.backends.studio.settings.stage import Backdrop, Stage

TABLE = Stage(horizon=0.30, ground_far=0.66, ground_near=0.91, scale_far=0.82, scale_near=1.1, indoor=True)
_EDGE = 0.52  # y of the table's far edge
_WOODS = (("#5f3a22", "#a8703f"), ("#8a5f38", "#d2a36a"), ("#3d2a22", "#7a5540"), ("#b9aa98", "#efe6d8"))
_STUDIO = ("#b3917a", "#7d97a8", "#9fa886", "#b58490")
_SPARKS: dict[Season, tuple[str, ...]] = {
    "spring": ("#ffd9e8", "#d9ffb8", "#fff6c8"),
    "summer": ("#d8ff9e", "#fff3b0", "#a8e8ff"),
    "autumn": ("#ffb25e", "#ff7a4a", "#ffe08a"),
    "winter": ("#e8f4ff", "#bcd8ff", "#fff0d0"),
}
_NIGHT_SPARKS = ("#ffb65e", "#ff8a5e", "#ffe2a0", "#ff6f91", "#8ab8ff")


def paint_table(scene: Scene, target: Frame) -> Backdrop:
    """A table top, seen close by."""
    light = scene_light(scene)
    dark = light.lamps >= 0.5
    kind = (scene.palette // 4) % 3
    # The background is out of focus: paint it at a quarter of the size, then enlarge.
    rows = target.row(_EDGE) + 2
    small = frame(max(16, target.width // 4), max(16, target.height // 4))
    if kind == 0:
        soft = blur(paint_vista(replace(scene, setting="meadow"), small, 0.40), small.side * 0.017)
    elif kind == 1:
        soft = _paint_kitchen(scene, small) * light.indoor
    else:
        soft = _paint_studio_wall(scene, small) * light.indoor
    image = np.asarray(cv2.resize(soft, target.size, interpolation=cv2.INTER_CUBIC), np.float32)
    count = (60 if dark else 42) if kind == 0 else (26 if dark and kind == 1 else (14 if kind == 2 else 0))
    _add_bokeh(image, scene, target, count, dark)
    image[rows - 2 :] = _paint_top(scene, target, rows - 2, image)
    seam = slice(max(0, rows - 5), rows + 2)
    image[seam] = blur(image[seam], target.side * 0.0015)
    sun_x = 1 - light.sun_x if scene.palette & 1 else light.sun_x
    low, high = (rgb(c) for c in _WOODS[scene.palette % 4])
    return Backdrop(
        horizon=TABLE.horizon,
        ground_far=TABLE.ground_far,
        ground_near=TABLE.ground_near,
        scale_far=TABLE.scale_far,
        scale_near=TABLE.scale_near,
        indoor=True,
        image=image,
        ground_colour=((low + high) * np.float32(0.5) * light.indoor).astype(np.float32),
        tint=light.indoor,
        sun=(sun_x, 0.2),
        reflection=0.22,
    )


def _paint_kitchen(scene: Scene, small: Frame) -> Array:
    """Tiles and a shelf of jars, blurred."""
    rng = generator(scene.seed, "kitchen")
    side = small.side
    wall = rgb(WALLS[(scene.palette * 5 + 1) % 6])
    image = fill((small.height, small.width), wall)
    shade(
        image,
        np.float32(0.70)
        + np.float32(0.5)
        * np.exp(distance(small, 0.25 * small.width, 0.1 * small.height) * np.float32(-1.4)),
    )
    grid = np.maximum(
        smoothstep(0.46, 0.5, np.abs((small.x * np.float32(9 / side)) % 1 - np.float32(0.5))),
        smoothstep(0.45, 0.5, np.abs((small.y * np.float32(14 / side)) % 1 - np.float32(0.5))),
    )
    over(image, wall * np.float32(0.74), grid * np.float32(0.5))
    layer = np.zeros((small.height, small.width, 4), np.uint8)
    shelf = 0.34 * small.height
    polygon(
        layer,
        [
            (-2, shelf + side * 0.05),
            (small.width + 2, shelf + side * 0.05),
            (small.width + 2, shelf + side * 0.1),
            (-2, shelf + side * 0.1),
        ],
        (20, 14, 10, 70),
    )
    polygon(
        layer,
        [
            (-2, shelf),
            (small.width + 2, shelf),
            (small.width + 2, shelf + side * 0.045),
            (-2, shelf + side * 0.045),
        ],
        (122, 84, 54, 255),
    )
    x = 0.02 * side
    tones = ("#c8553d", "#e0a63a", "#5f8f6a", "#4f7fa0", "#e9e0d0", "#8a5f8a", "#d98f6a", "#3f5f5a")
    while x < small.width:
        wide, tall, tone, form = (float(q) for q in rng.random(4))
        w, h = side * (0.06 + 0.07 * wide), side * (0.09 + 0.13 * tall)
        colour = rgb(tones[int(tone * len(tones))])
        _draw_vessel(layer, (x, shelf, w, h), colour, form)
        x += w + side * (0.015 + 0.06 * float(rng.random()))
    over_premultiplied(image, layer)
    return blur(image, side * 0.010)


def _draw_vessel(
    layer: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    box: tuple[float, float, float, float],
    colour: Array,
    form: float,
) -> None:
    """A jar, a bottle or a bowl with leaves: a lathe profile with a lit flank."""
    x, foot, w, h = box
    profile: tuple[tuple[float, float], ...]
    if form < 0.4:
        profile = ((0.0, 0.42), (0.1, 0.5), (0.75, 0.5), (0.85, 0.36), (1.0, 0.38))
    elif form < 0.7:
        profile = ((0.0, 0.32), (0.55, 0.34), (0.72, 0.14), (1.25, 0.12))
    else:
        profile = ((0.0, 0.22), (0.1, 0.26), (0.5, 0.5), (0.56, 0.5))
        for k in range(9):
            angle = pi / 2 + (k - 4) * 0.27
            tip = (x + w * 0.5 + np.cos(angle) * h * 0.7, foot - h * 0.5 - np.sin(angle) * h * 0.62)
            leaf = to_uint8((rgb("#5c9450") * np.float32(0.7 + 0.06 * k)).reshape(1, 1, 3))[0, 0].tolist()
            polygon(
                layer, [(x + w * 0.42, foot - h * 0.5), tip, (x + w * 0.58, foot - h * 0.5)], (*leaf, 255)
            )
    for share, brightness in ((1.0, 0.78), (0.72, 1.0), (0.28, 1.22)):
        tone = to_uint8((colour * np.float32(brightness)).reshape(1, 1, 3))[0, 0].tolist()
        middle = x + w * (0.5 - 0.10 * (1 - share))
        left = [(middle - w * r * share, foot - h * t) for t, r in profile]
        right = [(middle + w * r * share, foot - h * t) for t, r in reversed(profile)]
        polygon(layer, left + right, (*tone, 255))


def _paint_studio_wall(scene: Scene, small: Frame) -> Array:
    rng = generator(scene.seed, "studio wall")
    base = rgb(_STUDIO[scene.palette % 4])
    cloud = cv2.resize(fbm(rng, 4, 5, 0.55, 256), small.size, interpolation=cv2.INTER_LINEAR)
    image = ramp(
        base * np.float32(0.6),
        base * np.float32(1.25),
        clip((np.asarray(cloud, np.float32) - np.float32(0.5)) * np.float32(1.5) + np.float32(0.5)),
    )
    away = distance(small, (0.64 if scene.palette & 1 else 0.36) * small.width, 0.20 * small.height)
    shade(image, np.float32(1.45) - np.float32(0.80) * np.minimum(away, 1))
    return blur(image, small.side * 0.006)


def _add_bokeh(image: Array, scene: Scene, target: Frame, count: int, dark: bool) -> None:
    """Out-of-focus points of light: bright rims, overlapping, additive."""
    rng = generator(scene.seed, "bokeh")
    tones = _NIGHT_SPARKS if dark else _SPARKS[scene.season]
    side = target.side
    bottom = target.row(_EDGE)
    for _ in range(count * 2):  # strewn over two sides, whatever the frame
        across, down, size, strength, tone = (float(q) for q in rng.random(5))
        x, y = across * 2 * side, down * _EDGE * target.height
        radius = side * (0.011 + 0.042 * size**1.5)
        xa, xb = max(0, int(x - radius - 2)), min(target.width, int(x + radius + 3))
        ya, yb = max(0, int(y - radius - 2)), min(bottom, int(y + radius + 3))
        if xb <= xa or yb <= ya:
            continue
        away = np.sqrt((target.x[:, xa:xb] - np.float32(x)) ** 2 + (target.y[ya:yb] - np.float32(y)) ** 2)
        spot = clip((np.float32(radius) - away) * np.float32(1 / max(1.5, radius * 0.08)) + np.float32(0.5))
        spot *= np.float32(0.55) + np.float32(0.45) * smoothstep(radius * 0.65, radius, away)
        amount = np.float32((0.10 + 0.30 * strength) * (1.0 if dark else 0.38))
        colour = rgb(tones[int(tone * len(tones))])
        part = image[ya:yb, xa:xb]
        part += spot[..., None] * colour * amount * np.maximum(np.float32(1.15) - part, 0)


def _paint_top(scene: Scene, target: Frame, start: int, image: Array) -> Array:
    """Planks running across, with the background mirrored in the varnish."""
    rng = generator(scene.seed, "table top")
    light = scene_light(scene)
    rows = slice(start, target.height)
    y = np.arange(512, dtype=np.float32)[:, None] * np.float32(4 / 512)
    plank = np.floor(y).astype(np.int32)[:, 0]
    grain = fbm(rng, (2, 64), 5, 0.62)
    warp = fbm(rng, (2, 4), 2, 0.4)
    lines = np.sin((y * 11 + warp * 5) * np.float32(2 * pi)) * np.float32(0.055)
    tones = rng.random(4, dtype=np.float32)
    shifts = (tones * 511).astype(np.int32)[plank]
    grain = np.take_along_axis(grain + lines, (np.arange(512)[None, :] + shifts[:, None]) % 512, axis=1)
    seam = smoothstep(0.475, 0.5, np.abs(y % 1 - np.float32(0.5)))
    tile = (
        np.float32(0.46)
        + (tones[plank][:, None] - np.float32(0.5)) * np.float32(0.30)
        + (grain - np.float32(0.5)) * np.float32(1.5)
    ) * (1 - np.float32(0.6) * seam)
    laid = recede(tile.astype(np.float32), target, TABLE.horizon, 1.05, rows=rows, squash=1.3)
    pores = recede(fbm(rng, (16, 256), 2, 0.7), target, TABLE.horizon, 0.55, rows=rows, squash=1.3, turn=0.3)
    laid += (pores - np.float32(0.5)) * np.float32(0.42)
    low, high = (rgb(c) for c in _WOODS[scene.palette % 4])
    colour = ramp(low * np.float32(0.9), high, clip(laid, -0.1, 1.15))
    pool = np.exp(
        -(((target.u - np.float32(0.5)) / np.float32(0.62)) ** 2)
        - ((target.v[rows] - np.float32(0.74)) / np.float32(0.42)) ** 2
    )
    shade(colour, np.float32(0.74) + np.float32(0.36) * pool)
    colour *= light.indoor
    depth = min(start, target.height - start)
    mirrored = blur(np.ascontiguousarray(image[start - depth : start][::-1]), target.side * 0.016)
    fresnel = np.float32(0.38) * np.exp(
        (target.v[rows][:depth] - np.float32(_EDGE)) * np.float32(-5.5)
    ) + np.float32(0.05)
    over(colour[:depth], mirrored, fresnel * np.ones((1, target.width), np.float32))
    soft = blur(colour, target.side * 0.006)
    focus = smoothstep(_EDGE + 0.02, _EDGE + 0.14, target.v[rows]) * smoothstep(1.02, 0.95, target.v[rows])
    over(soft, colour, np.broadcast_to(focus, colour.shape[:2]))
    lip = np.exp(-(((target.v[rows] - np.float32(_EDGE + 0.004)) / np.float32(0.004)) ** 2))
    over(
        soft, high * light.indoor * np.float32(1.15), np.broadcast_to(lip * np.float32(0.35), soft.shape[:2])
    )
    return soft
