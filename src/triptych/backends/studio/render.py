"""From a scene to pixels: a pure function of the scene and the size."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from triptych.backends.studio.canvas import Array
from triptych.backends.studio.degrade import degrade
from triptych.backends.studio.finish import depth_of_field, finish
from triptych.backends.studio.grade import grade
from triptych.backends.studio.light import scene_light
from triptych.backends.studio.relief import slopes
from triptych.backends.studio.scene import Scene, Thing
from triptych.backends.studio.settings import backdrop
from triptych.backends.studio.shadows import Place
from triptych.backends.studio.styles import stylise
from triptych.backends.studio.things import draw_thing, picture_of, place_of
from triptych.backends.studio.weather import weather_over


def render(scene: Scene, width: int, height: int) -> Array:
    """The picture of a scene, H x W x 3 in 0..1.

    What two scenes share looks the same to the last bit, but for what a thing throws on its surroundings:
    shadow, reflection, glow.
    """
    image = _compose(scene, width, height)
    if scene.style != "render":
        image = stylise(image, scene.style, scene.seed, outlines(scene, width, height))
    if scene.degradation is not None:
        image = degrade(image, scene.degradation, scene.degradation_strength, scene.seed)
    if scene.grade is not None:
        image = grade(image, scene.grade)
    return image


def _compose(scene: Scene, width: int, height: int) -> Array:
    """The scene as a camera would see it, before any style, damage or correction."""
    back = backdrop(scene, width, height)
    outdoors = not (back.indoor or back.floating)
    image = depth_of_field(back.image, back.horizon, back.ground_far) if outdoors else back.image.copy()
    for thing in back_to_front(scene.things):
        draw_thing(image, thing, scene, back)
    if outdoors:
        image = weather_over(image, scene.weather, scene.seed, back.horizon, scene_light(scene))
    return finish(image, scene.seed)


def back_to_front(things: Sequence[Thing]) -> list[Thing]:
    """The order in which things are painted: what stands nearer comes later."""
    return sorted(things, key=lambda thing: (thing.y if thing.ground is None else thing.ground, thing.id))


def render_masks(scene: Scene, width: int, height: int) -> dict[str, Array]:
    """How much of each pixel a thing covers, after what stands in front of it: (H, W) in 0..1 by thing id."""
    masks: dict[str, Array] = {}
    free = np.ones((height, width), np.float32)
    for thing in reversed(back_to_front(scene.things)):
        mask = np.zeros((height, width), np.float32)
        window, alpha = _covered(thing, scene, width, height)
        mask[window] = alpha * free[window]
        free[window] *= 1 - alpha
        masks[thing.id] = mask
    return masks


def outlines(scene: Scene, width: int, height: int) -> Array:
    """Visible outlines of the things, (H, W) in 0..1: styles draw them, or pale things would dissolve."""
    side = float((width * height) ** 0.5)
    lines = np.zeros((height, width), np.float32)
    for thing in back_to_front(scene.things):
        window, alpha = _covered(thing, scene, width, height, margin=max(2, round(0.004 * side)))
        soft = cv2.GaussianBlur(alpha, (0, 0), max(0.5, 0.0009 * side))
        across, down = slopes(np.asarray(soft, np.float32))
        line = np.clip(np.sqrt(across * across + down * down) * np.float32(3.4 * side / 1024), 0, 1)
        lines[window] = np.maximum(lines[window] * (1 - alpha), line)
    return lines


def _covered(
    thing: Thing, scene: Scene, width: int, height: int, margin: int = 0
) -> tuple[tuple[slice, slice], Array]:
    """The part of the frame that a thing may cover (with a margin), and its alpha there."""
    picture = picture_of(thing, scene, float((width * height) ** 0.5))
    place: Place = place_of(thing, picture, width, height)
    alpha = np.pad(picture.alpha, margin) if margin else picture.alpha
    left, top = place.left - margin, place.top - margin
    rows, columns = alpha.shape
    x0, x1 = (min(max(x, 0), width) for x in (left, left + columns))
    y0, y1 = (min(max(y, 0), height) for y in (top, top + rows))
    return (slice(y0, y1), slice(x0, x1)), alpha[y0 - top : y1 - top, x0 - left : x1 - left]
