"""Edits by description, and what they do to a scene graph. `apply_plan` is pure; a composite is a fold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, Literal, cast, get_args

from triptych.backends.studio.catalogue import KINDS, natural_colour
from triptych.backends.studio.layout import Size, move_to_setting, place_thing, third_of
from triptych.backends.studio.prompts import Description, Wish
from triptych.backends.studio.scene import Grade, Scene, Thing

Operation = Literal[
    "add",
    "remove",
    "replace",
    "color",
    "material",
    "resize",
    "background",
    "time_of_day",
    "season",
    "weather",
    "style",
    "degrade",
    "restore",
    "color_correction",
    "composite",
]
OPERATIONS: Final[tuple[Operation, ...]] = get_args(Operation)
LOCAL_OPERATIONS: Final[frozenset[Operation]] = frozenset(
    {"add", "remove", "replace", "color", "material", "resize"}
)

RESIZE_FACTOR: Final = 1.6
DEGRADATION_STRENGTH: Final = 0.65
OPPOSITE_GRADES: Final[MappingProxyType[str, Grade]] = MappingProxyType(
    {
        "warmer": "cooler",
        "cooler": "warmer",
        "vivid": "muted",
        "muted": "vivid",
        "brighter": "darker",
        "darker": "brighter",
        "softer": "contrast",
    }
)


@dataclass(frozen=True, slots=True)
class EditPlan:
    """What an instruction asks for. Which fields are set depends on the operation."""

    operation: Operation
    target: Description | None = None  # remove, replace, color, material, resize
    thing: Description | None = None  # what is added, or takes the target's place
    value: str | None = None  # the new colour, material ("plain": its own), size, setting, time, …
    parts: tuple[EditPlan, ...] = ()  # of a composite, in order
    leaving: str | None = None  # the value that a backward plan leads away from; no word tells it


def worn_colour(described: Description) -> str | None:
    """The colour as a scene graph has it: None for a kind's own, said or not."""
    return None if described.colour == natural_colour(described.kind) else described.colour


def find_things(scene: Scene, described: Description) -> tuple[Thing, ...]:
    """What a reader would take the description for: its kind, then whichever detail tells apart."""
    found = [thing for thing in scene.things if thing.kind == described.kind]
    details: tuple[Callable[[Thing], bool], ...] = (
        lambda thing: described.colour is None or thing.colour == worn_colour(described),
        lambda thing: described.material is None or thing.material == described.material,
        lambda thing: described.place is None or third_of(thing) == described.place,
    )
    for fits in details:
        fitting = [thing for thing in found if fits(thing)]
        if fitting:
            found = fitting
    return tuple(found)


def apply_plan(scene: Scene, plan: EditPlan, size: Size) -> Scene:
    """The scene as the plan wants it. A target that isn't there changes nothing; `size` in px."""
    if plan.operation == "composite":
        for part in plan.parts:
            scene = apply_plan(scene, part, size)
        return scene
    if plan.operation == "add":
        return _add(scene, plan, size)
    if plan.target is not None:
        chosen = {thing.id for thing in find_things(scene, plan.target)}
        return apply_to(scene, plan, chosen)
    return _apply_everywhere(scene, plan, size)


def apply_to(scene: Scene, plan: EditPlan, chosen: set[str]) -> Scene:
    """A local plan, done to the things of these ids, whatever the plan's own target."""
    if plan.operation == "remove":
        return replace(scene, things=tuple(thing for thing in scene.things if thing.id not in chosen))
    return replace(
        scene,
        things=tuple(_changed(thing, plan) if thing.id in chosen else thing for thing in scene.things),
    )


def _changed(thing: Thing, plan: EditPlan) -> Thing:
    match plan.operation:
        case "color":
            own = natural_colour(thing.kind)
            return replace(thing, colour=None if plan.value == own else plan.value, material=None)
        case "material":
            if plan.value == "plain":
                colour = worn_colour(plan.thing) if plan.thing is not None else None
                return replace(thing, material=None, colour=colour)
            return replace(thing, material=plan.value, colour=None)
        case "resize":
            factor = RESIZE_FACTOR if plan.value == "bigger" else 1 / RESIZE_FACTOR
            return replace(thing, height=thing.height * factor)
        case "replace" if plan.thing is not None:
            ratio = KINDS[plan.thing.kind].height / KINDS[thing.kind].height
            return replace(
                thing,
                kind=plan.thing.kind,
                height=thing.height * ratio,
                colour=worn_colour(plan.thing),
                material=plan.thing.material,
            )
        case _:
            return thing


def _add(scene: Scene, plan: EditPlan, size: Size) -> Scene:
    if plan.thing is None:
        return scene
    number = 1 + max((int(thing.id.removeprefix("t")) for thing in scene.things), default=0)
    described = replace(plan.thing, colour=worn_colour(plan.thing))
    thing = place_thing(scene, described, f"t{number}", scene.seed, size)
    return replace(scene, things=(*scene.things, thing))


