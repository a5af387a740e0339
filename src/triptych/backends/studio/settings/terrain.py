"""Land: mountains, hills, and the ground of grass, earth or snow that things stand on."""

from __future__ import annotations

import cv2
import numpy as np

from triptych.backends.studio.canvas import (
    Array,
    Frame,
    below,
    clip,
    fbm,
    generator,
    lerp,
    over,
    over_premultiplied,
    polygon,
    ramp,
    recede,
    rgb,
    ridge,
    shade,
    smoothstep,
    to_uint8,
)
from triptych.backends.studio.light import haze_at, scene_light, sun_place
from triptych.backends.studio.scene import Scene, Season
from triptych.backends.studio.settings.stage import snow_cover

GRASS: dict[Season, tuple[str, str]] = {  # lit, shaded
    "spring": ("#a3cf58", "#5c9a38"),
    "summer": ("#8cba48", "#3f7d30"),
    "autumn": ("#cfaa52", "#8d6e2e"),
    "winter": ("#b9b184", "#86805a"),
}
SNOW = ("#fbfdff", "#bccce2")
FLOWERS: dict[Season, tuple[str, ...]] = {
    "spring": ("#ffd1e6", "#fff4b0", "#ffffff", "#d9b8ff", "#ff9fc4"),
    "summer": ("#ffffff", "#ffdf4d", "#ee5a50", "#8f7bff", "#ff8f3f"),
    "autumn": ("#d9822b", "#c4512a", "#8a3b24", "#e0a63a", "#b5658a"),
    "winter": ("#d8cfae",),
}


def sun_side(scene: Scene) -> float:
    """-1 where the light comes from the left, 1 from the right."""
    return 1.0 if sun_place(scene, 0.5)[0] > 0.5 else -1.0


def grass_colours(scene: Scene) -> tuple[Array, Array]:
    """Lit and shaded colour of open ground, unlit by the time of day."""
    lit, dark = (rgb(c) for c in GRASS[scene.season])
    cover = snow_cover(scene)
    if cover:
        lit, dark = (
            own + (rgb(snow) - own) * np.float32(cover) for own, snow in zip((lit, dark), SNOW, strict=True)
        )
    return lit, dark


def ground_tone(scene: Scene) -> Array:
    """Mean colour of open ground, unlit."""
    lit, dark = grass_colours(scene)
    return lerp(lit, dark, 0.5)


def band(target: Frame, line: Array, bottom: float) -> slice:
    """Rows from the top of a height line (px) down to the fraction `bottom`."""
    top = min(max(int(line.min()) - 1, 0), target.height - 1)
    return slice(top, max(top + 1, target.row(bottom)))


def mist(image: Array, scene: Scene, amount: float) -> Array:
    """Fade a picture into the haze in place."""
    image *= np.float32(1 - amount)
    image += scene_light(scene).haze * np.float32(amount)
    return image


def draw_mountains(
    image: Array,
    scene: Scene,
    target: Frame,
    base: float,
    height: float,
    *,
    distance: float,
    peaks: float,
    name: str,
) -> None:
    """One chain of mountains standing on `base`; `height` in sides, `peaks` per side."""
    rng = generator(scene.seed, "mountains", name)
    light = scene_light(scene)
    rough = ridge(rng, target, peaks, 7, 0.47)
    crest = (1 - np.abs(2 * ridge(rng, target, peaks * 1.3, 3, 0.5) - 1)) * np.float32(
        0.55
    ) + rough * np.float32(0.75)
    line = np.float32(base * target.height) - np.float32(height * target.side) * clip(
        crest - np.float32(0.25), 0.02, 1.2
    )
    line = line.astype(np.float32)
    rows = band(target, line, base + 0.01)
    # Relief: a ridged height field, hung from the crest so that spurs run down from the peaks.
    field = 1 - np.abs(2 * fbm(rng, (8, 8), 6, 0.56) - 1)
    slope = (np.roll(field, 2, 1) - np.roll(field, -2, 1)) * np.float32(sun_side(scene) * 4.2)
    step = np.float32(512 / target.side / (0.30 + height))
    depth = (target.y[rows] - line[None, :]) * np.float32(1 / target.side)
    map_x = target.x * step + depth * np.float32(90)
    map_y = depth * np.float32(target.side) * step * np.float32(0.62) + line[None, :] * step * np.float32(0.4)
    wrap = np.float32(512)
    relief = np.asarray(
        cv2.remap(
            cv2.merge((slope, field)), np.mod(map_x, wrap), np.mod(map_y, wrap), 1, borderMode=cv2.BORDER_WRAP
        ),
        np.float32,
    )
    lit = clip(relief[..., 0] * np.float32(1.25) + np.float32(0.52))
    cover = snow_cover(scene)
    # Height above the foot, 0..1: woods below, bare rock, then snow on the tops.
    rise = (np.float32(base) - target.v[rows]) * np.float32(target.height / target.side / height)
    rough_rise = rise + (relief[..., 1] - np.float32(0.6)) * np.float32(0.55)
    rock = ramp(rgb("#46526b"), rgb("#a3a8b4") if not cover else rgb("#aab6c8"), lit)
    woods = ramp(rgb("#2f4a4a"), rgb("#74916a") if scene.season != "autumn" else rgb("#a98a52"), lit)
    over(rock, woods, smoothstep(0.34, 0.10, rough_rise) * np.float32(0.2 if cover else 0.85))
    snow = ramp(rgb("#8fa8d2"), rgb("#ffffff"), clip(lit * np.float32(1.5) - np.float32(0.05)))
    level = 0.20 if cover else (0.56 if distance > 0.6 else 0.90)
    over(rock, snow, smoothstep(level, level + 0.08, rough_rise))
    rock *= light.tint
    foot = clip(1 - rise)
    haze = np.float32(haze_at(light, distance) * 0.92)
    over(rock, light.haze, haze + (1 - haze) * np.float32(0.50) * foot * foot * np.ones_like(depth))
    over(image[rows], rock, below(target, line, rows))


