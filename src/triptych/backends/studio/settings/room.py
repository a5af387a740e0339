"""A cosy living room: wall, window with its view, floor boards, rug, shelf and lamp."""

from __future__ import annotations

from dataclasses import replace

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
    from_uint8,
    generator,
    over,
    polygon,
    ramp,
    recede,
    rgb,
    shade,
    smoothstep,
    spread,
    triple,
)
from triptych.backends.studio.light import scene_light
from triptych.backends.studio.scene import Scene
from triptych.backends.studio.settings.furniture import (
    SKIRTING,
    cast_shadow,
    hang_picture,
    hang_shelf,
    lay_rug,
    slab,
    stand_lamp,
)
from triptych.backends.studio.settings.outdoors import paint_vista
from triptych.backends.studio.settings.stage import Backdrop, Stage

ROOM = Stage(horizon=0.46, ground_far=0.75, ground_near=0.95, scale_far=0.8, scale_near=1.15, indoor=True)
WALLS = ("#dccab3", "#adc3b2", "#a5b9ce", "#ddb0a1", "#cdbcda", "#e9dcae")
_CURTAINS = ("#c85a4a", "#3f6f7f", "#e3dccb", "#6f7f55", "#8a5a86", "#d9a441")
_WOODS = (("#a87647", "#dcae78"), ("#6d4429", "#a8744a"), ("#bfa07a", "#e6cfa8"))


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
    wall = slice(0, target.row(SKIRTING) + 1)
    floor = slice(target.row(SKIRTING), height)
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
    hang_picture(image, scene, target, left)
    hang_shelf(image, scene, target, left)
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
    away = clip((target.v[floor][:depth] - np.float32(SKIRTING)) * np.float32(1 / 0.3))
    over(boards[:depth], mirrored, (1 - away) * np.float32(0.16) * np.ones((1, width), np.float32))
    image[floor] = boards
    _fit_skirting(image, target, light.indoor)
    _fit_window(image, scene, target, window, light.indoor)
    _hang_curtains(image, scene, target, window, light.indoor)
    if light.overcast == 0 and not dark:
        _cast_sunlight(image, scene, target, window, left)
    lay_rug(image, scene, target, light.indoor)
    lamp = ((0.94 if left else 0.06) * width, 0.30 * height)
    stand_lamp(image, target, lamp, light.lamps, light.indoor)
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
    grain = fbm(rng, (64, 4), 4, 0.62)
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
    base, side = SKIRTING * target.height, target.side
    slab(
        image,
        target,
        (-2, base - 0.030 * side, target.width + 2, base),
        rgb("#f2eee6") * tint * np.float32(0.88),
    )
    slab(
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
    cast_shadow(image, target, (x0 - edge, y0, x1 + edge * 1.6, y1 + edge * 2.6), 0.016 * side, 0.26)
    white = rgb("#f7f4ee") * np.maximum(tint, np.float32(0.6))
    slab(image, target, (x0 - edge, y0 - edge, x1 + edge, y1 + edge), white)
    pane = frame(max(8, x1 - x0), max(8, y1 - y0))
    outside = replace(scene, setting="meadow", palette=scene.palette)
    view = paint_vista(outside, frame(pane.width, int(pane.height * 1.45)), 0.50)[: pane.height]
    image[y0 : y0 + pane.height, x0 : x0 + pane.width] = view[: image.shape[0] - y0, : image.shape[1] - x0]
    bar = 0.0045 * side
    middle, cross = (x0 + x1) / 2, y0 + (y1 - y0) * 0.38
    slab(image, target, (middle - bar, y0, middle + bar, y1), white * np.float32(0.97))
    slab(image, target, (x0, cross - bar * 0.8, x1, cross + bar * 0.8), white * np.float32(0.97))
    cast_shadow(image, target, (x0, y0 - edge, x1, y0 + edge * 0.5), 0.006 * side, 0.35)
    slab(
        image,
        target,
        (x0 - edge * 2, y1 + edge * 0.8, x1 + edge * 2, y1 + edge * 1.9),
        white * np.float32(1.03),
    )
    cast_shadow(
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
        cast_shadow(image, target, (xa + 0.01 * side, rail, xb - 0.005 * side, hem), 0.02 * side, 0.16)
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
    slab(
        image, target, (x0 - 0.085 * side, rail - 0.006 * side, x1 + 0.085 * side, rail + 0.005 * side), pole
    )
    slab(
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
    mask = np.zeros((target.height - target.row(SKIRTING), target.width), np.uint8)
    start = target.row(SKIRTING)
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
