"""Drawing one thing into a picture: relit by the scene's light, with all that ties it to its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from triptych.backends.studio.artwork import Cutout, cutout
from triptych.backends.studio.canvas import (
    Array,
    blur,
    fbm,
    generator,
    glow,
    lerp,
    luminance,
    ramp,
    rgb,
    smoothstep,
    triple,
)
from triptych.backends.studio.catalogue import KINDS, Kind, Lamp
from triptych.backends.studio.light import Light, scene_light
from triptych.backends.studio.relief import outline_normals, padded_blur, rounded_height, slopes
from triptych.backends.studio.scene import Scene, Thing
from triptych.backends.studio.settings.stage import Backdrop, snow_cover
from triptych.backends.studio.shadows import (
    Place,
    cast_shadow,
    contact_shadow,
    ground_shadow,
    paste,
    table_reflection,
    water_reflection,
)

DEEP_WATER: Final = rgb("#1f86b0")
GLASS: Final = np.array([0.90, 0.985, 0.97], np.float32)
SEA_FLOOR: Final = 0.84  # y from which on what swims rests on the sand
SNOW: Final = np.array([0.96, 0.98, 1.02], np.float32)


@dataclass(frozen=True, eq=False)
class Stand:
    """How one thing stands in a scene: all that its shading needs to know."""

    kind: Kind
    light: Light
    tint: Array
    lean: float  # -1..1: from which side the light comes; positive = from the left
    low_sun: float  # 0..1
    in_air: bool
    on_water: bool
    snowy: bool
    haze: float  # 0..1
    haze_colour: Array


def place_of(thing: Thing, picture: Cutout, width: int, height: int) -> Place:
    """The pixels that a thing's picture covers, in a frame of a size."""
    rows, columns = picture.alpha.shape
    left = round(thing.x * width - columns / 2)
    return Place(left, round(thing.y * height) - rows, columns, rows)


def picture_of(thing: Thing, scene: Scene, side: float) -> Cutout:
    """A thing's unlit picture at its size in a frame whose sqrt(width * height) is `side`."""
    height = max(6, round(thing.height * side))
    return cutout(thing.kind, height, thing.colour, thing.material, thing.flip, scene.seed)


def draw_thing(image: Array, thing: Thing, scene: Scene, backdrop: Backdrop) -> None:
    """Paint a thing, its shadow, reflection and glow on an H x W x 3 image in place."""
    height, width = image.shape[:2]
    side = float((height * width) ** 0.5)
    picture = picture_of(thing, scene, side)
    place = place_of(thing, picture, width, height)
    stand = _stand(thing, scene, backdrop, width / side)
    normals = outline_normals(picture.alpha, max(1.5, 0.07 * max(picture.alpha.shape)))
    colour = _relight(picture, normals, stand, backdrop, thing, scene)
    mirrored = colour
    if thing.material == "glass":  # a mirror shows the glass, not the picture that it was cut from
        mirrored = np.broadcast_to(0.75 * GLASS * stand.tint, colour.shape).astype(np.float32)
    _ground_it(image, thing, scene, backdrop, stand, picture, mirrored, place)
    if thing.material == "glass":
        colour = _glass(image, picture, place, stand)
    lamp = stand.kind.lamp
    if lamp is not None and thing.flip:
        lamp = Lamp(lamp.colour, 1 - lamp.x, lamp.y, lamp.strength)
    shine = 0.0 if lamp is None else lamp.strength * min(1.0, 0.04 + 1.6 * stand.light.lamps)
    if lamp is not None:
        colour = _lit_from_inside(colour, picture, lamp, shine)
    paste(image, np.clip(colour, 0, 1.25), picture.alpha, place.left, place.top)
    if lamp is not None:
        _halo(image, lamp, place, shine, side, on_ground=not stand.in_air)


