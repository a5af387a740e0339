"""A coral reef under water."""

from __future__ import annotations

from math import cos, pi, sin

import cv2
import numpy as np

from triptych.backends.studio.canvas import (
    Array,
    Bytes,
    Frame,
    below,
    clip,
    contrast,
    fbm,
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
    ridge,
    rows_image,
    shade,
    smoothstep,
)
from triptych.backends.studio.light import scene_light
from triptych.backends.studio.scene import Scene
from triptych.backends.studio.settings.stage import Backdrop, Stage
from triptych.backends.studio.settings.terrain import band

UNDERWATER = Stage(
    horizon=0.50, ground_far=0.45, ground_near=0.93, scale_far=0.7, scale_near=1.05, floating=True
)
_CORALS = ("#f06a7c", "#f7a45a", "#b57ad8", "#5fcaa4", "#f3d060", "#f58fb8")
_WATER = ((0, "#86e8f0"), (0.22, "#34b0d6"), (0.62, "#1272ac"), (1, "#0c4c86"))


def paint_underwater(scene: Scene, target: Frame) -> Backdrop:
    """Blue water with sunbeams over rocks, corals and rippled sand."""
    side = target.side
    tint = _tint(scene)
    veil = rgb("#1a7ab0") * tint
    image = rows_image(gradient(_WATER, target.v[:, 0]) * tint, target.width)
    source = 0.38 if scene.palette & 1 else 0.62
    _draw_rays(image, scene, target, source, tint)
    _draw_shoal(image, scene, target, veil)
    for k in range(3):
        rng = generator(scene.seed, "reef", k)
        shape = np.abs(ridge(rng, target, 2.2 + 1.3 * k, 6, 0.52) - np.float32(0.5)) * np.float32(2.2)
        line = (
            np.float32((0.70 + 0.055 * k) * target.height)
            - (np.float32(1) - shape) * np.float32((0.13 - 0.03 * k) * side)
            + np.float32(0.07 * side)
        )
        rows = band(target, line, 0.86 + 0.02 * k)
        texture = fbm(rng, 16, 5, 0.65)
        rock = cv2.warpAffine(
            texture,
            np.array([[0.9, 0.2, 0], [0, 1.3, 0]], np.float32) * np.float32(430 / side),
            (target.width, rows.stop - rows.start),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_WRAP,
        )
        depth = clip((target.y[rows] - line[None, :]) * np.float32(1 / side / 0.16))
        colour = ramp(
            rgb("#1d4a63"),
            rgb("#6fa9a4"),
            clip(contrast(np.asarray(rock, np.float32), 1.9) - depth * np.float32(0.35)),
        )
        colour *= tint
        fade = 0.62 - 0.22 * k
        over(colour, veil, np.full(colour.shape[:2], fade, np.float32))
        over(image[rows], colour, below(target, line, rows))
        _draw_corals(image, scene, target, line, k, tint, veil, fade)
    _draw_sand(image, scene, target, tint, veil)
    _draw_bubbles(image, scene, target, tint)
    ground = rgb("#a9c8b4") * tint
    return Backdrop(
        horizon=UNDERWATER.horizon,
        ground_far=UNDERWATER.ground_far,
        ground_near=UNDERWATER.ground_near,
        scale_far=UNDERWATER.scale_far,
        scale_near=UNDERWATER.scale_near,
        floating=True,
        image=image,
        ground_colour=ground.astype(np.float32),
        tint=tint,
        sun=(source, -0.2),
    )


def _tint(scene: Scene) -> Array:
    """Water keeps some of its own blue at any hour."""
    light = scene_light(scene)
    return np.asarray(
        lerp(light.tint, np.float32(light.tint.mean()) * np.array([0.85, 1.0, 1.08], np.float32), 0.45)
        * np.float32(1.03),
        np.float32,
    )


