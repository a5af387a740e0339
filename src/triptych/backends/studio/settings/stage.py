"""What a setting offers to things in it: where they may stand, how large they look, what lights them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from triptych.backends.studio.canvas import Array
from triptych.backends.studio.light import scene_light, sun_place
from triptych.backends.studio.scene import Scene


@dataclass(frozen=True, eq=False, kw_only=True)
class Stage:
    """A setting's layout at one size. All `y` are fractions of the height, from the top."""

    horizon: float
    ground_far: float  # the farthest y a foot may stand on
    ground_near: float  # the nearest
    scale_far: float  # size multiplier of what stands at ground_far
    scale_near: float
    indoor: bool = False
    floating: bool = False  # under water: things float rather than stand
    water: tuple[float, float] | None = None  # y range of open water


@dataclass(frozen=True, eq=False, kw_only=True)
class Backdrop(Stage):
    """A rendered setting. `image` is H x W x 3 float32, 0..~1.4, and shared: copy before drawing on it."""

    image: Array
    ground_colour: Array  # (3,), as lit
    tint: Array  # (3,), multiplies whatever stands here
    sun: tuple[float, float]  # fractions of the frame; may lie outside it
    reflection: float = 0.0  # 0..1: how much the floor mirrors


def snow_cover(scene: Scene) -> float:
    """How much snow lies on open ground, 0..1. Sand and rooms never carry it for the season alone."""
    if scene.setting in ("desert", "room", "table", "underwater"):
        return 0.0
    if scene.weather == "snow":
        return 0.5 if scene.setting == "beach" else 1.0
    return 1.0 if scene.season == "winter" and scene.setting != "beach" else 0.0


def outdoor_backdrop(
    scene: Scene, stage: Stage, image: Array, ground: Array, reflection: float = 0.0
) -> Backdrop:
    """A painted setting under the open sky; `ground` = the ground's colour before the light."""
    light = scene_light(scene)
    return Backdrop(
        horizon=stage.horizon,
        ground_far=stage.ground_far,
        ground_near=stage.ground_near,
        scale_far=stage.scale_far,
        scale_near=stage.scale_near,
        water=stage.water,
        image=image,
        ground_colour=(ground * light.tint).astype(np.float32),
        tint=light.tint,
        sun=sun_place(scene, stage.horizon),
        reflection=reflection,
    )
