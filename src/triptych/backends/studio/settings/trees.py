"""Trees, drawn as shaded dabs and boughs into a byte layer."""

from __future__ import annotations

from math import cos, pi, sin, sqrt

import cv2
import numpy as np

from triptych.backends.studio.canvas import (
    Array,
    Bytes,
    Frame,
    fixed_point,
    generator,
    over_premultiplied,
    polygon,
    rgb,
)
from triptych.backends.studio.light import haze_at, scene_light
from triptych.backends.studio.scene import Scene, Season
from triptych.backends.studio.settings.stage import snow_cover
from triptych.backends.studio.settings.terrain import sun_side

LEAVES: dict[Season, tuple[str, ...]] = {
    "spring": ("#86bb52", "#f3b3cd", "#a8d068", "#74a94a"),
    "summer": ("#3f8239", "#5a963f", "#2f6c38", "#6aa545"),
    "autumn": ("#dd8a2e", "#c9542b", "#e4ad3e", "#a8672d"),
    "winter": ("#8b8274", "#7b7468", "#938a7c", "#857c70"),
}
NEEDLES: dict[Season, str] = {
    "spring": "#3c7048",
    "summer": "#2f6340",
    "autumn": "#3f6440",
    "winter": "#3a5f50",
}


Tone = tuple[float, float, float]


class _Brush:
    """Lights a colour, hazes it, and turns it into bytes for a layer. Plain floats: it is called per dab."""

    def __init__(self, scene: Scene, distance: float, size: float) -> None:
        # From afar, twigs and the snow on them run into one pale brown.
        self.bark = BARK if size > 0.12 or not snow_cover(scene) else _tone("#a0958f")
        light = scene_light(scene)
        haze = haze_at(light, distance)
        self._scale = [float(t) * (1 - haze) * 255 for t in light.tint]
        self._offset = [float(c) * haze * 255 for c in light.haze]

    def __call__(self, colour: Tone, brightness: float = 1.0) -> tuple[int, int, int, int]:
        (r, g, b), (sr, sg, sb), (hr, hg, hb) = colour, self._scale, self._offset
        return (
            int(min(255.0, r * brightness * sr + hr)),
            int(min(255.0, g * brightness * sg + hg)),
            int(min(255.0, b * brightness * sb + hb)),
            255,
        )


def _tone(colour: str, brightness: float = 1.0) -> Tone:
    red, green, blue = (rgb(colour) * np.float32(brightness)).tolist()
    return red, green, blue


BARK, SNOW = _tone("#5c4534"), _tone("#f1f6fc")


def draw_trees(
    image: Array,
    scene: Scene,
    target: Frame,
    line: Array,
    *,
    density: float,
    size: float,
    distance: float,
    evergreen: float,
    name: str,
    gap: tuple[float, float] = (0.0, 0.0),
) -> None:
    """Trees along a height line in px; `density` per side, `size` = a tree's height in sides.

    None stands in `gap`, fractions of the width.
    """
    rng = generator(scene.seed, "trees", name)
    paint = _Brush(scene, distance, size)
    top = max(0, int(line.min() - size * target.side * 1.6))
    bottom = min(target.height, int(line.max() + size * target.side * 0.15) + 4)
    if bottom - top < 2:
        return
    layer = np.zeros((bottom - top, target.width, 4), np.uint8)
    for _ in range(max(1, round(density * 3))):  # strewn over three sides, whatever the frame
        x = float(rng.random()) * 3 * target.side
        height = size * target.side * (0.6 + 0.75 * float(rng.random()))
        is_evergreen, colour = float(rng.random()) < evergreen, LEAVES[scene.season][int(rng.integers(4))]
        own = np.random.default_rng(int(rng.integers(2**32)))
        if x > target.width or gap[0] < x / target.width < gap[1]:
            continue
        foot = float(line[min(int(x), target.width - 1)]) - top + height * 0.02
        if is_evergreen:
            _draw_evergreen(layer, own, scene, paint, x, foot, height)
        else:
            _draw_broadleaf(layer, own, scene, paint, x, foot, height, _tone(colour))
    over_premultiplied(image[top:bottom], layer)