def _stand(thing: Thing, scene: Scene, backdrop: Backdrop, sides_across: float) -> Stand:
    kind = KINDS[thing.kind]
    light = scene_light(scene)
    on_sea_floor = backdrop.floating and thing.y >= SEA_FLOOR
    in_air = thing.ground is not None or kind.group == "sky" or (backdrop.floating and not on_sea_floor)
    lean = float(np.clip((thing.x - backdrop.sun[0]) * sides_across * 1.6, -1, 1))
    if abs(lean) < 0.18:
        lean = 0.18 if lean >= 0 else -0.18
    on_water = backdrop.water is not None and not in_air and thing.y < backdrop.water[1] + 0.015
    if backdrop.floating:
        haze, haze_colour = 0.16, DEEP_WATER * np.maximum(light.tint, np.float32(0.4))
    elif backdrop.indoor:
        haze, haze_colour = 0.0, light.haze
    else:
        foot = thing.y if thing.ground is None else thing.ground
        reach = max(0.05, backdrop.ground_near - backdrop.horizon)
        distance = float(np.clip((backdrop.ground_near - foot) / reach, 0, 1))
        thick = light.haze_amount
        haze = min(0.7, 0.85 * thick * distance + 0.12 * max(0.0, thick - 0.25))
        haze_colour = light.haze
    snowy = snow_cover(scene) > 0 and not (in_air or on_water)
    low_sun = float(np.clip((light.sun_y - 0.25) / 0.55, 0, 1))
    return Stand(kind, light, backdrop.tint, lean, low_sun, in_air, on_water, snowy, haze, haze_colour)


def _ground_it(
    image: Array,
    thing: Thing,
    scene: Scene,
    backdrop: Backdrop,
    stand: Stand,
    picture: Cutout,
    colour: Array,
    place: Place,
) -> None:
    """Shadows and reflections, on what is already painted."""
    light, alpha = stand.light, picture.alpha
    strength = light.shadow_strength * (0.8 if backdrop.indoor else 1.0)
    clear_glass = 0.45 if thing.material == "glass" else 1.0
    if stand.in_air:
        floor = max(SEA_FLOOR + 0.04, thing.y + 0.04) if backdrop.floating else thing.ground
        if floor is not None:
            strength *= 1 - 0.7 * min(1.0, floor - thing.y)
            x = place.left + place.width / 2 + stand.lean * place.height * 0.25
            ground_shadow(image, place, light.shadow, 0.75 * strength, x, floor * image.shape[0])
        return
    if backdrop.water is not None and stand.on_water:
        open_water = image[: round(backdrop.water[1] * image.shape[0])]
        water_reflection(open_water, colour, alpha, place, 0.55, scene.seed, thing.id)
        return
    if backdrop.reflection > 0:
        table_reflection(image, colour, alpha, place, backdrop.reflection)
    length = (0.26 + 0.16 * stand.low_sun) * (1.0 if light.overcast < 0.5 else 0.7)
    cast = strength * 1.2 * clear_glass
    cast_shadow(image, alpha, place, light.shadow, cast, stand.lean * (0.45 + 0.25 * stand.low_sun), length)
    contact_shadow(image, alpha, place, light.shadow, (0.65 + 0.5 * light.shadow_strength) * clear_glass)


def _relight(
    picture: Cutout,
    normals: tuple[Array, Array, Array],
    stand: Stand,
    backdrop: Backdrop,
    thing: Thing,
    scene: Scene,
) -> Array:
    """The picture's colours under the scene's light."""
    light, alpha = stand.light, picture.alpha
    across, down, soft = normals
    height = alpha.shape[0]
    row = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    facing = across * np.float32(-stand.lean) - down * np.float32(0.55 if stand.low_sun > 0.5 else 0.75)
    direct = np.float32(0.30 + 0.25 * light.direct) if not backdrop.indoor else np.float32(0.40)
    shade = 1 + np.clip(facing, -0.5, 0.55) * direct
    if not stand.in_air:
        shade = shade * (1 - np.float32(0.20) * smoothstep(0.7, 1.0, row))
    tint = stand.tint
    if light.ambient < 0.7 and not backdrop.indoor:  # moonlit things must still read against a dark ground
        tint = tint * np.float32(1.18) + np.float32(0.04)
    colour = picture.colour * np.asarray(cv2.merge([shade * c for c in tint]), np.float32)
    if not stand.in_air:
        bounce = np.float32(0.18) * smoothstep(0.5, 1.0, row) * (1 - np.clip(-down, 0, 1))
        ground = backdrop.ground_colour.astype(np.float32) * np.float32(0.9)
        colour += (ground - colour) * triple(np.ascontiguousarray(np.broadcast_to(bounce, alpha.shape)))
    if stand.snowy:
        colour = _snow_capped(colour, alpha, down, row, tint, scene, thing)
    if backdrop.floating:
        colour *= triple(_caustics(alpha.shape, row, scene.seed))
    rim = (
        np.clip(facing - np.float32(0.22), 0, 1) * smoothstep(0.4, 0.9, alpha) * smoothstep(0.99, 0.80, soft)
    )
    glint = (0.55 if not backdrop.indoor else 0.35) * (0.35 + 0.65 * light.direct)
    colour += triple(rim * np.float32(glint)) * light.sun
    if stand.haze > 0:
        colour = lerp(colour, np.broadcast_to(stand.haze_colour, colour.shape), stand.haze)
    return np.asarray(colour, np.float32)


