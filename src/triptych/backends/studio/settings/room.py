"""A cosy living room: wall, window with its view, floor boards, rug, shelf and lamp."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from triptych.backends.studio.canvas import (
    Array,
    Frame,
    blur,
    clip,
    contrast,
    distance,
    fbm,
    fill,
    frame,
    from_uint8,
    generator,
    glow,
    gradient,
    lerp,
    over,
    over_premultiplied,
    polygon,
    ramp,
    recede,
    rgb,
    shade,
    smoothstep,
    spread,
    to_uint8,
    triple,
)
from triptych.backends.studio.light import scene_light
from triptych.backends.studio.scene import Scene
from triptych.backends.studio.settings.outdoors import paint_vista
from triptych.backends.studio.settings.stage import Backdrop, Stage

ROOM = Stage(horizon=0.46, ground_far=0.75, ground_near=0.95, scale_far=0.8, scale_near=1.15, indoor=True)
_SKIRTING = 0.66  # y where the wall meets the floor
WALLS = ("#dccab3", "#adc3b2", "#a5b9ce", "#ddb0a1", "#cdbcda", "#e9dcae")
_CURTAINS = ("#c85a4a", "#3f6f7f", "#e3dccb", "#6f7f55", "#8a5a86", "#d9a441")
_RUGS = ("#b8483e", "#35576f", "#d1a24a", "#58705a", "#79507a", "#c97f6a")
_WOODS = (("#a87647", "#dcae78"), ("#6d4429", "#a8744a"), ("#bfa07a", "#e6cfa8"))
_BOOKS = ("#b8483e", "#35576f", "#d1a24a", "#58705a", "#79507a", "#e3dccb", "#2f3f4f", "#c97f6a")


def paint_room(scene: Scene, target: Frame) -> Backdrop:
    """A living room."""
    light = scene_light(scene)
    side, width, height = target.side, target.width, target.height
    left = bool(scene.palette & 1)  # the window's side of the room
    dark = light.lamps >= 0.5
    half = min(0.17 * side, 0.20 * width)
    centre = (0.27 if left else 0.73) * width
    sill = 0.50 * height
    top = max(0.08 * height, sill - 0.52 * side)
    window = (centre - half, top, centre + half, sill)
    image = fill((height, width), rgb(WALLS[scene.palette % len(WALLS)]))
    wall = slice(0, target.row(_SKIRTING) + 1)
    floor = slice(target.row(_SKIRTING), height)
    _paper_wall(image, scene, target, wall)
    fall = np.exp(distance(target, centre, 0.35 * height) * np.float32(-1.5))
    shade(
        image[wall],
        (
            np.float32(0.68) + np.float32(0.48) * fall
            if not dark
            else np.float32(0.66) + np.float32(0.06) * fall
        )[wall],
    )
    _hang_picture(image, scene, target, left)
    _hang_shelf(image, scene, target, left)
    image[wall] *= light.indoor
    boards = _lay_boards(scene, target, floor) * light.indoor
    shade(
        boards,
        np.float32(0.66)
        + np.float32(0.42) * np.exp(distance(target, centre, 0.85 * height)[floor] * np.float32(-1.3))
        if not dark
        else np.full((floor.stop - floor.start, width), 0.68, np.float32),
    )
    mirrored = blur(
        np.ascontiguousarray(image[max(0, 2 * floor.start - height) : floor.start][::-1]), side * 0.012
    )
    depth = mirrored.shape[0]
    away = clip((target.v[floor][:depth] - np.float32(_SKIRTING)) * np.float32(1 / 0.3))
    over(boards[:depth], mirrored, (1 - away) * np.float32(0.16) * np.ones((1, width), np.float32))
    image[floor] = boards
    _fit_skirting(image, target, light.indoor)
    _fit_window(image, scene, target, window, light.indoor)
    _hang_curtains(image, scene, target, window, light.indoor)
    if light.overcast == 0 and not dark:
        _cast_sunlight(image, scene, target, window, left)
    _lay_rug(image, scene, target, light.indoor)
    lamp = ((0.94 if left else 0.06) * width, 0.30 * height)
    _stand_lamp(image, target, lamp, light.lamps, light.indoor)
    wood = rgb(_WOODS[(scene.palette // 2) % 3][1])
    return Backdrop(
        horizon=ROOM.horizon,
        ground_far=ROOM.ground_far,
        ground_near=ROOM.ground_near,
        scale_far=ROOM.scale_far,
        scale_near=ROOM.scale_near,
        indoor=True,
        image=image,
        ground_colour=(wood * light.indoor * np.float32(0.8)).astype(np.float32),
        tint=light.indoor,
        sun=(lamp[0] / width, lamp[1] / height) if dark else (centre / width, 0.3),
        reflection=0.10,
    )


def _paper_wall(image: Array, scene: Scene, target: Frame, rows: slice) -> None:
    across = (target.x - np.float32(target.width / 2)) * np.float32(1 / target.side)
    stripes = smoothstep(-0.15, 0.15, np.sin(across * np.float32(2 * np.pi * 13)))
    weave = spread(fbm(generator(scene.seed, "wallpaper"), 128, 2, 0.7), target, 0.6, rows)
    shade(
        image[rows],
        (np.float32(0.955) + np.float32(0.05) * stripes) * (np.float32(0.95) + np.float32(0.10) * weave),
    )


def _shadow(
    image: Array, target: Frame, box: tuple[float, float, float, float], soft: float, strength: float
) -> None:
    """A soft dark rectangle, computed only where it falls."""
    x0, y0, x1, y1 = box
    reach = soft * 3
    xa, xb = max(0, int(x0 - reach)), min(target.width, int(x1 + reach) + 1)
    ya, yb = max(0, int(y0 - reach)), min(target.height, int(y1 + reach) + 1)
    if xb <= xa or yb <= ya:
        return
    across = smoothstep(-soft, soft, target.x[:, xa:xb] - np.float32(x0)) * smoothstep(
        -soft, soft, np.float32(x1) - target.x[:, xa:xb]
    )
    down = smoothstep(-soft, soft, target.y[ya:yb] - np.float32(y0)) * smoothstep(
        -soft, soft, np.float32(y1) - target.y[ya:yb]
    )
    shade(image[ya:yb, xa:xb], 1 - across * down * np.float32(strength))


def _slab(image: Array, target: Frame, box: tuple[float, float, float, float], colour: Array) -> None:
    """An anti-aliased plain rectangle, computed only where it lies."""
    x0, y0, x1, y1 = box
    xa, xb = max(0, int(x0) - 1), min(target.width, int(x1) + 2)
    ya, yb = max(0, int(y0) - 1), min(target.height, int(y1) + 2)
    if xb <= xa or yb <= ya:
        return
    half = np.float32(0.5)
    across = clip(target.x[:, xa:xb] - np.float32(x0) + half) * clip(
        np.float32(x1) - target.x[:, xa:xb] + half
    )
    down = clip(target.y[ya:yb] - np.float32(y0) + half) * clip(np.float32(y1) - target.y[ya:yb] + half)
    over(image[ya:yb, xa:xb], colour, across * down)


def _shelf_y(target: Frame) -> float:
    return min(0.545 * target.height, 0.13 * target.height + 0.46 * target.side)


def _hang_picture(image: Array, scene: Scene, target: Frame, left: bool) -> None:
    side, rng = target.side, generator(scene.seed, "picture")
    wide, tall = 0.17 * side, 0.22 * side
    top = 0.10 * target.height
    room_left = _shelf_y(target) - 0.115 * side - top  # above the books
    scale = min(1.0, target.width / side * 1.2, room_left / tall)
    wide, tall = wide * scale, tall * scale
    x, y = (0.73 if left else 0.27) * target.width - wide / 2, top + 0.35 * max(0.0, room_left - tall)
    edge = 0.011 * side
    _shadow(
        image, target, (x + edge, y + edge * 1.5, x + wide + edge, y + tall + edge * 2), 0.012 * side, 0.35
    )
    _slab(image, target, (x, y, x + wide, y + tall), rgb("#6b4a30"))
    _slab(image, target, (x, y, x + wide, y + edge * 0.4), rgb("#8d6644"))
    _slab(image, target, (x + edge, y + edge, x + wide - edge, y + tall - edge), rgb("#f4efe4"))
    inner = (int(x + edge * 3), int(y + edge * 3), int(x + wide - edge * 3), int(y + tall - edge * 3))
    w, h = inner[2] - inner[0], inner[3] - inner[1]
    if w < 4 or h < 4 or inner[0] < 0 or inner[2] > target.width:
        return
    small = frame(w, h)
    wobble = cv2.resize(fbm(rng, 4, 3, 0.5, 64), (w, h), interpolation=cv2.INTER_LINEAR)
    palettes = (
        ("#f2b880", "#d97b66", "#4a5a7a"),
        ("#bfe0e8", "#7fb59a", "#2f5f62"),
        ("#f6d9c0", "#c98fb0", "#5b4a86"),
    )
    tones = palettes[int(rng.integers(3))]
    t = clip(small.v + (wobble - np.float32(0.5)) * np.float32(0.55))
    stops = (
        (0, tones[0]),
        (0.48, tones[0]),
        (0.52, tones[1]),
        (0.74, tones[1]),
        (0.78, tones[2]),
        (1, tones[2]),
    )
    art = gradient(stops, t)
    away = distance(small, 0.5 * w, 0.33 * h) * np.float32(small.side)
    over(art, rgb("#fff3cf"), clip(np.float32(w * 0.15) - away + np.float32(0.5)))
    image[inner[1] : inner[3], inner[0] : inner[2]] = art


def _hang_shelf(image: Array, scene: Scene, target: Frame, left: bool) -> None:
    """A board with books, a pot and a plant, below the picture."""
    side, rng = target.side, generator(scene.seed, "shelf")
    long = min(0.36 * side, 0.42 * target.width)
    x0 = (0.73 if left else 0.27) * target.width - long / 2
    y = _shelf_y(target)
    thick = 0.014 * side
    _shadow(image, target, (x0, y + thick, x0 + long, y + thick * 4.0), 0.014 * side, 0.30)
    _slab(image, target, (x0, y, x0 + long, y + thick), rgb("#8a6242"))
    _slab(image, target, (x0, y, x0 + long, y + thick * 0.3), rgb("#a97c55"))
    x = x0 + 0.012 * side
    end = x0 + long * 0.62
    while x < end:
        wide, tall, tone = (float(q) for q in rng.random(3))
        w, h = side * (0.010 + 0.013 * wide), side * (0.065 + 0.035 * tall)
        colour = rgb(_BOOKS[int(tone * len(_BOOKS))])
        _slab(image, target, (x, y - h, x + w, y), colour)
        _slab(image, target, (x, y - h, x + w * 0.22, y), colour * np.float32(1.18))
        _slab(image, target, (x, y - h * 0.84, x + w, y - h * 0.80), lerp(colour, rgb("#f4e8c8"), 0.7))
        x += w + side * 0.0012
    _stand_plant(image, target, rng, x0 + long * 0.83, y, side * 0.075)


def _stand_plant(
    image: Array, target: Frame, rng: np.random.Generator, x: float, y: float, size: float
) -> None:
    top, start = max(0, int(y - size * 2.6)), max(0, int(x - size * 1.6))
    layer = np.zeros((int(y) + 2 - top, min(target.width, int(x + size * 1.6)) - start, 4), np.uint8)
    if not layer.size:
        return
    cx, cy = x - start, y - top
    for k in range(26):
        turn, long, tone = (float(q) for q in rng.random(3))
        angle = np.pi / 2 + (turn - 0.5) * 2.6
        reach = size * (0.7 + 0.7 * long)
        tip = (cx + np.cos(angle) * reach, cy - size * 0.75 - np.sin(angle) * reach)
        middle = (cx + np.cos(angle) * reach * 0.55, cy - size * 0.78 - np.sin(angle) * reach * 0.62)
        nx, ny = np.sin(angle) * size * 0.12, np.cos(angle) * size * 0.12
        green = rgb("#4d8a4a") * np.float32(0.6 + 0.6 * tone + 0.01 * k)
        colour = (*to_uint8(green.reshape(1, 1, 3))[0, 0].tolist(), 255)
        polygon(
            layer,
            [(cx, cy - size * 0.7), (middle[0] - nx, middle[1] - ny), tip, (middle[0] + nx, middle[1] + ny)],
            colour,
        )
    pot = [
        (cx - size * 0.42, cy - size * 0.8),
        (cx + size * 0.42, cy - size * 0.8),
        (cx + size * 0.30, cy),
        (cx - size * 0.30, cy),
    ]
    polygon(layer, pot, (196, 112, 78, 255))
    shine = [
        (cx - size * 0.30, cy - size * 0.8),
        (cx - size * 0.12, cy - size * 0.8),
        (cx - size * 0.10, cy),
        (cx - size * 0.22, cy),
    ]
    polygon(layer, shine, (216, 136, 100, 255))
    polygon(
        layer,
        [
            (cx - size * 0.47, cy - size * 0.84),
            (cx + size * 0.47, cy - size * 0.84),
            (cx + size * 0.45, cy - size * 0.68),
            (cx - size * 0.45, cy - size * 0.68),
        ],
        (178, 96, 64, 255),
    )
    over_premultiplied(image[top : top + layer.shape[0], start : start + layer.shape[1]], layer)


def wood_tile(rng: np.random.Generator) -> Array:
    """Wood grain that runs down a periodic tile."""
    grain = fbm(rng, (64, 4), 4, 0.62)
    return np.asarray(grain, np.float32)


def _lay_boards(scene: Scene, target: Frame, rows: slice) -> Array:
    """Boards running away from the viewer: 8 to a tile, each of its own tone, with staggered joints."""
    rng = generator(scene.seed, "boards")
    x = np.arange(512, dtype=np.float32)[None, :] * np.float32(8 / 512)
    y = np.arange(512, dtype=np.float32)[:, None] * np.float32(2 / 512)
    board = np.floor(x).astype(np.int32)
    stagger = rng.random(8, dtype=np.float32)[board]
    piece = np.floor(y + stagger)
    tones = rng.random((8, 3), dtype=np.float32)
    tones[:, 2] = tones[:, 0]
    tone = tones[np.broadcast_to(board, (512, 512)), piece.astype(np.int32)]
    grain = wood_tile(rng)
    shift = (tones[:, 0] * 255).astype(np.int32)[board]
    grain = np.take_along_axis(grain, (np.arange(512)[:, None] + shift) % 512, axis=0)
    seam = smoothstep(0.465, 0.5, np.abs(x % 1 - np.float32(0.5)))
    joint = smoothstep(0.492, 0.5, np.abs((y + stagger) % 1 - np.float32(0.5)))
    plane = np.float32(0.26) + np.float32(0.36) * tone + (grain - np.float32(0.5)) * np.float32(1.0)
    tile = plane * (1 - np.float32(0.75) * np.maximum(seam, joint))
    laid = recede(tile.astype(np.float32), target, ROOM.horizon, 1.05, rows=rows, squash=1.0)
    low, high = (rgb(c) for c in _WOODS[(scene.palette // 2) % 3])
    return ramp(low * np.float32(0.85), high, clip(laid, 0, 1.1))


def _fit_skirting(image: Array, target: Frame, tint: Array) -> None:
    base, side = _SKIRTING * target.height, target.side
    _slab(
        image,
        target,
        (-2, base - 0.030 * side, target.width + 2, base),
        rgb("#f2eee6") * tint * np.float32(0.88),
    )
    _slab(
        image,
        target,
        (-2, base - 0.030 * side, target.width + 2, base - 0.025 * side),
        rgb("#ffffff") * tint * np.float32(0.97),
    )
    rows = slice(int(base), min(target.height, int(base + 0.05 * side)))
    shadow = np.exp((target.y[rows] - np.float32(base)) * np.float32(-1 / (0.011 * side)))
    shade(image[rows], 1 - np.broadcast_to(shadow, (shadow.shape[0], target.width)) * np.float32(0.42))


def _fit_window(
    image: Array, scene: Scene, target: Frame, box: tuple[float, float, float, float], tint: Array
) -> None:
    x0, y0, x1, y1 = (round(q) for q in box)
    side = target.side
    edge = 0.016 * side
    _shadow(image, target, (x0 - edge, y0, x1 + edge * 1.6, y1 + edge * 2.6), 0.016 * side, 0.26)
    white = rgb("#f7f4ee") * np.maximum(tint, np.float32(0.6))
    _slab(image, target, (x0 - edge, y0 - edge, x1 + edge, y1 + edge), white)
    pane = frame(max(8, x1 - x0), max(8, y1 - y0))
    outside = replace(scene, setting="meadow", palette=scene.palette)
    view = paint_vista(outside, frame(pane.width, int(pane.height * 1.45)), 0.50)[: pane.height]
    image[y0 : y0 + pane.height, x0 : x0 + pane.width] = view[: image.shape[0] - y0, : image.shape[1] - x0]
    bar = 0.0045 * side
    middle, cross = (x0 + x1) / 2, y0 + (y1 - y0) * 0.38
    _slab(image, target, (middle - bar, y0, middle + bar, y1), white * np.float32(0.97))
    _slab(image, target, (x0, cross - bar * 0.8, x1, cross + bar * 0.8), white * np.float32(0.97))
    _shadow(image, target, (x0, y0 - edge, x1, y0 + edge * 0.5), 0.006 * side, 0.35)
    _slab(
        image,
        target,
        (x0 - edge * 2, y1 + edge * 0.8, x1 + edge * 2, y1 + edge * 1.9),
        white * np.float32(1.03),
    )
    _shadow(
        image, target, (x0 - edge * 2, y1 + edge * 1.9, x1 + edge * 2, y1 + edge * 2.6), 0.005 * side, 0.25
    )


def _hang_curtains(
    image: Array, scene: Scene, target: Frame, box: tuple[float, float, float, float], tint: Array
) -> None:
    x0, y0, x1, y1 = box
    side = target.side
    cloth = rgb(_CURTAINS[scene.palette % 6]) * tint
    hem = min(0.62 * target.height, y1 + 0.10 * side)
    rail = y0 - 0.045 * side
    for towards, start in ((1, x0 - 0.062 * side), (-1, x1 + 0.062 * side)):
        reach = 0.115 * side
        xa, xb = (start, start + reach) if towards > 0 else (start - reach, start)
        cols = slice(max(0, int(xa) - 2), min(target.width, int(xb) + 3))
        rows = slice(max(0, int(rail)), min(target.height, int(hem + 0.02 * side)))
        if cols.stop <= cols.start:
            continue
        fall = clip((target.y[rows] - np.float32(rail)) * np.float32(1 / (hem - rail)))
        u = (target.x[:, cols] - np.float32(start)) * np.float32(towards)
        wide = np.float32(side) * (np.float32(0.080) + np.float32(0.026) * smoothstep(0.0, 1.0, fall))
        folds = np.asarray(np.sin(u / wide * np.float32(5 * np.pi)), np.float32)
        mask = (
            clip(u + np.float32(0.5))
            * clip(wide - u + np.float32(0.5))
            * clip(np.float32(hem + 0.5) - target.y[rows] + folds * np.float32(0.005 * side))
        )
        _shadow(image, target, (xa + 0.01 * side, rail, xb - 0.005 * side, hem), 0.02 * side, 0.16)
        pleats = (
            np.float32(0.82)
            + np.float32(0.24) * folds
            + np.float32(0.05) * np.sin(u / wide * np.float32(13 * np.pi))
        )
        colour = ramp(
            np.zeros(3, np.float32),
            cloth,
            (pleats * (np.float32(1.04) - np.float32(0.12) * fall)).astype(np.float32),
        )
        over(image[rows, cols], colour, mask)
    pole = rgb("#5a4330") * tint
    _slab(
        image, target, (x0 - 0.085 * side, rail - 0.006 * side, x1 + 0.085 * side, rail + 0.005 * side), pole
    )
    _slab(
        image,
        target,
        (x0 - 0.085 * side, rail - 0.006 * side, x1 + 0.085 * side, rail - 0.003 * side),
        pole * np.float32(1.5),
    )


def _cast_sunlight(
    image: Array, scene: Scene, target: Frame, box: tuple[float, float, float, float], left: bool
) -> None:
    """The window's shape in sunlight on the floor."""
    x0, _, x1, _ = box
    lean = (0.30 if left else -0.30) * target.side
    top, low = 0.715 * target.height, 0.90 * target.height
    mask = np.zeros((target.height - target.row(_SKIRTING), target.width), np.uint8)
    start = target.row(_SKIRTING)
    grow = 1.18
    middle = (x0 + x1) / 2
    for part in (-1, 1):
        for up, down in ((0.0, 0.44), (0.49, 1.0)):
            ends = []
            for t in (up, down):
                scale = 1 + (grow - 1) * t
                shift = lean * (0.25 + 0.75 * t)
                y = top + (low - top) * t - start
                near, far = (
                    middle + shift + part * 0.03 * (x1 - x0) * scale,
                    middle + shift + part * 0.5 * (x1 - x0) * scale,
                )
                ends.append([(near, y), (far, y)])
            polygon(mask, [ends[0][0], ends[0][1], ends[1][1], ends[1][0]], 255)
    soft = blur(from_uint8(mask), target.side * 0.004)
    image[start:] *= 1 + triple(soft) * (scene_light(scene).sun * np.float32(0.55))