def draw_hill(
    image: Array, scene: Scene, target: Frame, line: Array, bottom: float, *, distance: float, name: str
) -> None:
    """A grassy (or snowy) hill under a height line in px, painted down to the fraction `bottom`."""
    rng = generator(scene.seed, "hill", name)
    light = scene_light(scene)
    rows = band(target, line, bottom)
    lit, dark = grass_colours(scene)
    depth = (target.y[rows] - line[None, :]) * np.float32(1 / target.side)
    step = np.float32(512 / target.side / 0.8)
    patches = fbm(rng, (4, 16), 5, 0.6)
    sampled = cv2.remap(
        patches,
        np.mod(np.broadcast_to(target.x * step, depth.shape), np.float32(512)),
        np.mod(depth * step * np.float32(2.2), np.float32(512)),
        1,
        borderMode=cv2.BORDER_WRAP,
    )
    smooth = cv2.GaussianBlur(line[None, :], (0, 0), target.side * 0.03)[0]
    slope = np.asarray(np.gradient(smooth), np.float32) * np.float32(-0.6 * sun_side(scene))
    shadow = clip(np.float32(0.30) + (sampled - np.float32(0.5)) * np.float32(1.1) + depth * np.float32(2.4))
    colour = ramp(lit, dark, shadow)
    colour *= light.tint
    shade(colour, 1 + clip(slope, -0.14, 0.14)[None, :] * np.exp(np.maximum(depth, 0) * np.float32(-14)))
    mist(colour, scene, haze_at(light, distance))
    over(image[rows], colour, below(target, line, rows))


def draw_ground(image: Array, scene: Scene, target: Frame, line: Array, horizon: float) -> None:
    """The near ground of grass or snow, under a height line in px, to the lower edge."""
    rng = generator(scene.seed, "ground")
    light = scene_light(scene)
    rows = band(target, line, 1.0)
    lit, dark = grass_colours(scene)
    cover = snow_cover(scene)
    broad = recede(fbm(rng, 8, 5, 0.55), target, horizon, 1.5, rows=rows, squash=1.6)
    fine = recede(fbm(rng, 64, 3, 0.7), target, horizon, 0.8, rows=rows, turn=0.3)
    t = clip((target.v[rows] - np.float32(horizon)) * np.float32(1 / (1 - horizon)))
    if cover:
        shadow = clip((broad - np.float32(0.47)) * np.float32(1.9) + np.float32(0.16) + np.float32(0.12) * t)
        colour = ramp(lit, dark, shadow)
        shade(colour, 1 + (fine - np.float32(0.5)) * np.float32(0.10))
    else:
        shadow = clip(np.float32(0.18) + t * np.float32(0.55) + (broad - np.float32(0.5)) * np.float32(1.5))
        colour = ramp(lit, dark, shadow)
        shade(colour, np.float32(0.80) + np.float32(0.40) * fine)
    if scene.weather == "rain":
        colour *= np.float32(0.86)
    colour *= light.tint
    haze = np.float32(haze_at(light, 0.55)) * (1 - t) ** 3
    over(colour, light.haze, np.broadcast_to(haze, colour.shape[:2]))
    over(image[rows], colour, below(target, line, rows))


