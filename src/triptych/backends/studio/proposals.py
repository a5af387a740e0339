"""Edits that make a plain difference to what a wish asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np

from triptych.backends.studio.catalogue import KINDS, MATERIALS, Kind
from triptych.backends.studio.edits import EditPlan, Operation, apply_to_wish
from triptych.backends.studio.prompts import (
    COLOURLESS,
    OUTDOORS,
    SEASONAL,
    UNCOLOURED,
    Description,
    Place,
    Wish,
)
from triptych.backends.studio.scene import (
    DEGRADATIONS,
    GRADES,
    SEASONS,
    SETTINGS,
    STYLES,
    TIMES,
    Style,
)
from triptych.backends.studio.wishes import PLACEABLE, describe, new_colours, new_kind, pick

LOOKS: Final[frozenset[Style]] = frozenset({"sketch", "neon"})  # light and seasons don't show in them
FREE_PLACES: Final[tuple[Place, ...]] = ("left", "right", "middle", "front")
AIRY_PLACES: Final[tuple[Place | None, ...]] = ("left", "right", None)
OWN_MATERIALS: Final[MappingProxyType[str, frozenset[str]]] = MappingProxyType(
    {
        "moai": frozenset({"stone"}),
        "castle": frozenset({"stone"}),
        "wine-glass": frozenset({"glass", "ice"}),
        "crystal-ball": frozenset({"glass", "ice"}),
        "light-bulb": frozenset({"glass", "ice", "gold"}),
        "gem-stone": frozenset({"glass", "ice"}),
        "chair": frozenset({"wood", "chocolate"}),
        "basket": frozenset({"wood", "knitted"}),
        "violin": frozenset({"wood"}),
        "trumpet": frozenset({"gold"}),
        "crown": frozenset({"gold"}),
        "snowman": frozenset({"ice", "glass"}),
        "teddy-bear": frozenset({"knitted"}),
        "doughnut": frozenset({"chocolate"}),
        "honey-pot": frozenset({"wood", "chocolate"}),
        "cheese-wedge": frozenset({"gold"}),
        "banana": frozenset({"gold"}),
        "lemon": frozenset({"gold"}),
    }
)


def propose_edit(
    rng: np.random.Generator, wish: Wish, operation: Operation, *, avoid: frozenset[str] = frozenset()
) -> EditPlan | None:
    """A visible edit of this operation that leaves kinds in `avoid` alone; None: there is none."""
    if operation == "composite":
        return _propose_composite(rng, wish)
    if operation == "add":
        return _propose_add(rng, wish, avoid)
    things = [thing for thing in wish.things if thing.kind not in avoid]
    local = _LOCAL.get(operation)
    if local is not None:
        plans = [plan for thing in things if (plan := local(rng, wish, thing)) is not None]
        return pick(rng, plans) if plans else None
    if operation == "restore":
        return None if wish.degradation is None else EditPlan("restore", value=wish.degradation)
    values = values_for(wish, operation)
    return EditPlan(operation, value=pick(rng, values)) if values else None


def _target(thing: Description) -> Description:
    return replace(thing, beside=None)


def _propose_add(rng: np.random.Generator, wish: Wish, avoid: frozenset[str]) -> EditPlan | None:
    if len(wish.things) >= 6:
        return None
    kind = new_kind(rng, wish, lambda kind: kind.key not in avoid and not kind.afloat)
    if kind is None:
        return None
    thing = describe(rng, wish, kind, odd=True)
    hosts = [
        other.kind for other in wish.things if other.kind not in avoid and KINDS[other.kind].group != "sky"
    ]
    if kind.group == "sky":
        place = pick(rng, AIRY_PLACES)
        return EditPlan("add", thing=replace(thing, place=place))
    luck = rng.random()
    if luck < 0.35 and hosts:
        return EditPlan("add", thing=replace(thing, beside=pick(rng, hosts)))
    taken = {other.place for other in wish.things}
    free = [place for place in FREE_PLACES if place not in taken]
    if luck < 0.8 and free:
        return EditPlan("add", thing=replace(thing, place=pick(rng, free)))
    return EditPlan("add", thing=thing)


def _propose_remove(rng: np.random.Generator, wish: Wish, thing: Description) -> EditPlan | None:
    del rng
    return EditPlan("remove", target=_target(thing)) if len(wish.things) > 1 else None


def _propose_replace(rng: np.random.Generator, wish: Wish, thing: Description) -> EditPlan | None:
    old = KINDS[thing.kind]

    def fits(kind: Kind) -> bool:
        same_ground = (kind.group == "sky") == (old.group == "sky") and kind.afloat == old.afloat
        return same_ground and 0.55 < kind.height / old.height < 1.8

    kind = new_kind(rng, wish, fits)
    if kind is None:
        return None
    return EditPlan("replace", target=_target(thing), thing=describe(rng, wish, kind, odd=True))


def _propose_color(rng: np.random.Generator, wish: Wish, thing: Description) -> EditPlan | None:
    colours = new_colours(thing)
    if wish.style in UNCOLOURED or thing.material is not None or not colours:
        return None
    return EditPlan("color", target=_target(thing), value=pick(rng, colours))


def _propose_material(rng: np.random.Generator, wish: Wish, thing: Description) -> EditPlan | None:
    if wish.style in UNCOLOURED or thing.material is not None:
        return None
    own = OWN_MATERIALS.get(thing.kind, frozenset())
    return EditPlan(
        "material", target=_target(thing), value=pick(rng, [m for m in MATERIALS if m not in own])
    )


def _propose_resize(rng: np.random.Generator, wish: Wish, thing: Description) -> EditPlan | None:
    del wish
    tall = KINDS[thing.kind].height
    if tall < 0.2:
        value = "bigger"
    elif tall > 0.28:
        value = "smaller"
    else:
        value = pick(rng, ("bigger", "smaller"))
    return EditPlan("resize", target=_target(thing), value=value)


_LOCAL: Final[
    MappingProxyType[Operation, Callable[[np.random.Generator, Wish, Description], EditPlan | None]]
] = MappingProxyType(
    {
        "remove": _propose_remove,
        "replace": _propose_replace,
        "color": _propose_color,
        "material": _propose_material,
        "resize": _propose_resize,
    }
)


def values_for(wish: Wish, operation: Operation) -> list[str]:
    """Values of an operation on the whole picture that plainly differ from what the wish already has."""
    match operation:
        case "background":
            afloat = any(KINDS[thing.kind].afloat for thing in wish.things)
            if wish.setting not in PLACEABLE or afloat:
                return []
            indoors_too = wish.weather == "clear"
            return [
                s for s in SETTINGS if s in PLACEABLE and s != wish.setting and (s != "room" or indoors_too)
            ]
        case "time_of_day":
            close = ({"dusk", "night"}, {"dawn", "day"}, {"dawn", "sunset"})
            visible = wish.setting != "underwater" and wish.style not in LOOKS
            return [t for t in TIMES if visible and t != wish.time and {t, wish.time} not in close]
        case "season":
            visible = (
                wish.setting in SEASONAL and wish.style not in LOOKS | {"noir"} and wish.weather != "snow"
            )
            return [
                s
                for s in SEASONS
                if visible and s != wish.season and {s, wish.season} != {"spring", "summer"}
            ]
        case "weather":
            if wish.setting not in OUTDOORS:
                return []
            if wish.weather != "clear":
                return ["clear"]
            return ["rain", "fog"] if wish.setting == "desert" else ["rain", "fog", "snow"]
        case "style":
            return [style for style in STYLES if style != wish.style]
        case "degrade":
            return list(DEGRADATIONS) if wish.degradation is None else []
        case "color_correction":
            grey = wish.style in COLOURLESS
            return [g for g in GRADES if not grey or g in ("brighter", "darker", "contrast")]
        case _:
            return []


_PARTS: Final[tuple[Operation, ...]] = (
    "add",
    "remove",
    "replace",
    "color",
    "material",
    "resize",
    "time_of_day",
    "season",
    "weather",
    "background",
)


def _propose_composite(rng: np.random.Generator, wish: Wish) -> EditPlan | None:
    parts: list[EditPlan] = []
    touched: frozenset[str] = frozenset()
    now = wish
    used: set[Operation] = set()
    for index in rng.permutation(len(_PARTS)):
        operation = _PARTS[int(index)]
        if used & {"season", "weather", "time_of_day", "background"} and operation not in _LOCAL | {
            "add": None
        }:
            continue
        plan = propose_edit(rng, now, operation, avoid=touched)
        if plan is None:
            continue
        parts.append(plan)
        used.add(operation)
        touched |= {d.kind for d in (plan.target, plan.thing) if d is not None}
        if plan.thing is not None and plan.thing.beside is not None:
            touched |= {plan.thing.beside}
        now = apply_to_wish(now, plan)
        if len(parts) == 2:
            return EditPlan("composite", parts=tuple(parts))
    return None


def propose_for_photograph(rng: np.random.Generator, operation: Operation) -> EditPlan | None:
    """An edit that holds up on a real photograph; None where this operation doesn't."""
    match operation:
        case "style":
            return EditPlan(operation, value=pick(rng, [style for style in STYLES if style != "render"]))
        case "degrade":
            return EditPlan(operation, value=pick(rng, DEGRADATIONS))
        case "color_correction":
            return EditPlan(operation, value=pick(rng, GRADES))
        case "weather":
            return EditPlan(operation, value=pick(rng, ("rain", "snow", "fog")))
        case _:
            return None
