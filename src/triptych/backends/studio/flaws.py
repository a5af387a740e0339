"""How editors fail: slips of understanding change what is drawn, damage changes its pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np

from triptych.backends.studio.catalogue import KINDS, MATERIALS
from triptych.backends.studio.edits import (
    LOCAL_OPERATIONS,
    OPPOSITE_GRADES,
    EditPlan,
    Operation,
    apply_plan,
    apply_to,
)
from triptych.backends.studio.layout import Size
from triptych.backends.studio.prompts import UNCOLOURED, Description, Wish
from triptych.backends.studio.proposals import values_for
from triptych.backends.studio.scene import Scene, Thing
from triptych.backends.studio.wishes import ALIKE, PLACEABLE, new_colours, pick

Slip = Callable[[np.random.Generator, Scene, EditPlan, Size], Scene | None]

ALL: Final[frozenset[Operation]] = LOCAL_OPERATIONS | {
    "background",
    "time_of_day",
    "season",
    "weather",
    "style",
    "degrade",
    "restore",
    "color_correction",
    "composite",
}


@dataclass(frozen=True, slots=True)
class Flaw:
    """How often a flaw comes, against the others, and in which operations it makes sense."""

    share: float
    operations: frozenset[Operation]


# Chance that an attempt is made without a visible flaw. "hard": like the paper's editor, and more uneven.
GOOD_SHARES: Final[Mapping[str, Mapping[Operation, float]]] = MappingProxyType(
    {
        "standard": MappingProxyType(
            {
                "add": 0.43,
                "remove": 0.36,
                "replace": 0.38,
                "color": 0.44,
                "material": 0.40,
                "resize": 0.35,
                "background": 0.40,
                "time_of_day": 0.45,
                "season": 0.42,
                "weather": 0.45,
                "style": 0.47,
                "degrade": 0.52,
                "restore": 0.42,
                "color_correction": 0.52,
                "composite": 0.25,
            }
        ),
        "hard": MappingProxyType(
            {
                "add": 0.10,
                "remove": 0.06,
                "replace": 0.06,
                "color": 0.13,
                "material": 0.06,
                "resize": 0.03,
                "background": 0.06,
                "time_of_day": 0.12,
                "season": 0.08,
                "weather": 0.14,
                "style": 0.17,
                "degrade": 0.26,
                "restore": 0.08,
                "color_correction": 0.28,
                "composite": 0.02,
            }
        ),
    }
)


def chance_of_good(rate: str, operation: Operation, difficulty: float) -> float:
    """Chance of an attempt without a visible flaw; `difficulty` is a standard normal."""
    odds = GOOD_SHARES[rate][operation]
    logit = np.log(odds / (1 - odds)) - 0.7 * difficulty
    return float(1 / (1 + np.exp(-logit)))


def touched(before: Scene, after: Scene) -> set[str]:
    """Ids of the things that an edit adds, removes or changes."""
    old, new = ({thing.id: thing for thing in scene.things} for scene in (before, after))
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


def _others(before: Scene, after: Scene) -> list[Thing]:
    if before.setting != after.setting:  # everything moved to another ground
        return []
    busy = touched(before, after)
    return [thing for thing in before.things if thing.id not in busy]


def _swap(scene: Scene, old: Thing, new: Thing | None) -> Scene:
    things = [new if thing.id == old.id else thing for thing in scene.things]
    return replace(scene, things=tuple(thing for thing in things if thing is not None))


def _wrong_object(rng: np.random.Generator, before: Scene, plan: EditPlan, size: Size) -> Scene | None:
    able = _others(before, apply_plan(before, plan, size))
    if plan.operation == "color":
        able = [
            t for t in able if plan.value in new_colours(Description(t.kind, t.colour)) and t.material is None
        ]
    if plan.operation == "material":
        able = [t for t in able if t.material != plan.value]
    return apply_to(before, plan, {pick(rng, able).id}) if able else None


def other_plan(rng: np.random.Generator, before: Scene, plan: EditPlan) -> EditPlan | None:
    """The same operation with another value than was asked for."""
    match plan.operation:
        case "color" if plan.target is not None:
            colours = [
                c
                for c in new_colours(plan.target)
                if c != plan.value and frozenset((c, str(plan.value))) not in ALIKE
            ]
            return replace(plan, value=pick(rng, colours)) if colours else None
        case "material" if plan.value != "plain":
            return replace(plan, value=pick(rng, [m for m in MATERIALS if m != plan.value]))
        case "resize":
            return replace(plan, value="smaller" if plan.value == "bigger" else "bigger")
        case "add" | "replace" if plan.thing is not None:
            return _other_thing(rng, before, plan, plan.thing)
        case "color_correction":
            opposite = "contrast" if plan.value == "softer" else OPPOSITE_GRADES.get(str(plan.value), "muted")
            return replace(plan, value=opposite)
        case "background":
            places = [s for s in PLACEABLE - {before.setting, plan.value} if s != "room"]
            return replace(plan, value=pick(rng, sorted(places)))
        case "time_of_day" | "season" | "weather" | "style" | "degrade":
            wish = Wish(before.setting, before.time, before.season, before.weather, before.style)
            values = [value for value in values_for(wish, plan.operation) if value != plan.value]
            return replace(plan, value=pick(rng, values)) if values else None
        case _:
            return None


def _other_thing(
    rng: np.random.Generator, before: Scene, plan: EditPlan, thing: Description
) -> EditPlan | None:
    kind = KINDS[thing.kind]
    if thing.colour is not None and before.style not in UNCOLOURED and rng.random() < 0.5:
        colours = [c for c in new_colours(thing) if c != kind.natural_colour]
        return replace(plan, thing=replace(thing, colour=pick(rng, colours)))
    present = {KINDS[other.kind].noun for other in before.things} | {kind.noun}
    alike = [
        other
        for other in KINDS.values()
        if before.setting in other.settings
        and (other.group == "sky") == (kind.group == "sky")
        and other.afloat == kind.afloat
        and other.noun not in present
        and 0.6 < other.height / kind.height < 1.7
    ]
    if not alike:
        return None
    other = pick(rng, alike)
    colour = thing.colour if other.recolourable and thing.colour != other.natural_colour else None
    return replace(plan, thing=replace(thing, kind=other.key, colour=colour, material=None))


def _wrong_attribute(rng: np.random.Generator, before: Scene, plan: EditPlan, size: Size) -> Scene | None:
    other = other_plan(rng, before, plan)
    return None if other is None else apply_plan(before, other, size)


def _half(rng: np.random.Generator, before: Scene, plan: EditPlan, size: Size) -> Scene | None:
    return apply_plan(before, pick(rng, plan.parts), size) if plan.parts else None


def _lost(rng: np.random.Generator, before: Scene, plan: EditPlan, size: Size) -> Scene | None:
    after = apply_plan(before, plan, size)
    others = _others(before, after)
    return _swap(after, pick(rng, others), None) if others else None


def _moved(rng: np.random.Generator, before: Scene, plan: EditPlan, size: Size) -> Scene | None:
    after = apply_plan(before, plan, size)
    others = _others(before, after)
    if not others:
        return None
    thing = pick(rng, others)
    way = float(rng.uniform(0.05, 0.16)) * (1 if thing.x < 0.5 else -1)
    return _swap(after, thing, replace(thing, x=thing.x + way))


def _collateral(rng: np.random.Generator, before: Scene, plan: EditPlan, size: Size) -> Scene | None:
    after = apply_plan(before, plan, size)
    others = _others(before, after)
    if not others:
        return None
    thing = pick(rng, others)
    colours = new_colours(Description(thing.kind, thing.colour))
    if colours and before.style not in UNCOLOURED and thing.material is None and rng.random() < 0.6:
        return _swap(after, thing, replace(thing, colour=pick(rng, colours)))
    stand_in = _other_thing(rng, before, EditPlan("replace"), Description(thing.kind))
    if stand_in is None or stand_in.thing is None:
        return None
    kind = KINDS[stand_in.thing.kind]
    height = thing.height * kind.height / KINDS[thing.kind].height
    return _swap(after, thing, replace(thing, kind=kind.key, height=height, colour=None, material=None))


def _over_edit(rng: np.random.Generator, before: Scene, plan: EditPlan, size: Size) -> Scene | None:
    """More than was asked for: others changed as well, one thing too many, twice the resizing."""
    after = apply_plan(before, plan, size)
    others = _others(before, after)
    match plan.operation:
        case "color":
            able = [
                t
                for t in others
                if plan.value in new_colours(Description(t.kind, t.colour)) and not t.material
            ]
            return apply_to(after, plan, {t.id for t in able}) if able else None
        case "material" | "replace" | "remove" if others:
            return apply_to(after, plan, {pick(rng, others).id})
        case "add" if plan.thing is not None:
            again = replace(plan, thing=replace(plan.thing, place=None, beside=None))
            return apply_plan(after, again, size)
        case "resize":
            return apply_plan(after, plan, size)
        case _:
            return None


SLIPS: Final[Mapping[str, Slip]] = MappingProxyType(
    {
        "wrong_object": _wrong_object,
        "wrong_attribute": _wrong_attribute,
        "half": _half,
        "lost": _lost,
        "moved": _moved,
        "collateral": _collateral,
        "over_edit": _over_edit,
    }
)

FLAWS: Final[Mapping[str, Flaw]] = MappingProxyType(
    {
        "ignored": Flaw(1.2, ALL),
        "wrong_object": Flaw(2.4, LOCAL_OPERATIONS - {"add"}),
        "wrong_attribute": Flaw(1.5, ALL - {"remove", "restore", "composite"}),
        "half": Flaw(3.0, frozenset({"composite"})),
        "lost": Flaw(1.0, ALL - {"restore"}),
        "moved": Flaw(0.8, ALL - {"restore"}),
        "collateral": Flaw(0.9, ALL - {"restore"}),
        "over_edit": Flaw(1.1, ALL - {"restore", "composite"}),
        "partial": Flaw(1.3, ALL - {"remove", "add", "composite"}),
        "ghost": Flaw(1.6, frozenset({"add", "remove", "replace", "resize"})),
        "drift": Flaw(1.1, ALL - {"color_correction"}),
        "shift": Flaw(0.7, ALL),
        "zoom": Flaw(0.6, ALL),
        "blur": Flaw(0.9, ALL - {"degrade"}),
        "blotch": Flaw(1.2, ALL),
    }
)
ON_PHOTOGRAPHS: Final = frozenset(
    {"ignored", "wrong_attribute", "over_edit", "partial", "drift", "shift", "zoom", "blur", "blotch"}
)


def flaws_in_order(rng: np.random.Generator, plan: EditPlan, *, photograph: bool = False) -> list[str]:
    """Every flaw that this edit may suffer, in a random order that favours the frequent ones."""
    names = [
        name
        for name, flaw in FLAWS.items()
        if plan.operation in flaw.operations and (not photograph or name in ON_PHOTOGRAPHS)
    ]
    shares = np.array([FLAWS[name].share for name in names])
    return [names[int(i)] for i in rng.choice(len(names), len(names), replace=False, p=shares / shares.sum())]
