"""What stands and hangs in the room: picture, shelf, plant, rug, lamp."""

from __future__ import annotations

import cv2
import numpy as np

from triptych.backends.studio.canvas import (
    Array,
    Frame,
    clip,
    contrast,
    distance,
    fbm,
    fill,
    frame,
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
    to_uint8,
    triple,
)
from triptych.backends.studio.scene import Scene

SKIRTING = 0.66  # y where the wall meets the floor
_RUGS = ("#b8483e", "#35576f", "#d1a24a", "#58705a", "#79507a", "#c97f6a")
_BOOKS = ("#b8483e", "#35576f", "#d1a24a", "#58705a", "#79507a", "#e3dccb", "#2f3f4f", "#c97f6a")


def cast_shadow(
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


def slab(image: Array, target: Frame, box: tuple[float, float, float, float], colour: Array) -> None:
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


def hang_picture(image: Array, scene: Scene, target: Frame, left: bool) -> None:
    """A framed landscape, above the shelf; `left` = the window is on the left."""
    side, rng = target.side, generator(scene.seed, "picture")
    wide, tall = 0.17 * side, 0.22 * side
    top = 0.10 * target.height
    room_left = _shelf_y(target) - 0.115 * side - top  # above the books
    scale = min(1.0, target.width / side * 1.2, room_left / tall)
    wide, tall = wide * scale, tall * scale
    x, y = (0.73 if left else 0.27) * target.width - wide / 2, top + 0.35 * max(0.0, room_left - tall)
    edge = 0.011 * side
    cast_shadow(
        image, target, (x + edge, y + edge * 1.5, x + wide + edge, y + tall + edge * 2), 0.012 * side, 0.35
    )
    slab(image, target, (x, y, x + wide, y + tall), rgb("#6b4a30"))
    slab(image, target, (x, y, x + wide, y + edge * 0.4), rgb("#8d6644"))
    slab(image, target, (x + edge, y + edge, x + wide - edge, y + tall - edge), rgb("#f4efe4"))
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


def hang_shelf(image: Array, scene: Scene, target: Frame, left: bool) -> None:
    """A board with books, a pot and a plant, below the picture."""
    side, rng = target.side, generator(scene.seed, "shelf")
    long = min(0.36 * side, 0.42 * target.width)
    x0 = (0.73 if left else 0.27) * target.width - long / 2
    y = _shelf_y(target)
    thick = 0.014 * side
    cast_shadow(image, target, (x0, y + thick, x0 + long, y + thick * 4.0), 0.014 * side, 0.30)
    slab(image, target, (x0, y, x0 + long, y + thick), rgb("#8a6242"))
    slab(image, target, (x0, y, x0 + long, y + thick * 0.3), rgb("#a97c55"))
    x = x0 + 0.012 * side
    end = x0 + long * 0.62
    while x < end:
        wide, tall, tone = (float(q) for q in rng.random(3))
        w, h = side * (0.010 + 0.013 * wide), side * (0.065 + 0.035 * tall)
        colour = rgb(_BOOKS[int(tone * len(_BOOKS))])
        slab(image, target, (x, y - h, x + w, y), colour)
        slab(image, target, (x, y - h, x + w * 0.22, y), colour * np.float32(1.18))
        slab(image, target, (x, y - h * 0.84, x + w, y - h * 0.80), lerp(colour, rgb("#f4e8c8"), 0.7))
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


def lay_rug(image: Array, scene: Scene, target: Frame, tint: Array) -> None:
    """A round rug, foreshortened, with rings and beads."""
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


def stand_lamp(image: Array, target: Frame, at: tuple[float, float], lamps: float, tint: Array) -> None:
    """A standing lamp with its shade around `at` (px), and the light it gives where it is lit."""
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
    foot = (SKIRTING + 0.035) * height
    pole = rgb("#3a2d26") * np.maximum(tint, np.float32(0.6))
    slab(image, target, (x - 0.004 * side, y, x + 0.004 * side, foot), pole)
    slab(image, target, (x - 0.045 * side, foot - 0.008 * side, x + 0.045 * side, foot + 0.006 * side), pole)
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