def _lay_rug(image: Array, scene: Scene, target: Frame, tint: Array) -> None:
    rng = generator(scene.seed, "rug")
    rows = slice(target.row(0.70), target.height)
    half_x = min(0.42 * target.width, 0.60 * target.side)
    half_y = 0.118 * target.height
    dx = (target.x - np.float32(0.5 * target.width)) * np.float32(1 / half_x)
    dy = (target.y[rows] - np.float32(0.85 * target.height)) * np.float32(1 / half_y)
    ring = np.sqrt(dx * dx + dy * dy)
    pile = recede(contrast(fbm(rng, 128, 2, 0.8), 1.8), target, 0.40, 0.5, rows=rows)
    shade(image[rows], 1 - smoothstep(1.07, 0.97, ring) * np.float32(0.30))
    base, trim = rgb(_RUGS[(scene.palette * 5 + 1) % 6]) * tint, rgb("#f0e3c8") * tint
    soft = 2.2 / min(half_x, half_y)

    def hoop(inner: float, outer: float) -> Array:
        return smoothstep(inner - soft, inner + soft, ring) * smoothstep(outer + soft, outer - soft, ring)

    colour = fill(ring.shape, base)
    over(colour, base * np.float32(0.72), hoop(0.50, 0.66))
    turn = np.sin(np.arctan2(dy, dx) * np.float32(28))
    beads = hoop(0.54, 0.62) * smoothstep(0.1, 0.5, turn)
    over(
        colour,
        trim,
        np.maximum(np.maximum(hoop(0.81, 0.88), hoop(0.70, 0.73)), np.maximum(hoop(0.28, 0.32), beads)),
    )
    shade(colour, np.float32(0.80) + np.float32(0.34) * pile)
    over(image[rows], colour, smoothstep(1.0 + soft, 1.0 - soft, ring))