def _draw_evergreen(
    layer: Bytes, rng: np.random.Generator, scene: Scene, paint: _Brush, x: float, foot: float, height: float
) -> None:
    needles = _tone(NEEDLES[scene.season], 0.85 + 0.3 * float(rng.random()))
    snow = snow_cover(scene)
    towards = sun_side(scene)
    wide = height * float(0.19 + 0.05 * rng.random())
    polygon(
        layer,
        [(x - height * 0.02, foot), (x + height * 0.02, foot), (x, foot - height * 0.3)],
        paint(BARK),
    )
    tiers = 4 if height < 30 else 7
    for k in range(tiers):
        part = k / tiers
        half = wide * (1 - part) ** 0.85 + height * 0.012
        low = foot - height * (0.09 + 0.86 * part)
        peak = low - height * (0.30 - 0.12 * part)
        teeth = 5 if height < 30 else 9
        across = np.linspace(-1, 1, teeth)
        hang = (
            np.where(np.arange(teeth) % 2 == 0, 0.0, -0.35) + 0.25 * rng.random(teeth) - 0.35 * np.abs(across)
        )
        hem = [(x + half * float(a), low + half * 0.35 * float(h)) for a, h in zip(across, hang, strict=True)]
        polygon(layer, [*hem, (x, peak)], paint(needles, 0.72 + 0.16 * part))
        bright = [p for p in hem if (p[0] - x) * towards >= -half * 0.2]
        polygon(layer, [*bright, (x, peak)], paint(needles, 1.08 + 0.2 * part))
        if snow:
            cap = [
                (x + (px - x) * 0.82, py - half * (0.16 + 0.10 * (i % 2))) for i, (px, py) in enumerate(hem)
            ]
            polygon(layer, [*cap, (x, peak)], paint(SNOW, 0.90))
            cap = [p for p in cap if (p[0] - x) * towards >= -half * 0.1]
            polygon(layer, [*cap, (x, peak)], paint(SNOW, 1.02))


def _draw_broadleaf(
    layer: Bytes,
    rng: np.random.Generator,
    scene: Scene,
    paint: _Brush,
    x: float,
    foot: float,
    height: float,
    leaf: Tone,
) -> None:
    trunk = height * 0.032
    base = [
        (x - trunk * 1.5, foot),
        (x + trunk * 1.5, foot),
        (x + trunk * 0.6, foot - height * 0.5),
        (x - trunk * 0.6, foot - height * 0.5),
    ]
    polygon(layer, base, paint(BARK, 0.9))
    if scene.season == "winter":
        _draw_bare_crown(layer, rng, scene, paint, x, foot, height)
        return
    for lean in (-0.5, 0.45):
        end = (x + lean * height * 0.3, foot - height * 0.6)
        _stroke(layer, (x, foot - height * 0.3), end, trunk * 0.9, paint(BARK, 0.8))
    towards = sun_side(scene)
    lobes = [(0.0, -0.70, 0.24)] + [
        (
            0.20 * cos(a) * (0.8 + 0.4 * float(rng.random())),
            -0.64 + 0.15 * sin(a),
            0.15 + 0.05 * float(rng.random()),
        )
        for a in np.linspace(0, 2 * pi, 7)[:-1] + float(rng.random())
    ]
    for lx, ly, r in lobes:
        _dab(layer, x + lx * height, foot + ly * height, r * height, paint(leaf, 0.50))
    dabs = int(min(150, 24 + height * 0.8))
    small = height * (0.052 if height > 60 else 0.075)
    for k, (which, turn, reach, gloss, bulk) in enumerate(rng.random((dabs, 5)).tolist()):
        lx, ly, r = lobes[int(which * len(lobes))]
        angle, away = turn * 2 * pi, sqrt(reach)
        dx, dy = cos(angle) * away, sin(angle) * away
        facing = 0.55 * dx * towards - 0.75 * dy  # towards the light
        whole = lx * towards * 1.2 - (ly + 0.66) * 1.6
        bright = 0.80 + 0.26 * facing + 0.35 * whole + 0.24 * (k / dabs) + 0.10 * gloss
        size = small * (1.25 - 0.6 * k / dabs) * (0.75 + 0.5 * bulk)
        px, py = x + (lx + dx * r) * height, foot + (ly + dy * r) * height
        if scene.weather == "snow" and facing > 0.25:
            _dab(layer, px, py, size, paint(SNOW, min(1.05, bright)))
        else:
            _dab(layer, px, py, size, paint(leaf, bright))