def _apply_everywhere(scene: Scene, plan: EditPlan, size: Size) -> Scene:
    value = cast(Any, plan.value)
    match plan.operation:
        case "background":
            return move_to_setting(scene, value, size)
        case "time_of_day":
            return replace(scene, time=value)
        case "season":
            return replace(scene, season=value)
        case "weather":
            return replace(scene, weather=value)
        case "style":
            return replace(scene, style=value)
        case "degrade":
            return replace(scene, degradation=value, degradation_strength=DEGRADATION_STRENGTH)
        case "restore":
            return replace(scene, degradation=None, degradation_strength=0.0)
        case "color_correction":
            if scene.grade is not None and OPPOSITE_GRADES.get(value) == scene.grade:
                return replace(scene, grade=None)
            return replace(scene, grade=None if value == "softer" else value)
        case _:
            return scene


def apply_to_wish(wish: Wish, plan: EditPlan) -> Wish:
    """The same edit on what a prompt asked for: what the edited picture's prompt would ask for."""
    if plan.operation == "composite":
        for part in plan.parts:
            wish = apply_to_wish(wish, part)
        return wish
    if plan.operation == "add" and plan.thing is not None:
        return replace(wish, things=(*wish.things, plan.thing))
    if plan.target is not None:
        kept = [
            _described_after(thing, plan) if thing.kind == plan.target.kind else thing
            for thing in wish.things
            if not (plan.operation == "remove" and thing.kind == plan.target.kind)
        ]
        return replace(wish, things=tuple(kept))
    fields: dict[str, str] = {
        "background": "setting",
        "time_of_day": "time",
        "season": "season",
        "weather": "weather",
        "style": "style",
        "degrade": "degradation",
    }
    if plan.operation == "restore":
        return replace(wish, degradation=None)
    field = fields.get(plan.operation)
    return wish if field is None else replace(wish, **cast(Any, {field: plan.value}))


def _described_after(described: Description, plan: EditPlan) -> Description:
    match plan.operation:
        case "color":
            own = natural_colour(described.kind)
            return replace(described, colour=None if plan.value == own else plan.value, material=None)
        case "material":
            if plan.value == "plain":
                colour = plan.thing.colour if plan.thing is not None else None
                return replace(described, material=None, colour=colour)
            return replace(described, material=plan.value, colour=None)
        case "replace" if plan.thing is not None:
            return replace(plan.thing, place=described.place, beside=described.beside)
        case _:
            return described


def invert_plan(wish: Wish, plan: EditPlan) -> EditPlan:
    """The plan that leads from the edited scene to the one the wish describes."""
    if plan.operation == "composite":
        inverses: list[EditPlan] = []
        for part in plan.parts:
            inverses.append(invert_plan(wish, part))
            wish = apply_to_wish(wish, part)
        return EditPlan("composite", parts=tuple(reversed(inverses)))
    if plan.operation == "add" and plan.thing is not None:
        return EditPlan("remove", target=replace(plan.thing, beside=None))
    if plan.target is not None:
        return _invert_local(wish, plan, plan.target)
    match plan.operation:
        case "background":
            return EditPlan("background", value=wish.setting)
        case "time_of_day":
            return EditPlan("time_of_day", value=wish.time)
        case "season":
            return EditPlan("season", value=wish.season)
        case "weather":
            return EditPlan("weather", value=wish.weather)
        case "style":
            return EditPlan("style", value=wish.style)
        case "degrade":
            return EditPlan("restore", value=plan.value)
        case "restore":
            return EditPlan("degrade", value=plan.value)
        case _:
            inverse = "softer" if plan.value == "contrast" else OPPOSITE_GRADES[str(plan.value)]
            return EditPlan("color_correction", value=inverse)


def _invert_local(wish: Wish, plan: EditPlan, target: Description) -> EditPlan:
    before = next(thing for thing in wish.things if thing.kind == target.kind)
    after = _described_after(before, plan)
    match plan.operation:
        case "remove":
            return EditPlan("add", thing=replace(before, beside=None))
        case "replace":
            return EditPlan("replace", target=after, thing=replace(before, place=None, beside=None))
        case "color":
            if before.material is not None:
                return EditPlan("material", target=after, value=before.material)
            return EditPlan("color", target=after, value=before.colour or natural_colour(before.kind))
        case "material":
            if before.material is not None:
                return EditPlan("material", target=after, value=before.material)
            plain = replace(before, place=None, beside=None)
            return EditPlan("material", target=after, value="plain", thing=plain)
        case _:
            return EditPlan("resize", target=after, value="smaller" if plan.value == "bigger" else "bigger")
