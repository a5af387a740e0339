"""What an editor works on: a picture whose scene is known, or a photograph."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Literal, cast

import cv2
import numpy as np

from triptych.backends.studio.artefacts import mixed, shrunk
from triptych.backends.studio.canvas import Array, blur, smoothstep
from triptych.backends.studio.catalogue import KINDS
from triptych.backends.studio.degrade import degrade
from triptych.backends.studio.edits import DEGRADATION_STRENGTH, EditPlan, apply_plan, find_things
from triptych.backends.studio.flaws import SLIPS, flaws_in_order, other_plan, touched
from triptych.backends.studio.grade import grade
from triptych.backends.studio.layout import Size, box_of
from triptych.backends.studio.render import outlines, render, render_masks
from triptych.backends.studio.scene import Degradation, Grade, Scene, Style, Weather
from triptych.backends.studio.styles import stylise
from triptych.backends.studio.truth import Flaws
from triptych.backends.studio.weather import weather_over
from triptych.errors import Refused

Way = Literal["same", "locally", "style", "damage", "correction", "anew"]

HIDING: Final = frozenset({"add", "replace", "resize", "composite"})
CHANGED: Final = (0.02, 0.055)  # difference, 0..1, from which on a pixel near the edit is drawn anew


@dataclass(frozen=True, eq=False)
class Version:
    """One way the picture may look after the edit, and the scene that it shows."""

    image: Array
    scene: Scene | None


class StudioSubject:
    """A picture of a known scene."""

    def __init__(
        self, source: Array, scene: Scene, faithful: bool, plan: EditPlan, damage: Flaws = ()
    ) -> None:
        self.source = source
        self.scene = scene
        self.faithful = faithful
        self.damage = damage  # that the source's pixels bear: gone, unasked, where it is drawn anew
        self.plan = plan
        self.size: Size = (source.shape[1], source.shape[0])

    @property
    def missing(self) -> int:
        """How many parts of the plan are about a thing that isn't in the picture."""
        parts = self.plan.parts or (self.plan,)
        count, scene = 0, self.scene
        for part in parts:
            count += part.target is not None and not find_things(scene, part.target)
            scene = apply_plan(scene, part, self.size)
        return count

    @property
    def all_missing(self) -> bool:
        """Whether there is nothing at all to edit."""
        return self.missing == len(self.plan.parts or (self.plan,))

    @cached_property
    def hides(self) -> float:
        """How much of another thing vanishes behind what is added or grows: 0 up to a half."""
        if self.plan.operation not in HIDING:
            return 0.0
        return newly_hidden(self.scene, apply_plan(self.scene, self.plan, self.size), self.size)

    @cached_property
    def clean(self) -> Version:
        """The perfect edit."""
        return self._version(apply_plan(self.scene, self.plan, self.size))

    @cached_property
    def clean_small(self) -> Array:
        """The perfect edit at the size that changes are measured on; cheap."""
        if "clean" in self.__dict__:
            return shrunk(self.clean.image)
        small = StudioSubject(shrunk(self.source), self.scene, self.faithful, self.plan)
        return small._version(apply_plan(self.scene, self.plan, self.size)).image

    def flaw_order(self, rng: np.random.Generator) -> list[str]:
        """The flaws that this edit may suffer, in the order to try them."""
        return flaws_in_order(rng, self.plan)

    def slip(self, name: str, rng: np.random.Generator) -> Version | None:
        """The edit misunderstood in this manner; None where it can't be."""
        scene = SLIPS[name](rng, self.scene, self.plan, self.size)
        return None if scene is None else self._version(scene)

    def _version(self, after: Scene) -> Version:
        match way_between(self.scene, after):
            case "same":
                return Version(self.source, after)
            case "locally":
                return Version(self._locally(after), after)
            case way:
                return Version(self._everywhere(after, way), after)

    def _locally(self, after: Scene) -> Array:
        """The source's own pixels wherever the scenes look alike; drawn anew where they don't."""
        height, width = self.source.shape[:2]
        drawn = render(after, width, height)
        base = self.source if self.faithful else render(self.scene, width, height)
        rows, columns = _neighbourhood(self.scene, after, (width, height))
        window = (rows, columns)
        side = (width * height) ** 0.5
        difference = blur(np.abs(drawn[window] - base[window]).max(axis=2), max(0.8, 0.002 * side))
        weight = smoothstep(*CHANGED, difference)
        grown = np.asarray(cv2.dilate(weight, np.ones((5, 5), np.uint8)), np.float32)
        weight = blur(grown, max(0.8, 0.0025 * side))
        image = self.source.copy()
        image[window] = mixed(self.source[window], drawn[window], weight)
        return image

    def _everywhere(self, after: Scene, way: Way) -> Array:
        height, width = self.source.shape[:2]
        if way == "style":
            return stylise(self.source, after.style, after.seed, outlines(self.scene, width, height))
        if way == "damage" and after.degradation is not None:
            return degrade(self.source, after.degradation, after.degradation_strength, after.seed)
        if way == "correction" and after.grade is not None:
            return grade(self.source, after.grade)
        return render(after, width, height)