def _snow_capped(
    colour: Array, alpha: Array, down: Array, row: Array, tint: Array, scene: Scene, thing: Thing
) -> Array:
    """Snow on what faces up, thicker near the top."""
    height, width = alpha.shape
    rng = generator(scene.seed, "snow cap", thing.id)
    tile = fbm(rng, 8, 3, 0.6, size=128)
    noise = np.asarray(cv2.resize(tile, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    share = 0.035 if KINDS[thing.kind].group in ("animal", "small") else 0.065
    drop = max(2, round(share * height))
    above = np.zeros_like(alpha)
    above[drop:] = alpha[:-drop]  # what has no picture `drop` px above it lies open to the sky
    edge = blur(np.clip(alpha - above, 0, 1), max(0.8, 0.006 * height))
    cover = edge * np.float32(0.9) - down * np.float32(0.55) + (noise - np.float32(0.5)) * np.float32(0.8)
    snow = smoothstep(0.36, 0.58, cover) * smoothstep(0.95, 0.5, row) * np.float32(0.94)
    light = SNOW * np.maximum(tint, np.float32(0.4))
    shaded = np.float32(0.86) + np.float32(0.14) * smoothstep(0.5, 1.0, cover)
    white = triple(shaded) * light
    return lerp(colour, white, triple(np.ascontiguousarray(snow)))


def _caustics(shape: tuple[int, int], row: Array, seed: int) -> Array:
    """Bright net that waves throw on what is below them, strongest on top; a factor around 1."""
    tile = fbm(generator(seed, "caustics"), 8, 2, 0.5, size=256)
    net = cv2.resize(tile, (max(shape), max(shape)), interpolation=cv2.INTER_LINEAR)[: shape[0], : shape[1]]
    bright = np.exp(-np.abs(net - np.float32(0.5)) * np.float32(38))
    return np.ascontiguousarray(np.float32(0.96) + bright * np.float32(0.34) * (1 - np.float32(0.8) * row))


def _glass(image: Array, picture: Cutout, place: Place, stand: Stand) -> Array:
    """Clear glass: what is behind, bent by the surface, with bright edges and the picture's own lines."""
    alpha = picture.alpha
    size = float(max(alpha.shape))
    body = blur(rounded_height(alpha, 0.22 * size), 0.012 * size)
    across, down = slopes(blur(body, 1.5) * np.float32(0.22 * size))
    reach = np.float32(0.16 * size)
    x = np.arange(alpha.shape[1], dtype=np.float32)[None, :] + np.float32(place.left)
    y = np.arange(alpha.shape[0], dtype=np.float32)[:, None] + np.float32(place.top)
    behind = cv2.remap(
        image,
        np.ascontiguousarray(x + np.clip(across, -1.2, 1.2) * reach),
        np.ascontiguousarray(y + np.clip(down, -1.2, 1.2) * reach),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    steep = np.clip(np.sqrt(across * across + down * down) * np.float32(0.9), 0, 1)
    drawing = blur(luminance(picture.colour), 0.004 * size)
    line_x, line_y = slopes(drawing)
    lines = np.clip(np.sqrt(line_x * line_x + line_y * line_y) * np.float32(0.09 * size), 0, 0.5)
    level = np.maximum(stand.tint, np.float32(0.35))
    rim = smoothstep(0.35, 0.95, steep)
    border = smoothstep(1.0, 0.55, padded_blur(alpha, 0.016 * size))  # a dark seam keeps it apart from snow
    colour = behind * GLASS * triple(np.float32(0.90) - np.float32(0.26) * rim - np.float32(0.50) * border)
    colour += triple(np.float32(0.20) * rim + np.float32(0.28) * lines) * (
        np.array([0.78, 0.97, 1.0], np.float32) * level
    )
    facing = -across * np.float32(stand.lean) - down
    glint = smoothstep(0.5, 1.05, facing) * np.float32(0.32) + smoothstep(0.80, 0.98, drawing) * np.float32(
        0.22
    )
    colour += triple(glint) * stand.light.sun * level
    return np.asarray(colour + np.float32(0.03) * level, np.float32)


def _lit_from_inside(colour: Array, picture: Cutout, lamp: Lamp, shine: float) -> Array:
    """The thing's own lamp brightens it around the flame or the window."""
    height, width = picture.alpha.shape
    x = (np.arange(width, dtype=np.float32)[None, :] - np.float32(lamp.x * width)) / np.float32(height)
    y = (np.arange(height, dtype=np.float32)[:, None] - np.float32(lamp.y * height)) / np.float32(height)
    away = np.sqrt(x * x + y * y)
    near = np.exp(away * np.float32(-5.0))
    core = np.exp(away * away * np.float32(-90))
    warm = rgb(lamp.colour)
    own = picture.colour * (np.float32(0.35) + np.float32(0.75) * warm)
    colour = lerp(colour, own, triple(np.minimum(near * np.float32(1.3 * shine), 0.9)))
    flame = np.broadcast_to(warm * np.float32(1.1), colour.shape)
    colour = lerp(colour, flame, triple(core * np.float32(0.75 * shine)))
    return colour + triple(core * np.float32(0.15 * shine) + near * np.float32(0.08 * shine)) * warm


def _halo(image: Array, lamp: Lamp, place: Place, shine: float, side: float, on_ground: bool) -> None:
    """Light in the air around a lamp, and the pool of it on the ground."""
    centre_x = place.left + place.width * lamp.x
    centre_y = place.top + place.height * lamp.y
    reach = 0.36 * side  # beyond it the light is below a grey level
    x0, x1 = (int(np.clip(v, 0, image.shape[1])) for v in (centre_x - reach, centre_x + reach + 1))
    y0, y1 = (int(np.clip(v, 0, image.shape[0])) for v in (centre_y - reach, centre_y + reach + 1))
    if x1 <= x0 or y1 <= y0:
        return
    coarse = max(1, int(side / 340))  # the light is smooth: a coarse grid will do
    across, down = max(2, (x1 - x0) // coarse), max(2, (y1 - y0) // coarse)
    x = (np.linspace(x0, x1 - 1, across, dtype=np.float32)[None, :] - np.float32(centre_x)) / np.float32(side)
    row = np.linspace(y0, y1 - 1, down, dtype=np.float32)[:, None]
    y = (row - np.float32(centre_y)) / np.float32(side)
    away = np.sqrt(x * x + y * y)
    vanish = smoothstep(0.36, 0.2, away) * np.float32(shine)
    air = vanish * (
        np.exp(away * np.float32(-9)) * np.float32(0.40) + np.exp(away * np.float32(-30)) * np.float32(0.45)
    )
    size = (x1 - x0, y1 - y0)
    warm = rgb(lamp.colour)
    part = image[y0:y1, x0:x1]
    if on_ground:
        foot = (row - np.float32(place.foot)) / np.float32(side)
        pool = (
            vanish * np.exp(-((x / np.float32(0.22)) ** 2) - (foot / np.float32(0.06)) ** 2) * np.float32(1.1)
        )
        lit = np.asarray(cv2.resize(pool, size, interpolation=cv2.INTER_LINEAR), np.float32)
        part += part * ramp(np.zeros(3, np.float32), warm, lit)
    glow(part, warm, np.asarray(cv2.resize(air, size, interpolation=cv2.INTER_LINEAR), np.float32))
