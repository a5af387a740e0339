"""Where things stand: a different layout of the same wish for every seed and size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from triptych.backends.studio.artwork import aspect
from triptych.backends.studio.canvas import generator
from triptych.backends.studio.catalogue import KINDS
from triptych.backends.studio.prompts import Description, Place, Wish
from triptych.backends.studio.scene import Scene, Setting, Thing
from triptych.backends.studio.settings import stage
from triptych.backends.studio.settings.stage import Stage

Size = tuple[int, int]  # width, height in px
Box = tuple[float, float, float, float]  # left, top, right, bottom; fractions of the frame

TRIES = 48
LARGEST = 1.25  # times the natural size, where few things share the frame
TALLEST = 0.56
MARGIN = 0.02
CROWDED = 1.5  # summed widths, in frame widths, from which on things are drawn smaller
COLUMNS: dict[Place, tuple[float, float]] = {
    "left": (0.10, 0.34),
    "middle": (0.40, 0.60),
    "right": (0.66, 0.90),
}
DEPTHS: dict[Place, tuple[float, float]] = {"front": (0.7, 1.0), "distance": (0.0, 0.25)}


def third_of(thing: Thing) -> Place:
    """Left, middle or right of the frame."""
    return "left" if thing.x < 0.37 else "right" if thing.x > 0.63 else "middle"


def box_of(thing: Thing, size: Size) -> Box:
    """What the thing covers of the frame."""
    width, height = size
    side = (width * height) ** 0.5
    tall = thing.height * side / height
    half = thing.height * aspect(thing.kind) * side / width / 2
    return thing.x - half, thing.y - tall, thing.x + half, thing.y


def overlap(first: Box, second: Box) -> float:
    """Shared area as a share of the smaller box."""
    across = max(0.0, min(first[2], second[2]) - max(first[0], second[0]))
    down = max(0.0, min(first[3], second[3]) - max(first[1], second[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return across * down / max(min(areas), 1e-6)


def worst_overlap(scene: Scene, size: Size) -> float:
    """The largest overlap of two things on the ground."""
    boxes = [box_of(thing, size) for thing in scene.things if thing.ground is None]
    return max((overlap(a, b) for index, a in enumerate(boxes) for b in boxes[:index]), default=0.0)


def lay_out(wish: Wish, seed: int, size: Size) -> Scene:
    """A scene that fulfils the wish, laid out by this seed for this size (width, height in px)."""
    rng = generator(seed, "layout")
    scene = Scene(
        seed=seed,
        setting=wish.setting,
        time=wish.time,
        season=wish.season,
        weather=wish.weather,
        style=wish.style,
        palette=int(rng.integers(12)),
        degradation=wish.degradation,
        degradation_strength=float(rng.uniform(0.5, 0.8)) if wish.degradation else 0.0,
    )
    by_size = sorted(range(len(wish.things)), key=lambda index: -KINDS[wish.things[index].kind].height)
    zoom = _crowding(wish.things, size)
    placed: dict[int, Thing] = {}
    for index in by_size:
        thing = place_thing(scene, wish.things[index], f"t{index + 1}", seed, size, zoom)
        placed[index] = thing
        scene = replace(scene, things=(*scene.things, thing))
    return replace(scene, things=tuple(placed[index] for index in sorted(placed)))


def _crowding(things: tuple[Description, ...], size: Size) -> float:
    width, height = size
    across = (height / width) ** 0.5
    total = sum(KINDS[thing.kind].height * aspect(thing.kind) * across for thing in things)
    return float(min(LARGEST, max(0.6, (CROWDED / max(total, 1e-6)) ** 0.6)))


def place_thing(
    scene: Scene, described: Description, name: str, seed: int, size: Size, zoom: float = 1.1
) -> Thing:
    """The described thing at the freest of some random places that fit its description."""
    rng = generator(seed, "place", described.kind, name)
    ground = stage(scene.setting, *size)
    taken = [box_of(thing, size) for thing in scene.things]
    best: Thing | None = None
    least = float("inf")
    for _ in range(TRIES):
        thing = _try(scene, described, name, rng, ground, size, zoom)
        box = box_of(thing, size)
        cost = sum(overlap(box, other) for other in taken)
        if cost < least - 0.02:
            best, least = thing, cost
        if least <= 0.02:
            break
    assert best is not None  # noqa: S101  (TRIES > 0)
    return best


def _try(
    scene: Scene,
    described: Description,
    name: str,
    rng: np.random.Generator,
    ground: Stage,
    size: Size,
    zoom: float,
) -> Thing:
    kind = KINDS[described.kind]
    width, height = size
    side = (width * height) ** 0.5
    depth = float(rng.uniform(*DEPTHS.get(described.place or "left", (0.0, 1.0))))
    foot = ground.ground_far + (ground.ground_near - ground.ground_far) * depth
    scale = ground.scale_far + (ground.scale_near - ground.scale_far) * depth
    tall = kind.height * zoom * float(rng.uniform(0.92, 1.08))
    shadow: float | None = None
    if ground.floating:
        foot = float(rng.uniform(0.3, 0.93))
    elif kind.group == "sky":
        foot, shadow = float(rng.uniform(0.2, 0.44)), foot
    elif kind.afloat and ground.water is not None:
        foot = ground.water[0] + (ground.water[1] - ground.water[0]) * float(rng.uniform(0.35, 1.0))
        tall *= 0.8 * scale
    else:
        tall *= scale
    tall = min(tall, TALLEST, (foot - MARGIN) * height / side, 0.9 * width / side / aspect(kind.key))
    half = tall * aspect(kind.key) * side / width / 2
    x = _column(described, scene, rng)
    low, high = half + MARGIN, 1 - half - MARGIN
    x = 0.5 if low > high else min(max(x, low), high)
    flip = bool(kind.can_flip and rng.random() < 0.5)
    return Thing(
        name, kind.key, x, foot, tall, described.colour, described.material, flip=flip, ground=shadow
    )


def _column(described: Description, scene: Scene, rng: np.random.Generator) -> float:
    neighbour = next((thing for thing in scene.things if thing.kind == described.beside), None)
    if neighbour is not None:
        reach = neighbour.height * float(rng.uniform(0.6, 1.3))
        return neighbour.x + (reach if rng.random() < 0.5 else -reach)
    return float(rng.uniform(*COLUMNS.get(described.place or "front", (0.05, 0.95))))


def move_to_setting(scene: Scene, setting: Setting, size: Size) -> Scene:
    """The same things elsewhere: each keeps its column, and its depth on the new ground."""
    old, new = stage(scene.setting, *size), stage(setting, *size)

    def depth(y: float) -> float:
        return (y - old.ground_far) / (old.ground_near - old.ground_far)

    def foot(t: float) -> float:
        return new.ground_far + (new.ground_near - new.ground_far) * t

    def moved(thing: Thing) -> Thing:
        if thing.ground is not None:
            return replace(thing, ground=foot(depth(thing.ground)))
        t = depth(thing.y)
        before = old.scale_far + (old.scale_near - old.scale_far) * t
        after = new.scale_far + (new.scale_near - new.scale_far) * t
        return replace(thing, y=foot(t), height=thing.height * after / before)

    return replace(scene, setting=setting, things=tuple(moved(thing) for thing in scene.things))