def way_between(before: Scene, after: Scene) -> Way:
    """How a picture of `before` is made one of `after`: only "anew" leaves no pixel of it."""
    if after == before:
        return "same"
    if replace(after, things=before.things) == before:
        return "locally"
    undamaged = before.degradation is None and before.grade is None
    if undamaged and before.style == "render" and replace(after, style=before.style) == before:
        return "style"
    damage = replace(before, degradation=after.degradation, degradation_strength=after.degradation_strength)
    if undamaged and after.degradation is not None and after == damage:
        return "damage"
    if before.grade is None and after.grade is not None and replace(before, grade=after.grade) == after:
        return "correction"
    return "anew"


def newly_hidden(before: Scene, after: Scene, size: Size) -> float:
    """How much of a thing that both have alike only `after` hides: 0 up to a half, then the share."""
    if after.setting != before.setting:
        return 0.0
    small = (max(16, size[0] // 8), max(16, size[1] // 8))
    old = {name: float(mask.sum()) for name, mask in render_masks(before, *small).items()}
    new = {name: float(mask.sum()) for name, mask in render_masks(after, *small).items()}
    others = old.keys() & new.keys() - touched(before, after)
    share = max((1 - new[name] / max(old[name], 1e-6) for name in others), default=0.0)
    return round(share, 3) if share > 0.5 else 0.0


class PhotographSubject:
    """A picture that nothing is known of: only edits of the whole."""

    missing = 0
    damage: Flaws = ()
    hides = 0.0
    all_missing = False
    scene = None

    def __init__(self, source: Array, plan: EditPlan, seed: int) -> None:
        self.source = source
        self.plan = plan
        self.seed = seed

    @cached_property
    def clean(self) -> Version:
        """The perfect edit."""
        return Version(edit_photograph(self.source, self.plan, self.seed), None)

    @cached_property
    def clean_small(self) -> Array:
        """The perfect edit at the size that changes are measured on."""
        if "clean" in self.__dict__:
            return shrunk(self.clean.image)
        return edit_photograph(shrunk(self.source), self.plan, self.seed)

    def flaw_order(self, rng: np.random.Generator) -> list[str]:
        """The flaws that this edit may suffer, in the order to try them."""
        return flaws_in_order(rng, self.plan, photograph=True)

    def slip(self, name: str, rng: np.random.Generator) -> Version | None:
        """The edit with another value than was asked for; other slips need a known scene."""
        plan = other_plan(rng, Scene(0, "meadow"), self.plan) if name == "wrong_attribute" else None
        if plan is None or plan.value == "clear":
            return None
        return Version(edit_photograph(self.source, plan, self.seed), None)


def edit_photograph(image: Array, plan: EditPlan, seed: int) -> Array:
    """The edit done to any picture. Raises Refused where it takes more than pixels to do it."""
    match plan.operation:
        case "style" if plan.value != "render":
            return stylise(image, cast(Style, plan.value), seed)
        case "degrade":
            return degrade(image, cast(Degradation, plan.value), DEGRADATION_STRENGTH, seed)
        case "color_correction" if plan.value != "softer":
            return grade(image, cast(Grade, plan.value))
        case "weather" if plan.value != "clear":
            return weather_over(image, cast(Weather, plan.value), seed)
        case _:
            raise Refused("not_for_photographs", f"{plan.operation} needs a scene that the studio painted")


def _neighbourhood(before: Scene, after: Scene, size: Size) -> tuple[slice, slice]:
    """Rows and columns that hold all changed things with their shadows, reflections and glow."""
    width, height = size
    side = (width * height) ** 0.5
    busy = touched(before, after)
    left, top, right, bottom = width, height, 0, 0
    for thing in (thing for scene in (before, after) for thing in scene.things if thing.id in busy):
        box = box_of(thing, size)
        reach = thing.height * side * (1.6 if KINDS[thing.kind].lamp else 0.8)
        foot = max(box[3], thing.ground or 0.0)
        left = min(left, int(box[0] * width - reach))
        right = max(right, int(box[2] * width + reach))
        top = min(top, int(box[1] * height - 0.5 * reach))
        bottom = max(bottom, int(foot * height + reach))
    return slice(max(0, top), min(height, bottom)), slice(max(0, left), min(width, right))