def _draw_rays(image: Array, scene: Scene, target: Frame, source: float, tint: Array) -> None:
    rng = generator(scene.seed, "rays")
    width, height = max(8, target.width // 3), max(8, target.height // 3)
    x = (np.arange(width, dtype=np.float32)[None, :] + np.float32(0.5)) * np.float32(
        target.width / width
    ) - np.float32(source * target.width)
    y = (np.arange(height, dtype=np.float32)[:, None] + np.float32(0.5)) * np.float32(
        target.height / height
    ) + np.float32(0.35 * target.side)
    place = np.arctan2(x, y) * np.float32(511 / pi) + np.float32(255.5)
    pattern = cv2.GaussianBlur(rng.random((1, 512), dtype=np.float32), (0, 0), 1.7)[0]
    fine = cv2.GaussianBlur(rng.random((1, 512), dtype=np.float32), (0, 0), 0.9)[0]
    mixed = pattern * np.float32(0.75) + fine * np.float32(0.25)
    low = np.clip(place, 0, 510).astype(np.int32)
    shafts = mixed[low] + (mixed[low + 1] - mixed[low]) * (place - low)
    fade = np.exp((y - np.float32(0.35 * target.side)) * np.float32(-1.9 / target.height)) * np.exp(
        -np.abs(x) * np.float32(0.9 / target.side)
    )
    amount = smoothstep(0.46, 0.72, shafts.astype(np.float32)) * fade
    full = np.asarray(
        cv2.resize(amount.astype(np.float32), target.size, interpolation=cv2.INTER_CUBIC), np.float32
    )
    strength = 0.30 + 0.55 * scene_light(scene).direct
    # Towards a bright blue-green, not on top of it, so that crossing beams don't burn out.
    over(image, np.array([0.77, 0.98, 0.97], np.float32) * tint, clip(full * np.float32(strength), 0, 0.85))
    shimmer = np.exp(target.v * np.float32(-22))
    over(image, rgb("#d8f2f6") * tint, shimmer * np.float32(0.40) * np.ones((1, target.width), np.float32))


def _draw_shoal(image: Array, scene: Scene, target: Frame, veil: Array) -> None:
    """A few far fish, as silhouettes."""
    rng = generator(scene.seed, "shoal")
    layer = np.zeros((target.height, target.width, 4), np.uint8)
    tone = (lerp(veil, rgb("#0e4a7a") * _tint(scene), 0.35) * 255).tolist()
    colour = (int(tone[0]), int(tone[1]), int(tone[2]), 255)
    heading = 1 if scene.palette & 2 else -1
    for _ in range(2):
        cx, cy = 0.15 + 0.7 * float(rng.random()), 0.26 + 0.26 * float(rng.random())
        for _ in range(9):
            dx, dy, size = (float(q) for q in rng.random(3))
            x, y = (
                cx * target.width + (dx - 0.5) * 0.22 * target.side,
                cy * target.height + (dy - 0.5) * 0.09 * target.side,
            )
            half = target.side * (0.006 + 0.006 * size)
            body = [
                (x + heading * half * cos(a), y + half * 0.42 * sin(a)) for a in np.linspace(0, 2 * pi, 12)
            ]
            polygon(layer, body, colour)
            tail = x - heading * half * 0.85
            polygon(
                layer,
                [
                    (tail, y),
                    (tail - heading * half * 0.7, y - half * 0.45),
                    (tail - heading * half * 0.7, y + half * 0.45),
                ],
                colour,
            )
    over_premultiplied(image, layer)


def _draw_corals(
    image: Array, scene: Scene, target: Frame, line: Array, k: int, tint: Array, veil: Array, fade: float
) -> None:
    rng = generator(scene.seed, "corals", k)
    top = max(0, int(line.min() - 0.2 * target.side))
    bottom = min(target.height, int(line.max() + 0.12 * target.side))
    layer = np.zeros((bottom - top, target.width, 4), np.uint8)
    for _ in range((7, 8, 9)[k] * 3):
        x, tall, kind = (float(q) for q in rng.random(3))
        tone = rgb(_CORALS[int(rng.integers(len(_CORALS)))])
        own = np.random.default_rng(int(rng.integers(2**32)))
        x *= 3 * target.side
        if x > target.width:
            continue
        height = target.side * (0.055 + 0.028 * k) * (0.7 + 0.8 * tall)
        foot = float(line[min(int(x), target.width - 1)]) - top + height * 0.22
        lit = np.clip((tone * tint * np.float32(1 - fade) + veil * np.float32(fade)), 0, 1)
        if kind < 0.45:
            _branch(layer, own, (x, foot), pi / 2, height * 0.36, height * 0.10, 4, lit)
        elif kind < 0.72:
            _draw_fan(layer, own, x, foot, height, lit)
        else:
            _draw_weed(
                layer,
                own,
                x,
                foot,
                height * 1.5,
                np.clip(rgb("#4fae6a") * tint * np.float32(1 - fade) + veil * np.float32(fade), 0, 1),
            )
    over_premultiplied(image[top:bottom], layer)


def _bytes(colour: Array, brightness: float) -> tuple[int, int, int, int]:
    red, green, blue = np.clip(colour * np.float32(brightness * 255), 0, 255).tolist()
    return int(red), int(green), int(blue), 255


def _branch(
    layer: Bytes,
    rng: np.random.Generator,
    start: tuple[float, float],
    angle: float,
    length: float,
    width: float,
    depth: int,
    colour: Array,
) -> None:
    end = (start[0] + cos(angle) * length, start[1] - sin(angle) * length)
    brightness = 0.66 + 0.13 * (4 - depth)
    fixed = [(round(p[0] * 16), round(p[1] * 16)) for p in (start, end)]
    cv2.line(layer, fixed[0], fixed[1], _bytes(colour, brightness), max(1, round(width)), cv2.LINE_AA, 4)
    cv2.circle(
        layer, fixed[1], max(8, round(width * 8)), _bytes(colour, brightness + 0.06), -1, cv2.LINE_AA, 4
    )
    if depth:
        for turn in (-0.52, 0.05, 0.52):
            fork = angle + turn + (float(rng.random()) - 0.5) * 0.4
            _branch(layer, rng, end, fork, length * 0.72, width * 0.74, depth - 1, colour)


def _draw_fan(
    layer: Bytes, rng: np.random.Generator, x: float, foot: float, height: float, colour: Array
) -> None:
    """A cluster of rounded tubes, lit at their mouths."""
    for k in range(7):
        lean = (k - 3) * 0.17 + (float(rng.random()) - 0.5) * 0.12
        tall = height * (0.95 - 0.09 * abs(k - 3)) * (0.75 + 0.35 * float(rng.random()))
        half = height * 0.075
        tip = (x + tall * sin(lean), foot - tall * cos(lean))
        base = (x + half * 0.7 * (k - 3), foot)
        polygon(
            layer,
            [
                (base[0] - half * 0.7, base[1]),
                (base[0] + half * 0.7, base[1]),
                (tip[0] + half, tip[1]),
                (tip[0] - half, tip[1]),
            ],
            _bytes(colour, 0.70 + 0.05 * k),
        )
        centre = (round(tip[0] * 16), round(tip[1] * 16))
        axes = (round(half * 16), round(half * 8))
        cv2.ellipse(layer, centre, axes, 0, 0, 360, _bytes(colour, 1.2), -1, cv2.LINE_AA, 4)
        cv2.ellipse(
            layer,
            centre,
            (axes[0] * 6 // 10, axes[1] * 6 // 10),
            0,
            0,
            360,
            _bytes(colour, 0.45),
            -1,
            cv2.LINE_AA,
            4,
        )


def _draw_weed(
    layer: Bytes, rng: np.random.Generator, x: float, foot: float, height: float, colour: Array
) -> None:
    for _ in range(5):
        phase, lean, tall = (float(q) for q in rng.random(3))
        steps = np.linspace(0, 1, 12)
        sway = np.sin(steps * 5 + phase * 6) * height * 0.06 + (lean - 0.5) * height * 0.4 * steps
        y = foot - steps * height * (0.6 + 0.5 * tall)
        half = height * 0.022 * (1 - steps * 0.85)
        left, right = np.stack([x + sway - half, y], -1), np.stack([x + sway + half, y], -1)[::-1]
        polygon(layer, np.concatenate([left, right]).astype(np.float32), _bytes(colour, 0.65 + 0.5 * tall))


def _draw_sand(image: Array, scene: Scene, target: Frame, tint: Array, veil: Array) -> None:
    rng = generator(scene.seed, "sea floor")
    line = np.float32(0.80 * target.height) - (ridge(rng, target, 2.0, 3) - np.float32(0.5)) * np.float32(
        0.05 * target.side
    )
    rows = band(target, line, 1.0)
    bumps = recede(fbm(rng, (8, 32), 5, 0.6), target, 0.66, 1.0, rows=rows, squash=1.6)
    net = np.abs(fbm(rng, 16, 3, 0.5) - np.float32(0.5))
    web = recede(np.exp(net * np.float32(-34)), target, 0.62, 0.9, rows=rows, turn=0.2)
    colour = ramp(rgb("#8fa193"), rgb("#e6d7a6"), contrast(bumps, 2.0))
    colour *= tint * np.array([0.76, 0.97, 1.02], np.float32)
    shade(colour, np.float32(0.80) + web * np.float32(0.25 + 0.55 * scene_light(scene).direct))
    t = clip((target.v[rows] - np.float32(0.78)) * np.float32(1 / 0.22))
    over(
        colour,
        veil,
        (np.float32(0.55) * (1 - t) ** 1.5 + np.float32(0.08)) * np.ones((1, target.width), np.float32),
    )
    over(image[rows], colour, below(target, line, rows))


def _draw_bubbles(image: Array, scene: Scene, target: Frame, tint: Array) -> None:
    rng = generator(scene.seed, "bubbles")
    layer = np.zeros((target.height, target.width), np.uint8)
    for _ in range(5):
        x0, drift = (float(q) for q in rng.random(2))
        for _ in range(9):
            up, wobble, size = (float(q) for q in rng.random(3))
            x = (x0 + (wobble - 0.5) * 0.05 + drift * 0.03 * up) * target.width
            y = (0.06 + 0.76 * up) * target.height
            radius = target.side * (0.0025 + 0.0085 * size**2)
            centre = (round(x * 16), round(y * 16))
            cv2.circle(layer, centre, round(radius * 16), 130, max(1, round(radius * 0.16)), cv2.LINE_AA, 4)
            shine = (round((x - radius * 0.35) * 16), round((y - radius * 0.4) * 16))
            cv2.circle(layer, shine, max(8, round(radius * 4)), 220, -1, cv2.LINE_AA, 4)
    glow(
        image, np.array([0.8, 0.95, 1.0], np.float32) * tint, layer.astype(np.float32) * np.float32(0.8 / 255)
    )
