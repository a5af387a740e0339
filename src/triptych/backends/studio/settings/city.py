"""A city square: three rows of buildings, lit windows, paving."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from triptych.backends.studio.canvas import (
    Array,
    Bytes,
    Frame,
    blur,
    clip,
    contrast,
    fbm,
    from_uint8,
    generator,
    lerp,
    over,
    polygon,
    ramp,
    recede,
    rgb,
    shade,
    smoothstep,
    triple,
)
from triptych.backends.studio.light import Light, haze_at, scene_light
from triptych.backends.studio.scene import Scene
from triptych.backends.studio.settings.stage import Backdrop, Stage, outdoor_backdrop, snow_cover
from triptych.backends.studio.settings.terrain import sun_side
from triptych.backends.studio.settings.trees import draw_trees
from triptych.backends.studio.sky import paint_sky

CITY = Stage(horizon=0.56, ground_far=0.74, ground_near=0.94, scale_far=0.65, scale_near=1.15)
_KERB = 0.645  # y where the buildings end and the paving begins
_WALLS = (
    ("#c08a6c", "#d6b593", "#ad725c", "#9a9ba0", "#dccbb0"),
    ("#93a8bb", "#bcc7d0", "#7c91a6", "#cfc4b2", "#a4b3bd"),
)
_LAMPS = ("#ffd27a", "#ffe6a8", "#ffbf66", "#d4e8ff")
_AWNINGS = ("#c8453f", "#2f7a6b", "#d69a35", "#3d5c9e")


@dataclass(frozen=True)
class _Row:
    """One row of buildings; lengths in sides."""

    distance: float
    width: float
    height: float
    windows: int
    base: float  # y


_ROWS = (
    _Row(0.78, 0.055, 0.37, 5, 0.61),
    _Row(0.46, 0.095, 0.31, 6, 0.62),
    _Row(0.08, 0.165, 0.36, 6, _KERB),
)


def paint_city(scene: Scene, target: Frame) -> Backdrop:
    """A city square in front of a skyline."""
    light = scene_light(scene)
    image = paint_sky(scene, target, CITY.horizon + 0.06)
    bottom = target.row(_KERB) + 1
    walls = np.zeros((bottom, target.width, 4), np.uint8)
    lamps = np.zeros((bottom, target.width, 3), np.uint8)
    for k, row in enumerate(_ROWS):
        _draw_row(walls, lamps, scene, target, k, row, light)
        if k < 2:
            fade = clip((target.v[:bottom] - np.float32(0.30)) * np.float32(3.2)) ** 2 * np.float32(
                0.45 + 0.3 * light.haze_amount
            )
            _fade_row(walls, light, fade)
    part = from_uint8(walls)
    image[:bottom] *= triple(1 - part[..., 3])
    image[:bottom] += part[..., :3]
    glare = from_uint8(lamps)
    line = np.full(target.width, (_KERB - 0.004) * target.height, np.float32)
    draw_trees(
        image,
        scene,
        target,
        line,
        density=8,
        size=0.10,
        distance=0.12,
        evergreen=0.1,
        name="street",
        gap=(0.44, 0.56),
    )
    draw_trees(image, scene, target, line, density=26, size=0.032, distance=0.10, evergreen=0.0, name="hedge")
    _paint_paving(image, scene, target, light, glare)
    _add_street_lamps(image, target, light, glare)
    strength = 0.35 + 0.65 * light.lamps
    spill = blur(glare, target.side * 0.006) * np.float32(0.45 * strength) + blur(
        glare, target.side * 0.03
    ) * np.float32(0.6 * strength)
    image[:bottom] += spill
    reflection = 0.45 if scene.weather == "rain" else (0.2 if light.lamps > 0.4 else 0.06)
    return outdoor_backdrop(scene, CITY, image, rgb("#c0b5a4"), reflection=reflection)


def _fade_row(walls: Bytes, light: Light, fade: Array) -> None:
    """Haze gathering at the foot of what has been drawn so far (premultiplied, so it hazes cover only)."""
    rows = np.flatnonzero(fade[:, 0] > 0)
    if not rows.size:
        return
    part = walls[rows[0] :].astype(np.float32)
    weight = fade[rows[0] :, :, None]
    part[..., :3] += (part[..., 3:] * light.haze - part[..., :3]) * weight
    walls[rows[0] :] = np.clip(part, 0, 255).astype(np.uint8)


def _draw_row(
    walls: Bytes, lamps: Bytes, scene: Scene, target: Frame, k: int, row: _Row, light: Light
) -> None:
    rng = generator(scene.seed, "buildings", k)
    side = target.side
    mason = _Mason(walls, lamps, light, haze_at(light, row.distance))
    tones = _WALLS[(scene.palette >> 1) & 1]
    x = -0.05
    width_sides = target.width / side
    while x < 3.0:  # strewn over three sides, whatever the frame
        width = row.width * (0.7 + 0.8 * float(rng.random()))
        rise = row.height * (0.5 + 0.75 * float(rng.random()))
        tone = rgb(tones[int(rng.integers(5))]) * np.float32(0.85 + 0.3 * rng.random())
        own = np.random.default_rng(int(rng.integers(2**32)))
        start, x = x, x + width + (0.0, 0.005, 0.003)[k] * float(rng.random())
        if start > width_sides:
            break
        if k == 2:  # the near row frames the square and leaves its middle open
            centre = abs((start + width / 2) / width_sides - 0.5)
            if centre < 0.19:
                continue
            rise *= 0.5 + 1.2 * centre
        base = row.base * target.height
        box = (start * side, base - rise * side, (start + width) * side, base)
        _draw_building(mason, own, k, box, tone, scene)


class _Mason:
    """Draws upright boxes, lit and hazed, into the layer of walls, and lit panes into the layer of lamps.

    Works on plain numbers: it is called once per window.
    """

    def __init__(self, walls: Bytes, lamps: Bytes, light: Light, haze: float) -> None:
        self._walls, self._lamps, self._haze = walls, lamps, haze
        self._tint = [float(t) for t in light.tint]
        self._veil = [float(c) * haze * 255 for c in light.haze]

    def tone(self, colour: Array, brightness: float = 1.0, floor: float = 0.0) -> tuple[int, int, int, int]:
        """A colour as it looks from here; `floor` keeps at least that much of it in the dark."""
        red, green, blue = (
            int(min(255.0, min(1.15, c * brightness) * max(t, floor) * (1 - self._haze) * 255 + v))
            for c, t, v in zip(colour.tolist(), self._tint, self._veil, strict=True)
        )
        return red, green, blue, 255

    def box(self, x0: float, y0: float, x1: float, y1: float, tone: tuple[int, ...]) -> None:
        """A filled box of wall."""
        _box(self._walls, x0, y0, x1, y1, tone)

    def pane(self, x0: float, y0: float, x1: float, y1: float, tone: tuple[int, ...]) -> None:
        """A pane that shines (or, in black, hides what shines behind it)."""
        _box(self._lamps, x0, y0, x1, y1, tone)


def _box(layer: Bytes, x0: float, y0: float, x1: float, y1: float, tone: tuple[int, ...]) -> None:
    start, end = (round(x0 * 16 - 8), round(y0 * 16 - 8)), (round(x1 * 16 - 8), round(y1 * 16 - 8))
    cv2.rectangle(layer, start, end, tone, -1, cv2.LINE_AA, 4)


def _draw_building(
    mason: _Mason,
    rng: np.random.Generator,
    k: int,
    box: tuple[float, float, float, float],
    tone: Array,
    scene: Scene,
) -> None:
    """One building: walls with a shaded flank, roof, cornice, windows, and a shop in the near row."""
    light = scene_light(scene)
    x0, y0, x1, y1 = box
    wide = x1 - x0
    cornice, flank = wide * 0.025, wide * 0.22
    mason.box(x0, y0, x1, y1, mason.tone(tone))
    mason.pane(x0, y0, x1, y1, (0, 0, 0))
    shaded = (x0, x0 + flank) if sun_side(scene) > 0 else (x1 - flank, x1)
    mason.box(shaded[0], y0, shaded[1], y1, mason.tone(tone, 0.80))
    _draw_roof(mason, rng, k, (x0, y0, wide), tone)
    mason.box(x0 - cornice, y0 - cornice * 1.2, x1 + cornice, y0 + cornice, mason.tone(tone, 1.14))
    if snow_cover(scene):
        snow = mason.tone(rgb("#f3f7fc"))
        mason.box(x0 - cornice, y0 - cornice * 2.4, x1 + cornice, y0 - cornice * 0.9, snow)
    _draw_windows(mason, rng, k, box, tone, light)


def _draw_windows(
    mason: _Mason,
    rng: np.random.Generator,
    k: int,
    box: tuple[float, float, float, float],
    tone: Array,
    light: Light,
) -> None:
    x0, y0, x1, y1 = box
    count = max(3, round(_ROWS[k].windows * (0.75 + 0.45 * float(rng.random()))))
    cell = (x1 - x0) / count
    pitch = cell * (1.25 + 0.35 * float(rng.random()))
    first = y0 + pitch * 0.55
    floors = max(0, int((y1 - first) / pitch)) - (1 if k == 2 else 0)
    glass = lerp(rgb("#35485e"), light.sky_colour(0.55), 0.42)
    panes = [mason.tone(glass, 0.75 + 0.125 * step, 0.7) for step in range(5)]
    lit = [mason.tone(rgb(colour), 0.75 + 0.2 * step, 1.0) for colour in _LAMPS for step in range(2)]
    shine = [tuple(int(c * (1 - 0.5 * k / 2 if k < 2 else 1)) for c in tone_[:3]) for tone_ in lit]
    frame_tone, sill_tone = mason.tone(tone, 1.12), mason.tone(tone, 1.2)
    draws = rng.random((max(1, floors * count), 2)).tolist()
    for index in range(max(0, floors) * count):
        j, i = divmod(index, count)
        chance, pick = draws[index]
        left, top = x0 + cell * (i + 0.24), first + pitch * j
        right, low = x0 + cell * (i + 0.76), top + pitch * 0.60
        if k == 2:
            rim = cell * 0.05
            mason.box(left - rim, top - rim, right + rim, low + rim, frame_tone)
        if chance < light.lamps:
            which = int(pick * len(lit))
            mason.box(left, top, right, low, lit[which])
            mason.pane(left, top, right, low, shine[which])
        else:
            mason.box(left, top, right, low, panes[int(pick * 5)])
        if k == 2:
            middle = (left + right) / 2
            mason.box(middle - cell * 0.02, top, middle + cell * 0.02, low, frame_tone)
            mason.box(left - cell * 0.08, low, right + cell * 0.08, low + pitch * 0.06, sill_tone)
    if k == 2:
        _draw_shop(mason, rng, (x0, y1, x1, pitch), light)


def _draw_roof(
    mason: _Mason, rng: np.random.Generator, k: int, box: tuple[float, float, float], tone: Array
) -> None:
    """A lift house, or a stepped crown with a mast, or nothing."""
    x0, y0, wide = box
    shape, place, tall = (float(q) for q in rng.random(3))
    if shape < 0.35:
        left = x0 + wide * 0.15 + wide * 0.4 * place
        mason.box(left, y0 - wide * (0.10 + 0.18 * tall), left + wide * 0.28, y0, mason.tone(tone, 0.88))
    elif shape < 0.55 and k < 2:
        mason.box(x0 + wide * 0.14, y0 - wide * 0.35, x0 + wide * 0.86, y0, mason.tone(tone, 0.97))
        mason.box(
            x0 + wide * 0.30, y0 - wide * 0.62, x0 + wide * 0.70, y0 - wide * 0.35, mason.tone(tone, 0.94)
        )
        mast = y0 - wide * (0.85 + 0.4 * tall)
        mason.box(x0 + wide * 0.485, mast, x0 + wide * 0.515, y0 - wide * 0.6, mason.tone(tone, 0.8))


def _draw_shop(
    mason: _Mason, rng: np.random.Generator, box: tuple[float, float, float, float], light: Light
) -> None:
    """A shop front under a striped awning."""
    x0, y1, x1, pitch = box
    top, wide = y1 - pitch * 1.1, x1 - x0
    awning = rgb(_AWNINGS[int(rng.integers(4))])
    warm = rgb("#ffcf87")
    mason.box(x0 + wide * 0.05, top, x1 - wide * 0.05, y1, mason.tone(rgb("#2b2f3a")))
    pane = lerp(rgb("#4a6076") * light.tint, warm, min(1.0, light.lamps * 1.6 + 0.12))
    mason.box(
        x0 + wide * 0.09, top + pitch * 0.2, x1 - wide * 0.09, y1 - pitch * 0.1, mason.tone(pane, 1.0, 1.0)
    )
    if light.lamps > 0.1:
        shine = tuple(int(c * 200) for c in warm)
        mason.pane(x0 + wide * 0.09, top + pitch * 0.3, x1 - wide * 0.09, y1 - pitch * 0.1, shine)
    step = wide / 9
    cloths = (mason.tone(rgb("#f3ead8"), 1.0, 0.4), mason.tone(awning, 1.0, 0.4))
    for i in range(9):
        mason.box(x0 + step * i, top - pitch * 0.1, x0 + step * (i + 1), top + pitch * 0.36, cloths[i % 2])


def _paint_paving(image: Array, scene: Scene, target: Frame, light: Light, glare: Array) -> None:
    rows = slice(target.row(_KERB), target.height)
    count = rows.stop - rows.start
    tile = _paving_tile(scene)
    stones = recede(tile, target, 0.575, 1.15, rows=rows, squash=1.0)
    rng = generator(scene.seed, "paving")
    stains = recede(fbm(rng, 8, 5, 0.6), target, 0.56, 1.4, rows=rows, squash=1.4)
    colour = ramp(
        rgb("#8d8275"),
        rgb("#dad0be"),
        clip(stones * np.float32(0.9) + (stains - np.float32(0.5)) * np.float32(0.8)),
    )
    snow = snow_cover(scene)
    if snow:
        over(colour, rgb("#edf3f9"), smoothstep(0.40, 0.58, stains) * np.float32(0.88))
    if scene.weather == "rain":
        colour *= np.float32(0.72)
    colour *= light.tint
    wet = 0.55 if scene.weather == "rain" else (0.26 if light.lamps > 0.4 else 0.09)
    depth = min(count, rows.start)
    mirrored = blur(np.ascontiguousarray(image[rows.start - depth : rows.start][::-1]), target.side * 0.007)
    shine = blur(np.ascontiguousarray(glare[rows.start - depth : rows.start][::-1]), target.side * 0.010)
    t = clip((target.v[rows][:depth] - np.float32(_KERB)) * np.float32(1 / (1 - _KERB)))
    weight = (
        np.float32(wet) * (1 - t * np.float32(0.6)) * (np.float32(0.6) + np.float32(0.6) * stains[:depth])
    )
    over(colour[:depth], mirrored, weight)
    colour[:depth] += shine * np.float32(wet * 0.9)
    edge = np.exp((target.y[rows] - np.float32(rows.start)) * np.float32(-1 / (target.side * 0.006)))
    shade(colour, 1 - np.broadcast_to(edge, (count, target.width)) * np.float32(0.45))
    image[rows] = colour


def _paving_tile(scene: Scene) -> Array:
    """Staggered flagstones, 12 x 16 a tile, each with its own tone; periodic."""
    rng = generator(scene.seed, "flagstones")
    x = np.arange(512, dtype=np.float32)[None, :] * np.float32(12 / 512)
    y = np.arange(512, dtype=np.float32)[:, None] * np.float32(16 / 512)
    row = np.floor(y)
    shifted = x + np.mod(row, 2) * np.float32(0.5)
    tones = rng.random((16, 13), dtype=np.float32)
    tones[:, 12] = tones[:, 0]
    tone = tones[row.astype(np.int32), np.floor(shifted).astype(np.int32)]
    groove = np.maximum(
        smoothstep(0.455, 0.5, np.abs(shifted % 1 - np.float32(0.5))),
        smoothstep(0.44, 0.5, np.abs(y % 1 - np.float32(0.5))),
    )
    grain = contrast(fbm(rng, 64, 3, 0.7), 1.4)
    stone = np.float32(0.35) + tone * np.float32(0.38) + (grain - np.float32(0.5)) * np.float32(0.35)
    return np.asarray(stone * (1 - np.float32(0.55) * groove), np.float32)


def _add_street_lamps(image: Array, target: Frame, light: Light, glare: Array) -> None:
    side = target.side
    bottom = image.shape[0]
    layer = np.zeros((bottom, target.width, 4), np.uint8)
    iron = (rgb("#2c3038") * np.maximum(light.tint, np.float32(0.45)) * 255).tolist()
    dark = (int(iron[0]), int(iron[1]), int(iron[2]), 255)
    foot = (_KERB + 0.012) * target.height
    tall, thin = 0.20 * side, 0.0028 * side
    on = light.lamps > 0.15
    for u in (0.30, 0.70):
        x = u * target.width
        polygon(
            layer,
            [
                (x - thin, foot - tall),
                (x + thin, foot - tall),
                (x + thin * 1.5, foot),
                (x - thin * 1.5, foot),
            ],
            dark,
        )
        polygon(
            layer,
            [
                (x - thin * 3, foot),
                (x + thin * 3, foot),
                (x + thin * 2, foot - tall * 0.07),
                (x - thin * 2, foot - tall * 0.07),
            ],
            dark,
        )
        head = foot - tall
        bulb = (rgb("#ffe2a0") if on else rgb("#dfe6ea") * light.tint) * 255
        polygon(
            layer,
            [
                (x - thin * 3, head),
                (x + thin * 3, head),
                (x + thin * 5, head - thin * 11),
                (x - thin * 5, head - thin * 11),
            ],
            (*(int(c) for c in bulb), 255),
        )
        polygon(
            layer,
            [(x - thin * 6, head - thin * 11), (x + thin * 6, head - thin * 11), (x, head - thin * 16)],
            dark,
        )
        if on:
            cv2.circle(
                glare_bytes := np.zeros(glare.shape[:2], np.uint8),
                (int(x), int(head - thin * 5)),
                int(thin * 7),
                255,
                -1,
                cv2.LINE_AA,
            )
            glare += ramp(np.zeros(3, np.float32), rgb("#ffcf80"), from_uint8(glare_bytes))
    part = from_uint8(layer)
    image *= triple(1 - part[..., 3])
    image += part[..., :3]