def draw_blades(
    image: Array, scene: Scene, target: Frame, top: float, count: int, *, flowers: float = 0.07
) -> None:
    """Blades of grass and flowers, larger towards the viewer, from the fraction `top` down."""
    rng = generator(scene.seed, "blades")
    light = scene_light(scene)
    cover = snow_cover(scene)
    lit, dark = (rgb(c) for c in GRASS[scene.season])
    # Drawn for a field three sides wide, then cut to the frame, so any size keeps the same blades.
    across = target.width / target.side
    count = int(count * min(3.0, across) * (0.10 if cover else 1.0))
    near = np.sort(rng.random(count) ** 0.66)
    x = (rng.random(count) * 1.04 - 0.02) * target.width
    y = (top + (1.06 - top) * (0.06 + 0.94 * near)) * target.height
    t = near.astype(np.float32)
    length = target.side * (0.007 + 0.046 * t * t) * (0.55 + 0.9 * rng.random(count))
    lean = (rng.random(count) - 0.42) * length * 0.9
    width = np.maximum(0.4, target.side * 0.00095 * (0.5 + 2.3 * t))
    shades = (dark + (lit - dark) * rng.random((count, 1))) * (0.62 + 0.62 * rng.random((count, 1)))
    colours = to_uint8((shades * light.tint).astype(np.float32).reshape(-1, 1, 3))[:, 0].tolist()
    root, tip, bend = (
        np.stack([x, y], -1),
        np.stack([x + lean, y - length], -1),
        np.stack([x + lean * 0.3, y - length * 0.6], -1),
    )
    side = np.stack([width, np.zeros(count)], -1)
    outline = np.stack([root - side, bend - side * 0.7, tip, bend + side * 0.7, root + side], 1)
    start = max(0, target.row(top - 0.06))
    outline[..., 1] -= start
    fixed = np.rint((outline - 0.5) * 16).astype(np.int32)
    layer = np.zeros((target.height - start, target.width, 4), np.uint8)
    blooms = rng.random(count) < (0.0 if cover else flowers)
    petals = [to_uint8((rgb(c) * light.tint).reshape(1, 1, 3))[0, 0].tolist() for c in FLOWERS[scene.season]]
    heart = to_uint8((rgb("#f2b632") * light.tint).reshape(1, 1, 3))[0, 0].tolist()
    kinds = rng.integers(len(petals), size=count)
    turns = rng.random(count) * 1.2
    for i in range(count):
        cv2.fillConvexPoly(layer, fixed[i], (*colours[i], 255), cv2.LINE_AA, 4)
        if blooms[i] and t[i] > 0.04:
            radius = float(target.side * (0.0016 + 0.0062 * t[i]))
            _draw_flower(
                layer, (float(tip[i, 0]), float(tip[i, 1] - start)), radius, petals[kinds[i]], heart, turns[i]
            )
    over_premultiplied(image[start:], layer)


def _draw_flower(
    layer: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    centre: tuple[float, float],
    radius: float,
    petal: list[int],
    heart: list[int],
    turn: float,
) -> None:
    x, y = centre
    for k in range(5):
        angle = turn + k * 1.2566
        shadow = 0.82 + 0.18 * np.sin(angle + 2)
        place = (int((x + np.cos(angle) * radius) * 16), int((y + np.sin(angle) * radius * 0.72) * 16))
        colour = (*(int(c * shadow) for c in petal), 255)
        cv2.circle(layer, place, int(radius * 0.78 * 16), colour, -1, cv2.LINE_AA, 4)
    cv2.circle(layer, (int(x * 16), int(y * 16)), int(radius * 0.55 * 16), (*heart, 255), -1, cv2.LINE_AA, 4)


def draw_pebbles(
    image: Array, scene: Scene, target: Frame, top: float, count: int, colours: tuple[str, ...]
) -> None:
    """Small stones or shells strewn over bare ground, with their shadows."""
    rng = generator(scene.seed, "pebbles")
    light = scene_light(scene)
    start = target.row(top)
    layer = np.zeros((target.height - start, target.width, 4), np.uint8)
    for _ in range(count):
        near = float(rng.random() ** 0.8)
        x, y = float(rng.random()) * target.width, near * (target.height - start)
        radius = target.side * (0.0012 + 0.0065 * near * float(rng.random()))
        tone = (
            rgb(colours[int(rng.integers(len(colours)))]) * light.tint * np.float32(0.75 + 0.4 * rng.random())
        )
        angles = np.linspace(0, 2 * np.pi, 9)[:-1]
        wobble = radius * (0.8 + 0.4 * rng.random(8))
        shape = np.stack([x + np.cos(angles) * wobble, y + np.sin(angles) * wobble * 0.55], -1).astype(
            np.float32
        )
        away = np.array([-sun_side(scene) * radius * 0.5, radius * 0.22], np.float32)
        dark = to_uint8((tone * np.float32(0.42)).reshape(1, 1, 3))[0, 0].tolist()
        polygon(layer, shape + away, (*dark, 255))
        polygon(layer, shape, (*to_uint8(tone.reshape(1, 1, 3))[0, 0].tolist(), 255))
        top_light = to_uint8((tone * np.float32(1.18)).reshape(1, 1, 3))[0, 0].tolist()
        polygon(
            layer,
            (shape - (x, y)).astype(np.float32) * np.float32(0.55) + (x - away[0] * 0.35, y - radius * 0.14),
            (*top_light, 255),
        )
    over_premultiplied(image[start:], layer)
