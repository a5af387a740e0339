"""Open country: the meadow and the mountain lake."""

from __future__ import annotations

import numpy as np

from triptych.backends.studio.canvas import Array, Frame, below, clip, generator, over, rgb, ridge
from triptych.backends.studio.light import scene_light
from triptych.backends.studio.scene import Scene
from triptych.backends.studio.settings.stage import Backdrop, Stage, outdoor_backdrop
from triptych.backends.studio.settings.terrain import (
    band,
    draw_blades,
    draw_ground,
    draw_hill,
    draw_mountains,
    ground_tone,
    mist,
)
from triptych.backends.studio.settings.trees import draw_trees
from triptych.backends.studio.settings.water import paint_water
from triptych.backends.studio.sky import paint_sky

MEADOW = Stage(horizon=0.50, ground_far=0.67, ground_near=0.93, scale_far=0.55, scale_near=1.15)
LAKE = Stage(
    horizon=0.50, ground_far=0.835, ground_near=0.95, scale_far=0.85, scale_near=1.1, water=(0.55, 0.73)
)


def paint_vista(scene: Scene, target: Frame, horizon: float) -> Array:
    """Sky, far mountains, rolling hills and trees: a meadow without its foreground."""
    image = paint_sky(scene, target, horizon + 0.03)
    side = target.side
    base = horizon * target.height
    draw_mountains(image, scene, target, horizon + 0.03, 0.30, distance=0.80, peaks=2.6, name="far")
    draw_mountains(image, scene, target, horizon + 0.04, 0.15, distance=0.55, peaks=4.0, name="near")
    rng = generator(scene.seed, "vista")
    for k in range(3):
        swell = ridge(rng, target, 1.6 + 0.8 * k, 4, 0.42) - np.float32(0.5)
        line = np.float32(base + (0.002 + 0.036 * k) * target.height) - swell * np.float32(
            (0.13 - 0.025 * k) * side
        )
        if k == 0:
            draw_trees(
                image, scene, target, line, density=44, size=0.028, distance=0.62, evergreen=0.5, name="0"
            )
        draw_hill(image, scene, target, line, horizon + 0.24, distance=0.55 - 0.17 * k, name=str(k))
        if k == 1:
            draw_trees(
                image,
                scene,
                target,
                line + side * 0.004,
                density=11,
                size=0.075,
                distance=0.32,
                evergreen=0.35,
                name="1",
            )
        if k == 2:
            draw_trees(
                image,
                scene,
                target,
                line + side * 0.006,
                density=3.2,
                size=0.17,
                distance=0.14,
                evergreen=0.25,
                name="2",
            )
    return image


def paint_meadow(scene: Scene, target: Frame) -> Backdrop:
    """A flowering meadow with hills and far mountains."""
    horizon = MEADOW.horizon
    image = paint_vista(scene, target, horizon)
    rng = generator(scene.seed, "meadow")
    line = np.float32((horizon + 0.115) * target.height) - (
        ridge(rng, target, 1.8, 3, 0.4) - np.float32(0.5)
    ) * np.float32(0.05 * target.side)
    draw_ground(image, scene, target, line, horizon + 0.03)
    draw_blades(image, scene, target, horizon + 0.13, 3400, flowers=0.05)
    return outdoor_backdrop(scene, MEADOW, image, ground_tone(scene))


def paint_lake(scene: Scene, target: Frame) -> Backdrop:
    """A mountain lake seen from its grassy shore."""
    horizon, side = LAKE.horizon, target.side
    image = paint_sky(scene, target, horizon)
    draw_mountains(image, scene, target, horizon + 0.01, 0.52, distance=0.62, peaks=1.9, name="far")
    draw_mountains(image, scene, target, horizon + 0.01, 0.27, distance=0.36, peaks=3.0, name="near")
    rng = generator(scene.seed, "lake")
    line = np.float32(horizon * target.height) - ridge(rng, target, 2.5, 4, 0.5) * np.float32(0.055 * side)
    draw_hill(image, scene, target, line, horizon + 0.01, distance=0.30, name="shore")
    draw_trees(
        image,
        scene,
        target,
        line + side * 0.006,
        density=60,
        size=0.050,
        distance=0.24,
        evergreen=0.85,
        name="back",
    )
    shore = line * np.float32(0.2) + np.float32(0.8 * horizon * target.height)
    draw_trees(
        image, scene, target, shore, density=42, size=0.062, distance=0.14, evergreen=0.8, name="front"
    )
    edge = band(target, shore, horizon + 0.01)
    bank = mist(
        np.ascontiguousarray(
            np.broadcast_to(
                ground_tone(scene) * scene_light(scene).tint * np.float32(0.76),
                (edge.stop - edge.start, target.width, 3),
            )
        ).astype(np.float32),
        scene,
        0.12,
    )
    over(image[edge], bank, below(target, shore, edge))
    winter = scene.season == "winter"
    paint_water(
        image,
        scene,
        target,
        horizon,
        0.93,
        deep=("#4f8da5", "#12485e") if not winter else ("#6d93a8", "#2c566c"),
        mirror=0.80,
        waves=0.32,
    )
    light = scene_light(scene)
    rows = slice(target.row(horizon - 0.03), target.row(horizon + 0.05))
    veil = np.exp(-(((target.v[rows] - np.float32(horizon)) / np.float32(0.013)) ** 2)) * np.float32(
        0.30 + 0.4 * light.haze_amount
    )
    over(image[rows], light.haze, np.broadcast_to(veil, (veil.shape[0], target.width)))
    tilt = 0.05 if scene.palette & 1 else -0.05
    near = np.float32(0.805 * target.height) - (
        ridge(rng, target, 1.8, 4, 0.5) - np.float32(0.5)
    ) * np.float32(0.07 * side)
    near = (near + (target.u[0] - np.float32(0.5)) * np.float32(tilt * target.height)).astype(np.float32)
    rows = band(target, near - 3, 1.0)
    lap = np.abs(target.y[rows] - near[None, :] + np.float32(side * 0.004)) * np.float32(1 / (side * 0.005))
    over(image[rows], rgb("#e9f4f8") * light.tint, np.exp(-lap * lap) * np.float32(0.35))
    draw_ground(image, scene, target, near, 0.70)
    bank_shadow = clip(1 - (target.y[rows] - near[None, :]) * np.float32(1 / (side * 0.008))) * below(
        target, near, rows
    )
    over(image[rows], rgb("#38382c") * light.tint, bank_shadow * np.float32(0.5))
    draw_blades(image, scene, target, 0.80, 2300, flowers=0.05)
    return outdoor_backdrop(scene, LAKE, image, ground_tone(scene), reflection=0.0)