def _draw_bare_crown(
    layer: Bytes, rng: np.random.Generator, scene: Scene, paint: _Brush, x: float, foot: float, height: float
) -> None:
    """A leafless tree: a leader that bends a little, with boughs to both sides, longest low down."""
    sway = (float(rng.random()) - 0.5) * height * 0.10
    wide = height * 0.05
    for k in range(8):
        low, high = 0.26 + 0.085 * k, 0.26 + 0.085 * (k + 1)
        start = (x + sway * low * low, foot - height * low)
        end = (x + sway * high * high, foot - height * high)
        _stroke(layer, start, end, wide * (1 - 0.11 * k), paint(paint.bark, 0.95))
        for towards in (-1, 1):
            turn, reach = (float(q) for q in rng.random(2))
            angle = pi / 2 - towards * (0.95 - 0.06 * k + 0.35 * (turn - 0.5))
            length = height * (0.20 - 0.016 * k) * (0.75 + 0.5 * reach)
            _draw_boughs(
                layer,
                rng,
                scene,
                paint,
                start,
                angle,
                length,
                wide * (0.55 - 0.05 * k),
                3 if height > 40 else 2,
            )


def _draw_boughs(
    layer: Bytes,
    rng: np.random.Generator,
    scene: Scene,
    paint: _Brush,
    start: tuple[float, float],
    angle: float,
    length: float,
    width: float,
    depth: int,
) -> None:
    """Bare winter boughs, forking; snow lies on those that are near level."""
    end = (start[0] + cos(angle) * length, start[1] - sin(angle) * length)
    _stroke(layer, start, end, width, paint(paint.bark, 0.85 + 0.08 * depth))
    if snow_cover(scene) and abs(cos(angle)) > 0.3 and width > 0.8:
        lift = width * 0.45
        _stroke(layer, (start[0], start[1] - lift), (end[0], end[1] - lift), width * 0.5, paint(SNOW))
    if depth == 0 or length < 1.5:
        return
    for turn in (-0.42, 0.08, 0.48)[: 2 if depth < 3 else 3]:
        fork = angle + turn + (float(rng.random()) - 0.5) * 0.5
        _draw_boughs(
            layer,
            rng,
            scene,
            paint,
            end,
            fork,
            length * (0.62 + 0.2 * float(rng.random())),
            width * 0.62,
            depth - 1,
        )


def _dab(layer: Bytes, x: float, y: float, radius: float, colour: tuple[int, ...]) -> None:
    centre = (round((x - 0.5) * 16), round((y - 0.5) * 16))
    cv2.circle(layer, centre, max(8, round(radius * 16)), colour, -1, cv2.LINE_AA, 4)


def _stroke(
    layer: Bytes, start: tuple[float, float], end: tuple[float, float], width: float, colour: tuple[int, ...]
) -> None:
    dx, dy = end[0] - start[0], end[1] - start[1]
    norm = max(1e-3, sqrt(dx * dx + dy * dy))
    half = max(0.3, width / 2)
    nx, ny = -dy / norm * half, dx / norm * half
    points = [
        (start[0] + nx, start[1] + ny),
        (end[0] + nx * 0.7, end[1] + ny * 0.7),
        (end[0] - nx * 0.7, end[1] - ny * 0.7),
        (start[0] - nx, start[1] - ny),
    ]
    cv2.fillConvexPoly(layer, fixed_point(points), colour, cv2.LINE_AA, 4)
