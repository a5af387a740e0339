"""The sky: gradient, sun or moon with its glow, stars, clouds."""

from __future__ import annotations

import cv2
import numpy as np

from triptych.backends.studio.canvas import (
    Array,
    Frame,
    clip,
    disc,
    distance,
    fbm,
    fixed_point,
    frame,
    from_uint8,
    generator,
    glow,
    lerp,
    over,
    ramp,
    rgb,
    rows_image,
    smoothstep,
    spread,
)
from triptych.backends.studio.light import Light, scene_light, sky_colours, sun_place
from triptych.backends.studio.scene import Scene

_COVERAGE = {"clear": 0.545, "rain": 0.36, "snow": 0.38, "fog": 0.42}  # noise level where cloud begins
SUN_RADIUS = {"dawn": 0.043, "day": 0.033, "sunset": 0.048, "dusk": 0.0, "night": 0.038}  # in sides


def paint_sky(scene: Scene, target: Frame, horizon: float, *, clouds: bool = True) -> Array:
    """A whole frame of sky; below the horizon it goes on as plain horizon colour.

    Soft parts are painted at half size; sun, moon and stars at full size.
    """
    light = scene_light(scene)
    half = frame((target.width + 1) // 2, (target.height + 1) // 2)
    sun_x, sun_y = sun_place(scene, horizon)
    image = rows_image(sky_colours(light, clip(half.v[:, 0] / np.float32(horizon))), half.width)
    rows = slice(0, max(2, half.row(horizon + 0.03)))
    away = distance(half, sun_x * half.width, sun_y * half.height)
    _add_glow(image, scene, light, away)
    if light.stars and scene.weather == "clear":
        _add_milky_way(image[rows], scene, half, horizon, rows)
    cover = np.zeros((half.height, half.width), np.float32)
    if clouds:
        cover[rows] = _add_clouds(image[rows], scene, half, horizon, away[rows], rows)
    image = np.asarray(cv2.resize(image, target.size, interpolation=cv2.INTER_LINEAR), np.float32)
    if light.overcast == 0:
        clear = 1 - np.asarray(cv2.resize(cover, target.size, interpolation=cv2.INTER_LINEAR), np.float32)
        if light.stars:
            _add_stars(image, scene, target, horizon, clear)
        _add_disc(image, scene, target, (sun_x * target.width, sun_y * target.height), clear)
    return image


def _add_glow(image: Array, scene: Scene, light: Light, away: Array) -> None:
    wide, tight = {"dawn": (0.42, 0.5), "day": (0.28, 0.62), "sunset": (0.42, 0.5)}.get(
        scene.time, (0.24, 0.0)
    )
    if scene.time == "dusk":
        amount = np.exp(away * np.float32(-3.2)) * np.float32(0.34)
    else:
        amount = np.exp(away * np.float32(-6)) * np.float32(wide) + np.exp(
            away * np.float32(-20)
        ) * np.float32(tight)
    # Towards the sun's colour rather than on top of it, so that the disc stays the brightest spot.
    over(
        image,
        light.sun * np.float32(1.04),
        np.minimum(amount * np.float32(1.25 * light.direct), np.float32(0.92)),
    )


def _add_milky_way(image: Array, scene: Scene, half: Frame, horizon: float, rows: slice) -> None:
    rng = generator(scene.seed, "milky way")
    band = (half.v[rows] - np.float32(0.42 * horizon)) + (half.u - np.float32(0.5)) * np.float32(0.32)
    dust = spread(fbm(rng, 8, 5, 0.55, 256), half, 1.3, rows)
    amount = np.exp(-((band * np.float32(7.5)) ** 2)) * dust * dust
    light = scene_light(scene)
    glow(image, rgb("#6f7fc4"), amount * np.float32(0.75 * light.stars))


def _add_clouds(image: Array, scene: Scene, half: Frame, horizon: float, away: Array, rows: slice) -> Array:
    """Clouds on a plane overhead, in perspective; returns their cover."""
    light = scene_light(scene)
    rng = generator(scene.seed, "clouds")
    tile = fbm(rng, 4, 7, 0.53)
    high = np.maximum((np.float32(horizon) - half.v[rows]) * np.float32(1 / horizon), np.float32(0.015))
    depth = 1 / (high * np.float32(1.15) + np.float32(0.24))
    across = (half.x - np.float32(half.width / 2)) * np.float32(300 / half.side)
    turn = float(rng.random()) * 512
    map_x = np.mod(across * depth + np.float32(turn), np.float32(512))
    map_y = np.mod(np.broadcast_to(depth * np.float32(300), map_x.shape), np.float32(512)).astype(np.float32)
    density = np.asarray(
        cv2.remap(tile, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP), np.float32
    )
    # The lit side: where the cloud thins towards the sun. One sample of the tile's own slope serves all.
    sun_x, _ = sun_place(scene, horizon)
    shifted = np.roll(tile, (8, -9 if sun_x > 0.5 else 9), (0, 1))
    relief = cv2.remap(
        cv2.GaussianBlur(tile - shifted, (0, 0), 1.5), map_x, map_y, 1, borderMode=cv2.BORDER_WRAP
    )
    level = _COVERAGE[scene.weather] + (
        float(rng.random()) * 0.05 - 0.02 if scene.weather == "clear" else 0.0
    )
    alpha = smoothstep(level, level + 0.15, density) * smoothstep(0.0, 0.14, high)
    body = smoothstep(level + 0.05, level + 0.28, density)
    lit = clip(np.float32(0.74) + relief * np.float32(4.6) - body * np.float32(0.30), 0, 1.03)
    colours = ramp(light.cloud[0], light.cloud[1], lit)
    if light.overcast == 0 and scene.time != "night":
        over(colours, light.sun * np.float32(1.04), np.exp(away * np.float32(-5)) * np.float32(0.5))
    alpha *= np.float32({"clear": 0.92, "fog": 0.35}.get(scene.weather, 0.72))
    over(image, colours, alpha)
    return alpha


def _add_stars(image: Array, scene: Scene, target: Frame, horizon: float, clear: Array) -> None:
    """Stars strewn over a field of fixed size, so a picture keeps them at any resolution."""
    light = scene_light(scene)
    rng = generator(scene.seed, "stars")
    count = int(1500 * light.stars)
    x, y = rng.random(count) * 2.5 * target.side, rng.random(count) * 2.5 * target.side
    strength = rng.random(count) ** 5
    layer = np.zeros((max(2, target.row(horizon)), target.width), np.uint8)
    unit = target.side * 0.0009
    for px, py, power in zip(x, y, strength, strict=True):
        if px < target.width and py < layer.shape[0]:
            radius = max(0.5, unit * (0.7 + 1.3 * power))
            bright = int(min(255.0, (70 + 400 * power) * min(1.0, unit / 0.5 + 0.2)))
            centre = fixed_point([(px, py)])[0]
            cv2.circle(
                layer, (int(centre[0]), int(centre[1])), int(radius * 16), (bright,), -1, cv2.LINE_AA, 4
            )
    rows = slice(0, layer.shape[0])
    points = from_uint8(layer)
    points += cv2.GaussianBlur(points, (0, 0), max(0.8, unit * 2.2)) * np.float32(0.8)
    fade = 1 - clip(target.v[rows] * np.float32(1 / horizon)) ** 4
    glow(image[rows], rgb("#eef2ff"), points * fade * clear[rows])


def _add_disc(image: Array, scene: Scene, target: Frame, centre: tuple[float, float], clear: Array) -> None:
    radius = SUN_RADIUS[scene.time] * target.side
    if radius == 0:
        return
    light = scene_light(scene)
    reach = int(radius * 1.6) + 4
    x0, x1 = max(0, int(centre[0]) - reach), min(target.width, int(centre[0]) + reach)
    y0, y1 = max(0, int(centre[1]) - reach), min(target.height, int(centre[1]) + reach)
    if x1 <= x0 or y1 <= y0:
        return
    patch = Frame(x1 - x0, y1 - y0, target.side, target.x[:, x0:x1], target.y[y0:y1], target.u, target.v)
    area = (slice(y0, y1), slice(x0, x1))
    mask = disc(patch, *centre, radius, max(1.5, radius * (0.08 if scene.time == "night" else 0.30))) * (
        np.float32(0.25) + np.float32(0.75) * clear[area]
    )
    if scene.time == "night":
        rng = generator(scene.seed, "moon")
        seas = cv2.resize(fbm(rng, 4, 3, 0.5, 64), (2 * reach, 2 * reach), interpolation=cv2.INTER_CUBIC)
        seas = smoothstep(0.38, 0.66, np.asarray(seas[: y1 - y0, : x1 - x0], np.float32))
        edge = 1 - clip(distance(patch, *centre) * np.float32(target.side / radius)) ** 4 * np.float32(0.22)
        face = ramp(light.sun * np.float32(0.80), light.sun * np.float32(1.06), seas)
        face *= edge[..., None]
        over(image[area], face, mask)
    else:
        over(image[area], lerp(light.sun, np.ones(3, np.float32), 0.55) * np.float32(1.30), mask)