def _stand_lamp(image: Array, target: Frame, at: tuple[float, float], lamps: float, tint: Array) -> None:
    x, y = at
    side, height = target.side, target.height
    on = lamps >= 0.2
    if on:
        away = distance(target, x, y)
        warm = np.array([1.10, 1.0, 0.84], np.float32)
        strength = 1.0 if lamps >= 0.5 else 0.3
        image *= (
            1
            + triple(
                (np.float32(-0.16) + np.float32(1.05) * np.exp(away * np.float32(-2.3)))
                * np.float32(strength)
            )
            * warm
        )
        glow(image, rgb("#ffcf85"), np.exp(away * np.float32(-8.5)) * np.float32(0.32 * strength))
    foot = (_SKIRTING + 0.035) * height
    pole = rgb("#3a2d26") * np.maximum(tint, np.float32(0.6))
    _slab(image, target, (x - 0.004 * side, y, x + 0.004 * side, foot), pole)
    _slab(image, target, (x - 0.045 * side, foot - 0.008 * side, x + 0.045 * side, foot + 0.006 * side), pole)
    tall = 0.085 * side
    shade_colour = rgb("#ffe2a6") * np.float32(1.08) if on else rgb("#eadcc0") * tint
    rows = slice(max(0, int(y - tall) - 1), min(height, int(y + tall) + 2))
    t = clip((target.y[rows] - np.float32(y - tall)) * np.float32(1 / (2 * tall)))
    half = (np.float32(0.045) + np.float32(0.042) * t) * np.float32(side)
    mask = clip(half - np.abs(target.x - np.float32(x)) + np.float32(0.5)) * (
        clip(target.y[rows] - np.float32(y - tall) + np.float32(0.5))
        * clip(np.float32(y + tall) - target.y[rows] + np.float32(0.5))
    )
    body = (
        np.float32(1.0)
        - np.float32(0.22) * np.abs(t - np.float32(0.55))
        - np.float32(0.14) * ((target.x - np.float32(x)) / half) ** 2
    )
    over(image[rows], ramp(np.zeros(3, np.float32), shade_colour, body.astype(np.float32)), mask)
